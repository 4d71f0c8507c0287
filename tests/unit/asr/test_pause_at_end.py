"""How much quiet the recogniser adds at the end of a turn, while the caller waits."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("vosk", reason="the vosk engine is not installed")

from asr.engines.vosk_utterances import Decoder, VoskRecogniser


class FakeKaldi:
    """Hears nothing, and keeps the length of each piece that it is given."""

    def __init__(self) -> None:
        self.samples: list[int] = []

    def AcceptWaveform(self, octets: bytes) -> bool:
        """Keep the length."""
        self.samples.append(len(octets) // 2)
        return False

    def PartialResult(self) -> str:
        """Nothing yet."""
        return json.dumps({"partial": ""})

    def FinalResult(self) -> str:
        """Nothing."""
        return json.dumps({"text": ""})

    def SetPartialWords(self, wanted: bool) -> None:
        """Ignore it."""

    def Reset(self) -> None:
        """Ignore it."""

    def SetMaxAlternatives(self, count: int) -> None:
        """Ignore it."""


def added_at_end(*pieces: np.ndarray[tuple[int], np.dtype[np.int16]]) -> int:
    """Samples that the recogniser adds when it finishes after these pieces."""
    kaldi = FakeKaldi()
    recogniser = VoskRecogniser(
        None,  # type: ignore[arg-type]
        Decoder(kaldi), model="fake", rate_hz=8000, interval_samples=1600, n_best=0,
    )  # fmt: skip
    for piece in pieces:
        recogniser.accept(piece)
    given = len(kaldi.samples)
    recogniser.finish()
    return sum(kaldi.samples[given:])


def speech(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Something loud."""
    return np.resize(np.array([4000, -4000], np.int16), round(8000 * seconds))


def pause(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """The noise of a line."""
    return np.resize(np.array([30, -30], np.int16), round(8000 * seconds))


def test_nothing_is_added_after_a_pause() -> None:
    """
    The caller's own pause gave the network all that it looks ahead.
    """
    assert 0 == added_at_end(speech(1.0), pause(0.48))


def test_what_the_pause_lacks_is_added() -> None:
    """
    Pause and addition together are as long as what is added to speech without a pause.
    """
    whole = added_at_end(speech(1.0))

    assert whole > 0
    assert whole == added_at_end(speech(1.0), pause(0.2)) + 1600


def test_speech_after_a_pause_ends_that_pause() -> None:
    """
    Only the last pause counts.
    """
    assert added_at_end(speech(1.0)) == added_at_end(speech(0.5), pause(0.48), speech(0.5))


def test_each_turn_counts_its_own_pause() -> None:
    """
    A recogniser that is used again forgets the turn before.
    """
    kaldi = FakeKaldi()
    recogniser = VoskRecogniser(
        None,  # type: ignore[arg-type]
        Decoder(kaldi), model="fake", rate_hz=8000, interval_samples=1600, n_best=0,
    )  # fmt: skip
    recogniser.accept(speech(1.0))
    recogniser.accept(pause(0.48))
    recogniser.finish()
    recogniser.accept(speech(1.0))
    given = len(kaldi.samples)

    recogniser.finish()

    assert sum(kaldi.samples[given:]) == added_at_end(speech(1.0))
