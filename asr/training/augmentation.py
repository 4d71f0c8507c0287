"""What is varied anew each time that the network hears an example.

The line (:mod:`asr.training.telephone`) is applied to the sound; tempo, vocal-tract length, level
and tone are shifts and sums of log-mel bands. No two passes hear the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asr.training.examples import Example
from asr.training.features import FRAME_BANDS, band_centres_hz, log_mel
from asr.training.telephone import ORDINARY, Lines, Surroundings, telephone

_WARPS = 25


def heard(
    example: Example, surroundings: Surroundings, rng: np.random.Generator, lines: Lines = ORDINARY
) -> NDArray[np.float32]:
    """Return an example's features over a random line, voices as they are.

    Returns:
        Shape ``(t, 40)``, log-mel.
    """
    audio = example.audio.astype(np.float32) / np.float32(32768)
    return log_mel(telephone(audio, surroundings, rng, lines))


def varied(
    frames: NDArray[np.float32], rng: np.random.Generator, lines: Lines = ORDINARY
) -> NDArray[np.float32]:
    """Draw a new tempo, vocal tract, level and tone, and hide some times and bands.

    Args:
        frames: Shape ``(t, 40)``, log-mel.
        rng: Source of chance.
        lines: For their tone.

    Returns:
        Shape ``(t', 40)``, t' within 15 % of t.
    """
    x = frames
    if rng.random() < 0.7:
        count = max(2, round(len(x) * rng.uniform(0.87, 1.15)))
        at = np.linspace(0, len(x) - 1, count)
        low = np.minimum(at.astype(np.int64), len(x) - 2)
        share = (at - low)[:, None].astype(np.float32)
        x = x[low] * (1 - share) + x[low + 1] * share
    if rng.random() < 0.8:
        x = x @ _WARP_MATRICES[rng.integers(_WARPS)]
    bands = np.linspace(-1, 1, FRAME_BANDS)
    tilt, bow = rng.normal(0, lines.tone), rng.normal(0, 0.75 * lines.tone)
    tone = tilt * bands + bow * (bands**2 - 0.33)
    x = x + (rng.normal(0, 0.5) + tone).astype(np.float32)
    for _ in range(2):
        start = int(rng.integers(max(1, len(x) - 20)))
        x[start : start + int(rng.integers(0, 12))] = x.mean()
    if rng.random() < 0.5:
        band = int(rng.integers(FRAME_BANDS - 5))
        x[:, band : band + int(rng.integers(0, 6))] = x.mean()
    return np.asarray(x, np.float32)


def _warp_matrix(factor: float) -> NDArray[np.float32]:
    """Move energy along the frequency axis, as a longer or shorter vocal tract does."""
    centres = band_centres_hz()
    at = np.interp(centres * factor, centres, np.arange(FRAME_BANDS))
    low = np.minimum(at.astype(np.int64), FRAME_BANDS - 2)
    matrix = np.zeros((FRAME_BANDS, FRAME_BANDS), np.float32)
    for band in range(FRAME_BANDS):
        matrix[low[band], band] = 1 - (at[band] - low[band])
        matrix[low[band] + 1, band] = at[band] - low[band]
    return matrix


_WARP_MATRICES = [_warp_matrix(factor) for factor in np.linspace(0.86, 1.16, _WARPS)]
