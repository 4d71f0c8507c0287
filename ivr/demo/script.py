"""What a demo caller does, in order. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from ivr.audio.dtmf import KEYS

_KEYS: Final = frozenset("".join(KEYS))


@unique
class StepKind(StrEnum):
    """What a caller can do."""

    SAY = "say"
    """Speak a sound file in real time."""
    DIGITS = "digits"
    """Press keys."""
    HANG_UP = "hangup"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the caller does, and when."""

    kind: StepKind
    value: str = ""
    """File to say, or keys to press."""
    at_seconds: float | None = None
    """Seconds after the answer; None: after the next prompt has been heard to its end."""


def parse_step(text: str) -> Step:
    """Read ``say:FILE``, ``digits:KEYS`` or ``hangup``, each with ``@SECONDS`` where wanted.

    >>> parse_step("digits:1@2.5")
    Step(kind=<StepKind.DIGITS: 'digits'>, value='1', at_seconds=2.5)

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
        kind: StepKind | None = StepKind(word)
    except ValueError:
        kind = None
    good = {
        StepKind.SAY: bool(value),
        StepKind.DIGITS: bool(value) and _KEYS.issuperset(value.upper()),
        StepKind.HANG_UP: not value,
    }
    if kind is None or not good[kind] or (at_seconds is not None and not at_seconds >= 0):
        raise ValueError(
            f"{text!r} is not a step; write say:FILE, digits:KEYS or hangup, with @SECONDS after "
            "it for a fixed moment, for example digits:1 or say:question.wav@2.5"
        )
    return Step(kind, value, at_seconds)
