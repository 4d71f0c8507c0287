"""The SIP side as the engine sees it: legs, what they report and what they are told to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ivr.call.rules import TransferMethod as TransferMethod


@dataclass(frozen=True, slots=True)
class MediaReady:
    """Audio flows both ways; the leg's received frames land in frame slot ``slot``."""

    slot: int


@dataclass(frozen=True, slots=True)
class PlayStarted:
    """The first sample of ``play(token)`` goes out with the next frame."""

    token: int
    at_seconds: float
    """On the slot's audio clock (frames received x 0.02)."""


@dataclass(frozen=True, slots=True)
class PlayFinished:
    """The audio of ``play(token)`` was heard to its end. Not sent after ``stop_playing``."""

    token: int


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """One key: RFC 4733, SIP INFO or inband. Personal data: never logged."""

    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TransferProgress:
    """News of the transfer started with ``token``.

    ``status`` is a SIP status. Not ``final``: 202 for an accepted REFER, 1xx while ringing.
    ``final`` and 2xx: a REFER reached its target (the leg ends after this), or the bridge is
    connected. ``final`` and >= 300: this attempt failed and the leg is still ours.
    """

    token: int
    status: int
    final: bool


@dataclass(frozen=True, slots=True)
class TargetHungUp:
    """The bridged target of ``token`` hung up; the leg is still ours."""

    token: int


@dataclass(frozen=True, slots=True)
class HungUp:
    """The leg is gone, whoever ended it. Always the last event of a leg, sent exactly once."""

    status: int
    """SIP status of the end: 200 for BYE, 487 for CANCEL, 408 for a lost peer, ..."""
    by_us: bool


@dataclass(frozen=True, slots=True)
class MediaLost:
    """No RTP arrived for the configured time while the leg should be sending."""


LegEvent = (
    MediaReady
    | PlayStarted
    | PlayFinished
    | DigitPressed
    | TransferProgress
    | TargetHungUp
    | HungUp
    | MediaLost
)


class Leg(Protocol):
    """One incoming call, from its INVITE to its end."""

    line: str
    """Called number: the user part of the request URI."""
    caller: str
    """Caller's number or user part, empty when withheld. Personal data."""
    sip_call_id: str
    """SIP Call-ID. Never logged; stored in the contact record for the carrier's questions."""
    codecs_in_common: bool
    """False when the caller's offer has no codec we speak."""
    listener: Callable[[LegEvent], None]
    """Set by the engine in the call of ``on_offered``."""

    def answer(self) -> None:
        """Send 200; :class:`MediaReady` follows, or :class:`HungUp`."""

    def refuse(self, status: int, *, retry_after_seconds: int | None = None) -> None:
        """Send a final response >= 300, with Retry-After when given."""

    def play(self, wavs: Sequence[Path], *, token: int) -> None:
        """Play 8 kHz mono 16-bit WAV files in a row; replaces what is playing now."""

    def stop_playing(self) -> None:
        """Fall silent within one frame."""

    def transfer(
        self, target: str, *, method: TransferMethod, token: int, headers: Mapping[str, str]
    ) -> None:
        """Hand the caller over to the SIP URI ``target``; ``headers`` travel along."""

    def abandon_transfer(self, token: int) -> None:
        """Give up on a transfer without final news: cancel a bridge's leg, forget a REFER."""

    def hang_up(self) -> None:
        """End the leg; :class:`HungUp` follows."""


class Telephony(Protocol):
    """The SIP side as a whole."""

    def start(self, on_offered: Callable[[Leg], None]) -> None:
        """Open the transports and take calls.

        Raises:
            TelephonyError: port in use, RTP range too small, TLS files unusable.
        """

    def stop(self) -> None:
        """Hang up what is left and close the transports. Bounded; idempotent."""

    def is_alive(self) -> bool:
        """Whether the telephony thread took work within the last second."""
