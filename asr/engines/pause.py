"""How long a caller has been quiet, as far as an engine must know."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FRAME_SAMPLES = 160
_QUIET_SHARE = 0.1
"""A frame so far below the loudest one, 20 dB, is part of the pause."""


class Pause:
    """Counts the samples since the last frame of 20 ms that was not quiet."""

    def __init__(self) -> None:
        self.samples = 0
        self._loudest = 0.0

    def forget(self) -> None:
        """Begin anew, for another utterance."""
        self.samples = 0
        self._loudest = 0.0

    def add(self, pcm: NDArray[np.int16]) -> None:
        """Take the next samples, shape ``(n,)``, 8000 Hz."""
        for start in range(0, len(pcm), FRAME_SAMPLES):
            frame = pcm[start : start + FRAME_SAMPLES].astype(np.float32)
            level = float(frame.std())  # whatever constant offset a faulty device adds
            self._loudest = max(self._loudest, level)
            if level > _QUIET_SHARE * self._loudest:
                self.samples = 0
            else:
                self.samples += len(frame)
