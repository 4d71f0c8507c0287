"""What a demo caller does, in order. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

_KEYS: Final = frozenset("0123456789*#ABCD")


@unique
class Deed(StrEnum):
    """Something a caller does."""

    SAY = "say"
    """Speak a sound file in real time."""
    DIGITS = "digits"
    """Press keys."""
    HANG_UP = "hangup"


@dataclass(frozen=True, slots=True)
class Step:
    """One deed and when it is due."""

    deed: Deed
    value: str = ""
    """File to say, or keys to press."""
    at_seconds: float | None = None
    """Seconds after the answer; None: after the next prompt has been heard to its end."""


def parse_step(text: str) -> Step:
    """Read ``say:FILE``, ``digits:KEYS`` or ``hangup``, each with ``@SECONDS`` where wanted.

    >>> parse_step("digits:1@2.5")
    Step(deed=<Deed.DIGITS: 'digits'>, value='1', at_seconds=2.5)

    Raises:
        ValueError: The text is not a step; the message says what one is.
    """
    head, at, seconds = text.rpartition("@")
    at_seconds = None
    if at:
        try:
            at_seconds = float(seconds)
        except ValueError:
            head = text
    else:
        head = text
    word, _, value = head.partition(":")
    try:
        deed = Deed(word)
    except ValueError:
        deed = None
    good = {
        Deed.SAY: bool(value),
        Deed.DIGITS: bool(value) and _KEYS.issuperset(value.upper()),
        Deed.HANG_UP: not value,
    }
    if deed is None or not good[deed] or (at_seconds is not None and not at_seconds >= 0):
        raise ValueError(
            f"{text!r} is not a step; write say:FILE, digits:KEYS or hangup, with @SECONDS after "
            "it for a fixed moment, for example digits:1 or say:question.wav@2.5"
        )
    return Step(deed, value, at_seconds)
