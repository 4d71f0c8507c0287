"""The prompts a call can ask for; their texts and recordings live in ``ivr.prompts``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique


@unique
class Prompt(StrEnum):
    """What the caller hears. The values are file names of recordings: never rename one."""

    NOTICE = "notice"
    """Welcome and the recording notice; cannot be interrupted by speech."""
    WELCOME = "welcome"
    """Instead of ``NOTICE`` on a line that keeps no recordings; not to be talked over either."""
    QUESTION = "question"
    """Asks for the question in a few words; names the keypad and the human."""
    NO_INPUT = "no_input"
    """We heard nothing; ask again."""
    EXAMPLE = "example"
    """We did not understand; ask again with an example."""
    CONFIRM = "confirm"
    """"Gaat uw vraag over <thema>?"; needs ``thema``."""
    KEUZEMENU = "keuzemenu"
    """The short menu; needs ``options``, in the order of the digits 1, 2, ..."""
    INVALID_CHOICE = "invalid_choice"
    """That key is not in the menu; the menu follows, so this needs ``options`` too."""
    ANNOUNCE = "announce"
    """"Ik verbind u door met de voorlichters voor <group>"; needs ``group``."""
    ANNOUNCE_GENERAL = "announce_general"
    """"Ik verbind u door met een voorlichter"."""
    NEXT_GROUP = "next_group"
    """The group did not answer; a colleague is being called."""
    CLOSED = "closed"
    """We are closed; the opening hours of the line."""
    CLOSING = "closing"
    """Nobody can be reached now."""
    CALLBACK_OFFER = "callback_offer"
    """"Wilt u dat wij u terugbellen? Druk op één." Follows ``CLOSED`` or ``CLOSING``."""
    CALLBACK_CONFIRMED = "callback_confirmed"
    """We will call back; goodbye."""
    GOODBYE = "goodbye"
    """Ends a call that gets no callback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenPrompt:
    """A prompt with what is filled in."""

    prompt: Prompt
    thema: str | None = None
    """Thema slug, for ``CONFIRM``."""
    group: str | None = None
    """Group slug, for ``ANNOUNCE``."""
    options: tuple[str, ...] = ()
    """Thema slugs for digits 1, 2, ... of ``KEUZEMENU`` and ``INVALID_CHOICE``."""
