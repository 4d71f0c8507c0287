"""Dead air: the silence a caller hears between their own last word and our next sound. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.ports.audio import SAMPLE_RATE_HZ

_WINDOW_MS: Final = 5
SAID_LEVEL: Final = 120.0
"""Root mean square from which the caller counts as speaking; full scale is 32768. The said
channel is the recording itself, without a line's noise."""
HEARD_LEVEL: Final = 120.0
"""The same for what the caller hears. A-law's idle noise is 8."""
_PAUSE_MS: Final = 300
"""Shorter silences are within a prompt."""
_CLICK_MS: Final = 15
"""Shorter sounds are not."""


@dataclass(frozen=True, slots=True)
class DeadAir:
    """One turn of the conversation, on the recording's clock."""

    last_word_seconds: float
    """End of the caller's last energy before the prompt."""
    prompt_seconds: float
    """Start of the prompt that followed."""

    @property
    def ms(self) -> float:
        """What the caller waited, in milliseconds."""
        return round(1000 * (self.prompt_seconds - self.last_word_seconds), 1)


def dead_airs(said: NDArray[np.int16], heard: NDArray[np.int16]) -> list[DeadAir]:
    """Measure each prompt that came after the caller had spoken.

    A prompt counts when the caller spoke since the prompt before it began; a prompt that the
    caller talked over ends that one, and the next is measured.

    Args:
        said: Shape ``(n,)``, 8000 Hz: what the caller said.
        heard: Shape ``(m,)`` on the same clock: what the caller heard.

    Returns:
        In order of time.
    """
    speaking = np.flatnonzero(_loud(said, SAID_LEVEL))
    waits = []
    previous_start = -1
    for start in _starts(_loud(heard, HEARD_LEVEL)):
        # Windows are numbered; the caller's last one before the prompt.
        before = int(np.searchsorted(speaking, start)) - 1
        if before >= 0 and speaking[before] > previous_start:
            waits.append(DeadAir(_seconds(int(speaking[before]) + 1), _seconds(start)))
        previous_start = start
    return waits


def dead_air_ms(stereo: NDArray[np.int16]) -> list[float]:
    """Dead air of a caller's recording.

    Args:
        stereo: Shape ``(n, 2)``, 8000 Hz: left said, right heard.

    Returns:
        Milliseconds, one a prompt after speech.
    """
    return [wait.ms for wait in dead_airs(stereo[:, 0], stereo[:, 1])]


def _loud(samples: NDArray[np.int16], level: float) -> NDArray[np.bool_]:
    size = _WINDOW_MS * SAMPLE_RATE_HZ // 1000
    windows = len(samples) // size
    shaped = samples[: windows * size].astype(np.float32).reshape(windows, size)
    loud: NDArray[np.bool_] = np.sqrt((shaped**2).mean(axis=1)) >= level
    return loud


def _starts(loud: NDArray[np.bool_]) -> list[int]:
    """First windows of the sounds: pauses within a sound bridged, clicks left out."""
    indices = np.flatnonzero(loud)
    if indices.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(indices) > _PAUSE_MS // _WINDOW_MS)
    firsts = [0, *(breaks + 1).tolist()]
    lasts = [*breaks.tolist(), indices.size - 1]
    return [
        int(indices[first])
        for first, last in zip(firsts, lasts, strict=True)
        if (indices[last] - indices[first] + 1) * _WINDOW_MS >= _CLICK_MS
    ]


def _seconds(window: int) -> float:
    return window * _WINDOW_MS / 1000
