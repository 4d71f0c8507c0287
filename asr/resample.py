"""Integer upsampling of a telephone stream, for models trained on wide-band speech."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Upsampler:
    """8000 Hz to ``factor`` × 8000 Hz, block by block, as if it were one block.

    Args:
        factor: 1 passes the audio through.
    """

    def __init__(self, factor: int) -> None:
        self._factor = factor
        taps = 24 * factor + 1
        self._taps: NDArray[np.float64] = np.ones(1)
        if factor > 1:
            # Here: scipy.signal takes a second to import, and 8 kHz models need none of it.
            from scipy.signal import firwin

            self._taps = firwin(taps, 0.94 / factor) * factor
        self._state: NDArray[np.float64] = np.zeros(len(self._taps) - 1)

    def reset(self) -> None:
        """Forget the audio so far."""
        self._state = np.zeros(len(self._taps) - 1)

    def feed(self, pcm: NDArray[np.int16]) -> NDArray[np.int16]:
        """Return ``factor`` samples for each sample; delayed by 12 input samples (1.5 ms)."""
        if self._factor == 1:
            return pcm
        from scipy.signal import lfilter

        sparse = np.zeros(len(pcm) * self._factor)
        sparse[:: self._factor] = pcm
        smooth, self._state = lfilter(self._taps, 1.0, sparse, zi=self._state)
        pcm_up: NDArray[np.int16] = np.clip(np.rint(smooth), -32768, 32767).astype(np.int16)
        return pcm_up
