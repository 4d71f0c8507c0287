"""The audio core as the engine sees it: what it reports of a caller's sound, and commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ: Final = 8000
"""Of all sound between the adapters: narrowband telephony."""
Pcm = NDArray[np.int16]
"""Mono samples at :data:`SAMPLE_RATE_HZ`, shape ``(n,)``."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller has been voiced long enough to count as speaking."""

    slot: int
    at_seconds: float
    """On the slot's audio clock (frames received x 0.02), start of the voiced stretch."""


@dataclass(frozen=True, slots=True)
class UtteranceEnded:
    """The caller's turn is over."""

    slot: int
    at_seconds: float
    """On the slot's audio clock, when the endpoint was declared."""
    last_energy_seconds: float
    """On the slot's audio clock, end of the caller's last voiced frame."""
    voiced_seconds: float
    too_long: bool
    """Ended by the length limit, not by a pause."""


@dataclass(frozen=True, slots=True)
class InbandDigit:
    """A DTMF key heard in the audio itself. Personal data."""

    slot: int
    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FramesDropped:
    """The ring of this slot was overrun: ``count`` frames are lost."""

    slot: int
    count: int


AudioEvent = SpeechStarted | UtteranceEnded | InbandDigit | FramesDropped


class Ears(Protocol):
    """What a call needs of the audio core; :class:`ivr.audio.core.AudioCore` says it in full."""

    def open(self, slot_index: int) -> None:
        """Audio of a slot starts."""

    def close(self, slot_index: int) -> None:
        """Audio of a slot ended: forget everything of it."""

    def attend(
        self,
        slot_index: int,
        *,
        playing: bool,
        pause_ms: int,
        max_seconds: float,
        sink: Callable[[Pcm], None] | None = None,
    ) -> None:
        """A caller's turn may begin; one under way goes on with these parameters."""

    def ignore(self, slot_index: int) -> None:
        """No turn may begin or go on."""

    def set_pause(self, slot_index: int, pause_ms: int) -> None:
        """Change the pause that ends the turn, including the one already running."""

    def take_utterance(self, slot_index: int) -> Pcm:
        """The turn from pre-roll to endpoint, or what was heard so far."""

    def clock(self, slot_index: int) -> float:
        """Seconds on the slot's audio clock."""
