"""What is varied in log-mel features, anew for each batch.

Noise, level, tone, tempo and vocal-tract length are sums and shifts there, so that no two epochs
hear the same; rooms, codecs and lost packets (:mod:`asr.training.telephone`) are applied once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asr.training.features import FRAME_BANDS, band_centres_hz, log_mel
from asr.training.telephone import RATE_HZ, Surroundings, synthetic_noise


def noise_bank(surroundings: Surroundings, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Return log-mel features of noises, each shape ``(frames, 40)``, of about equal energy."""
    sounds = [*surroundings.noises, *(synthetic_noise(12, rng) for _ in range(20))]
    bank: list[NDArray[np.float32]] = []
    for sound in sounds:
        frames = log_mel(sound[: 60 * RATE_HZ])
        bank.append(frames - np.float32(np.log(np.exp(frames).mean())))
    return bank


class MelAugmenter:
    """Draws a new tempo, vocal tract, level, tone and noise for log-mel features.

    Args:
        noises: From :func:`noise_bank`.
        rng: Source of chance.
    """

    def __init__(self, noises: list[NDArray[np.float32]], rng: np.random.Generator) -> None:
        self._noises = noises
        self._rng = rng
        self._warps = [_warp_matrix(factor) for factor in np.linspace(0.86, 1.16, 25)]

    def __call__(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return changed features.

        Args:
            frames: Shape ``(t, 40)``, log-mel.

        Returns:
            Shape ``(t', 40)``, t' within 15 % of t.
        """
        rng = self._rng
        x = frames
        if rng.random() < 0.7:
            count = max(2, round(len(x) * rng.uniform(0.87, 1.15)))
            at = np.linspace(0, len(x) - 1, count)
            low = np.minimum(at.astype(np.int64), len(x) - 2)
            share = (at - low)[:, None].astype(np.float32)
            x = x[low] * (1 - share) + x[low + 1] * share
        if rng.random() < 0.8:
            x = x @ self._warps[rng.integers(len(self._warps))]
        bands = np.linspace(-1, 1, FRAME_BANDS)
        tone = rng.normal(0, 0.5) * bands + rng.normal(0, 0.4) * (bands**2 - 0.33)
        x = x + (rng.normal(0, 1.0) + tone).astype(np.float32)
        if self._noises and rng.random() < 0.65:
            noise = self._noises[rng.integers(len(self._noises))]
            start = int(rng.integers(len(noise)))
            piece = noise[(start + np.arange(len(x))) % len(noise)]
            energy = np.log(np.exp(np.minimum(x, 30)).mean() + 1e-9)
            snr = rng.uniform(4, 32) * 0.2303
            x = np.logaddexp(x, piece + np.float32(energy - snr)).astype(np.float32)
        else:
            x = x.copy()
        for _ in range(2):
            start = int(rng.integers(max(1, len(x) - 20)))
            x[start : start + int(rng.integers(0, 16))] = x.mean()
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
