"""Where a call stands, and how it ended."""

from __future__ import annotations

from enum import StrEnum, unique


@unique
class CallState(StrEnum):
    """Where a call stands. The values are metric labels: never rename one."""

    OFFERED = "offered"
    """The INVITE is there; nothing was answered."""
    ANSWERING = "answering"
    """200 is sent; audio does not flow yet."""
    GREETING = "greeting"
    """Welcome and recording notice; speech does not interrupt, keys do."""
    PROMPTING = "prompting"
    """We ask for the question; the caller may already speak."""
    LISTENING = "listening"
    """The caller may speak; audio goes to the recogniser."""
    DECIDING = "deciding"
    """The turn is over; recogniser and classifier are at work."""
    CONFIRMING = "confirming"
    """"Gaat uw vraag over ...?": asking, and hearing the answer."""
    MENU = "menu"
    """The short keuzemenu."""
    ANNOUNCING = "announcing"
    """"Ik verbind u door met ..."; the transfer follows."""
    TRANSFERRING = "transferring"
    """A transfer attempt is under way."""
    BRIDGED = "bridged"
    """Caller and voorlichter talk through us."""
    CLOSED = "closed"
    """Outside opening hours: the hours, and perhaps a callback."""
    CLOSING = "closing"
    """Nobody could be reached: the closing message, and perhaps a callback."""
    CALLBACK = "callback"
    """The callback is noted; we say so."""
    ENDED = "ended"
    """Over; the outcome is known."""


@unique
class Outcome(StrEnum):
    """How a call ended, exactly one per call. The values are stored: never rename one."""

    ROUTED = "routed"
    """A voorlichter group took the call."""
    MENU_ROUTED = "menu_routed"
    """A group took the call that the caller had chosen in the keuzemenu."""
    REFUSED = "refused"
    """Never answered: full, draining, not ready, blocked, unknown line or no codec."""
    ABANDONED = "abandoned"
    """The caller hung up before a transfer was accepted."""
    TRANSFER_UNCONFIRMED = "transfer_unconfirmed"
    """The caller left after a transfer was accepted and before it was confirmed."""
    CALLBACK = "callback"
    """The caller asked to be called back."""
    UNROUTED = "unrouted"
    """Nobody could be reached, or we are closed; the caller heard a closing message."""
    MEDIA_FAILED = "media_failed"
    """Audio never came, or stopped; or our process died during the call."""
