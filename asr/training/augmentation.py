"""What is varied anew each time that the network hears an example.

The line (:mod:`asr.synthetic.telephone`) is applied to the sound; tempo, vocal-tract length, level
and tone are shifts and sums of log-mel bands. No two passes hear the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from asr.synthetic.telephone import ORDINARY, Lines, Surroundings, telephone
from asr.training.examples import Example
from asr.training.features import FRAME_BANDS, band_centres_hz, log_mel

_WARPS = 25
_LEAST_TEMPO, _MOST_TEMPO = 0.6, 1.6
"""Beyond these, stretching frames leaves nothing that a mouth could say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speakers:
    """How much speakers differ from those of the examples.

    Attributes:
        tempo_share: Of utterances with another tempo.
        tempo: Least and most length, as a factor.
        phones_per_second: Least and most pace, instead of such a factor, where the example's own is
            known; None for none. Few speakers cover few paces: our two people say 10 and 14.
        tract_share: Of utterances with another vocal tract.
        tract: Least and most length of it, as a factor.
    """

    tempo_share: float
    tempo: tuple[float, float]
    phones_per_second: tuple[float, float] | None
    tract_share: float
    tract: tuple[float, float]


ALIKE = Speakers(
    tempo_share=0.7,
    tempo=(0.87, 1.15),
    phones_per_second=None,
    tract_share=0.8,
    tract=(0.86, 1.16),
)
DIVERSE = Speakers(
    tempo_share=0.85,
    tempo=(0.75, 1.33),
    phones_per_second=(8.0, 19.0),
    tract_share=0.9,
    tract=(0.80, 1.26),
)


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
    frames: NDArray[np.float32],
    rng: np.random.Generator,
    lines: Lines = ORDINARY,
    speakers: Speakers = ALIKE,
    pace: float = 0.0,
) -> NDArray[np.float32]:
    """Draw a new tempo, vocal tract, level and tone, and hide some times and bands.

    Args:
        frames: Shape ``(t, 40)``, log-mel.
        rng: Source of chance.
        lines: For their tone.
        speakers: How much they differ.
        pace: Phones per second of the example; 0 when unknown.

    Returns:
        Shape ``(t', 40)``.
    """
    x = frames
    if rng.random() < speakers.tempo_share:
        count = max(2, round(len(x) * _tempo(speakers, pace, rng)))
        at = np.linspace(0, len(x) - 1, count)
        low = np.minimum(at.astype(np.int64), len(x) - 2)
        share = (at - low)[:, None].astype(np.float32)
        x = x[low] * (1 - share) + x[low + 1] * share
    if rng.random() < speakers.tract_share:
        x = x @ _warp_matrices(*speakers.tract)[rng.integers(_WARPS)]
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


def _tempo(speakers: Speakers, pace: float, rng: np.random.Generator) -> float:
    if speakers.phones_per_second is None or not pace:
        return float(rng.uniform(*speakers.tempo))
    wanted = np.exp(rng.uniform(*np.log(speakers.phones_per_second)))
    return float(np.clip(pace / wanted, _LEAST_TEMPO, _MOST_TEMPO))


@cache
def _warp_matrices(least: float, most: float) -> tuple[NDArray[np.float32], ...]:
    return tuple(_warp_matrix(factor) for factor in np.geomspace(least, most, _WARPS))


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
