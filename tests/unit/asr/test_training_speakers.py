"""How examples are varied for the training: paces, vocal tracts, and what stays as it is."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("soundfile")

from asr.synthetic.telephone import ORDINARY
from asr.training.augmentation import ALIKE, DIVERSE, varied
from asr.training.examples import Example
from asr.training.features import FRAME_BANDS

FRAMES = np.random.default_rng(1).normal(8, 2, (300, FRAME_BANDS)).astype(np.float32)


def example(source: str, phones: int, seconds: float, quiet_seconds: float = 0.0) -> Example:
    """Loud noise with quiet after it, said to hold so many phones."""
    rng = np.random.default_rng(2)
    loud = rng.normal(0, 3000, int(seconds * 8000))
    quiet = rng.normal(0, 3, int(quiet_seconds * 8000))
    audio = np.concatenate([loud, quiet]).astype(np.int16)
    return Example(audio, np.ones(phones, np.int64), source)


@pytest.mark.parametrize("quiet_seconds", [0.0, 1.5])
def test_pace_counts_phones_while_somebody_speaks(quiet_seconds: float) -> None:
    """
    Pauses before and after do not make a speaker slow.
    """
    assert 12.0 == pytest.approx(example("humans/ann", 24, 2.0, quiet_seconds).pace, rel=0.05)


@pytest.mark.parametrize(
    ("source", "phones"), [("foreign/de", 24), ("noise", 0), ("humans/ann", 3)]
)
def test_pace_is_unknown_where_phones_are(source: str, phones: int) -> None:
    """
    A label for each foreign word, or too few of them, says nothing about a pace.
    """
    assert 0.0 == example(source, phones, 2.0).pace


@pytest.mark.parametrize("pace", [9.8, 14.2])
def test_slow_and_fast_speakers_come_to_the_same_paces(pace: float) -> None:
    """
    Whoever was recorded, the network hears paces from slow to fast.
    """
    heard = [
        pace * len(FRAMES) / len(varied(FRAMES, np.random.default_rng(n), ORDINARY, DIVERSE, pace))
        for n in range(300)
    ]

    assert 7.9 <= min(heard)
    assert max(heard) <= 19.2
    assert np.quantile(heard, 0.1) < 10
    assert np.quantile(heard, 0.9) > 15


def test_alike_speakers_keep_nearly_their_tempo() -> None:
    """
    Before the last passes, tempo stays within 15 %.
    """
    counts = [
        len(varied(FRAMES, np.random.default_rng(n), ORDINARY, ALIKE, 9.8)) for n in range(99)
    ]

    assert 0.86 * len(FRAMES) <= min(counts)
    assert max(counts) <= 1.16 * len(FRAMES)
