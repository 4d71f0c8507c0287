"""Sound that costs far more than speech is given up; a decoder that failed is not used again."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("vosk", reason="the vosk engine is not installed")

from asr.engines.vosk_utterances import Decoder, VoskRecogniser
from asr.errors import RecogniserFailedError

SECOND = np.resize(np.array([4000, -4000], np.int16), 8000)


class CostlyKaldi:
    """Hears one word a second; counts how often it is reset; its clock says what audio costs."""

    def __init__(self) -> None:
        self.resets = 0
        self.fails = False
        self.now = 0.0
        self.cost_seconds = 0.05
        self.is_deaf = False
        self.words: list[str] = []

    def clock(self) -> float:
        """Processor time so far."""
        return self.now

    def AcceptWaveform(self, octets: bytes) -> bool:
        """Hear one more word, at today's price."""
        if self.fails:
            raise RuntimeError("vosk raises nothing narrower")
        self.now += self.cost_seconds * len(octets) / 16000
        if not self.is_deaf:
            self.words.append(f"w{len(self.words)}")
        return False

    def PartialResult(self) -> str:
        """What was heard since the last reset."""
        return json.dumps({"partial": " ".join(self.words)})

    def FinalResult(self) -> str:
        """All of it, surely."""
        heard = [
            {"word": word, "start": place, "end": place + 1, "conf": 1.0}
            for place, word in enumerate(self.words)
        ]
        return json.dumps({"text": " ".join(self.words), "result": heard})

    def Reset(self) -> None:
        """Forget."""
        self.resets += 1
        self.words.clear()

    def SetPartialWords(self, wanted: bool) -> None:
        """Ignore it."""

    def SetMaxAlternatives(self, count: int) -> None:
        """Ignore it."""


def recogniser_on(kaldi: CostlyKaldi, kept: list[Decoder] | None = None) -> VoskRecogniser:
    """One whose processor time is the fake's."""
    return VoskRecogniser(
        (kept if kept is not None else []).append,
        Decoder(kaldi), model="fake", rate_hz=8000, interval_samples=1600, n_best=0,
        clock=kaldi.clock,
    )  # fmt: skip


def test_speech_at_its_usual_price_is_kept_whole() -> None:
    """
    A slow second is no reason to forget a caller: speech costs a tenth of its length at most.
    """
    kaldi = CostlyKaldi()
    recogniser = recogniser_on(kaldi)
    for _ in range(30):
        recogniser.accept(SECOND)

    transcript = recogniser.finish()

    assert [f"w{n}" for n in range(30)] == transcript.text.split()[:30]
    assert 1.0 == transcript.confidence


def test_costly_noise_is_given_up_each_time() -> None:
    """
    A minute of noise costs a bounded price: the decoder starts anew before it grows.
    """
    kaldi = CostlyKaldi()
    kaldi.cost_seconds = 2.0
    recogniser = recogniser_on(kaldi)
    for _ in range(60):
        recogniser.accept(SECOND)

    transcript = recogniser.finish()

    assert kaldi.resets >= 60
    # The quiet that finish adds is heard after the last reset, and believed not at all.
    assert transcript.confidence < 0.05
    assert not transcript.is_fallback


def test_words_after_noise_are_kept_and_believed_less() -> None:
    """
    A lorry passes while the caller begins: what follows is heard, with less confidence.
    """
    kaldi = CostlyKaldi()
    recogniser = recogniser_on(kaldi)
    kaldi.cost_seconds = 2.0
    recogniser.accept(SECOND)
    kaldi.cost_seconds = 0.05
    for _ in range(3):
        recogniser.accept(SECOND)

    transcript = recogniser.finish()

    assert ["w0", "w1", "w2"] == transcript.text.split()[:3]
    assert 0.5 < transcript.confidence < 0.95


def test_silence_that_grows_dear_is_forgotten_and_costs_no_confidence() -> None:
    """
    Nothing was heard, so nothing is lost: what is said afterwards is believed as ever.
    """
    kaldi = CostlyKaldi()
    kaldi.is_deaf = True
    recogniser = recogniser_on(kaldi)
    for cost_seconds in (0.03, 0.03, 0.2, 0.03):
        kaldi.cost_seconds = cost_seconds
        recogniser.accept(SECOND)
    assert 1 == kaldi.resets
    kaldi.is_deaf = False
    for _ in range(3):
        recogniser.accept(SECOND)

    transcript = recogniser.finish()

    assert ["w0", "w1", "w2"] == transcript.text.split()[:3]
    assert 1.0 == transcript.confidence


def test_slow_machine_starts_over_in_no_silence() -> None:
    """
    Where every second is as dear as the first one, nothing grows, and no onset is cut.
    """
    kaldi = CostlyKaldi()
    kaldi.is_deaf = True
    kaldi.cost_seconds = 0.3
    recogniser = recogniser_on(kaldi)
    for _ in range(10):
        recogniser.accept(SECOND)

    assert 0 == kaldi.resets


def test_decoder_is_used_again_after_a_caller_hung_up() -> None:
    """
    Making one costs time; it is kept when nothing of the caller is left in it.
    """
    kept: list[Decoder] = []
    recogniser = recogniser_on(CostlyKaldi(), kept)
    recogniser.accept(SECOND)
    recogniser.close()

    assert 1 == len(kept)


@pytest.mark.parametrize("when", ["accept", "finish", "close"])
def test_decoder_that_failed_is_not_used_again(when: str) -> None:
    """
    It may still hold words of this caller, or have lost count of time.
    """
    kaldi = CostlyKaldi()
    kept: list[Decoder] = []
    recogniser = recogniser_on(kaldi, kept)
    recogniser.accept(SECOND)
    kaldi.fails = True
    if when == "accept":
        with pytest.raises(RecogniserFailedError):
            recogniser.accept(SECOND)
    elif when == "finish":
        with pytest.raises(RecogniserFailedError):
            recogniser.finish()
    kaldi.fails = when == "close"
    recogniser.close()

    assert [] == kept
