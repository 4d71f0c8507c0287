"""One number for an utterance, and the stream's upsampling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asr.confidence import UNKNOWN_WORD, Calibration, utterance_confidence
from asr.errors import ModelDamagedError
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


def test_calibration_lowers_what_fits_badly() -> None:
    """
    The surer the decoder and the better the sound fits, the higher; always within 0..1.
    """
    calibration = Calibration(bias=2.0, confidence=0.5, cost_per_letter=-2.0)

    assert calibration.apply(0.9, 0.8) > calibration.apply(0.6, 0.8)
    assert calibration.apply(0.9, 0.8) > 0.7 > 0.2 > calibration.apply(0.9, 3.0)
    assert 0.0 < calibration.apply(0.0, 50.0) < calibration.apply(1.0, 0.0) < 1.0


def test_calibration_is_read_from_the_model(tmp_path: Path) -> None:
    """
    No file: no calibration. A file that is none: the model is damaged.
    """
    path = tmp_path / "confidence.json"

    assert Calibration.load(path) is None
    path.write_text('{"bias": 1, "confidence": 0.5, "cost_per_letter": -2}', encoding="utf-8")
    assert Calibration(1.0, 0.5, -2.0) == Calibration.load(path)
    for wrong in ("", "[]", '{"bias": 1}', '{"bias": "x", "confidence": 1, "cost_per_letter": 1}'):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(ModelDamagedError, match=r"confidence\.json: is no calibration"):
            Calibration.load(path)
