"""One number for an utterance, and the stream's upsampling."""

from __future__ import annotations

import numpy as np
import pytest

from asr.confidence import UNKNOWN_WORD, utterance_confidence
from asr.recogniser import Word
from asr.resample import Upsampler


def test_nothing_heard_has_no_confidence() -> None:
    """
    Without words the confidence is 0.
    """
    assert 0.0 == utterance_confidence([])


def test_long_words_count_more() -> None:
    """
    A sure long word outweighs an unsure article.
    """
    words = [Word("de", 0, 0.1, 0.2), Word("verkeersbelasting", 0.1, 1.0, 0.95)]

    assert 0.85 < utterance_confidence(words) < 0.95


def test_unknown_speech_lowers_the_confidence() -> None:
    """
    The same words beside two seconds of unknown speech are less to build on.
    """
    known = [Word("premie", 0, 0.5, 0.9)]
    unknown = [Word(UNKNOWN_WORD, 0.5, 2.5, 1.0)]

    assert 0.9 == pytest.approx(utterance_confidence(known))
    assert utterance_confidence([*known, *unknown]) < 0.3


@pytest.mark.parametrize("packet", [1, 160, 999])
def test_upsampling_in_packets_is_upsampling_at_once(packet: int) -> None:
    """
    Packets leave no seams.
    """
    pcm = (8000 * np.sin(np.arange(4000) * 0.3)).astype(np.int16)
    whole = Upsampler(2).feed(pcm)
    upsampler = Upsampler(2)
    parts = [upsampler.feed(pcm[i : i + packet]) for i in range(0, len(pcm), packet)]

    assert np.array_equal(whole, np.concatenate(parts))


def test_upsampling_keeps_level_and_pitch() -> None:
    """
    A 1 kHz tone is a 1 kHz tone of the same level at twice the rate.
    """
    tone = (8000 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)).astype(np.int16)

    double = Upsampler(2).feed(tone).astype(np.float64)

    assert (16000,) == double.shape
    assert 1000 == int(np.argmax(np.abs(np.fft.rfft(double))))
    assert 8000 / np.sqrt(2) == pytest.approx(double[200:].std(), rel=0.02)
