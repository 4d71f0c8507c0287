"""When a stretch of sound ends: the rule on words alone, and over a decoder that a test scripts."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

pytest.importorskip("vosk", reason="the vosk engine is not installed")


from asr.engines.vosk_stretches import (
    DOUBTED_CONFIDENCE,
    DOUBTED_SAMPLES,
    RATE_HZ,
    REPEATED_SAMPLES,
    UNHEARD_SAMPLES,
    UNSETTLED_SAMPLES,
    Next,
    Stretch,
)
from asr.engines.vosk_utterances import Decoder
from asr.errors import RecogniserFailedError
from asr.recogniser import Word
from tests.unit.asr.stretches import FRAME, SECOND, WatchedStretch, recogniser_on


class ScriptedKaldi:
    """Hears one word a second, or none; its lattice follows a second later, or never."""

    def __init__(self) -> None:
        self.pieces: list[int] = []
        self.fails = False
        self.is_deaf = False
        self.lattice_lags = False
        self.words: list[str] = []
        self._said = 0
        self._left = 0
        self._has_lattice = False

    def AcceptWaveform(self, octets: bytes) -> bool:
        """Hear one more word for each second."""
        if self.fails:
            raise RuntimeError("vosk raises nothing narrower")
        self.pieces.append(len(octets) // 2)
        self._left += len(octets) // 2
        while self._left >= RATE_HZ:
            self._left -= RATE_HZ
            if not self.is_deaf:
                self.words.append(f"w{self._said}")
                self._said += 1
        return False

    def PartialResult(self) -> str:
        """What was heard since the last reset."""
        if not self._has_lattice:
            return json.dumps({"partial": " ".join(self.words)})
        settled = [] if self.lattice_lags else self.words[:-1]
        return json.dumps({"partial_result": self._timed(settled)})

    def FinalResult(self) -> str:
        """All of it, surely."""
        answer = json.dumps({"text": " ".join(self.words), "result": self._timed(self.words)})
        self.words.clear()
        return answer

    def _timed(self, words: Sequence[str]) -> list[dict[str, object]]:
        first = self._said - len(self.words)
        return [
            {"word": word, "start": first + place, "end": first + place + 1, "conf": 1.0}
            for place, word in enumerate(words)
        ]

    def Reset(self) -> None:
        """Forget."""
        self.words.clear()

    def SetPartialWords(self, wanted: bool) -> None:
        """Answer with the lattice, or with the best path."""
        self._has_lattice = wanted

    def SetMaxAlternatives(self, count: int) -> None:
        """Ignore it."""


# The rule, on words alone.


def test_stretch_without_a_word_ends_after_four_seconds() -> None:
    """
    Not before, and its end is heard once more.
    """
    stretch = Stretch()
    stretch.begin(FRAME)

    assert stretch.look(UNHEARD_SAMPLES, [], []) is Next.GO_ON
    assert stretch.look(UNHEARD_SAMPLES + FRAME, [], []) is Next.REPEAT_END


def test_speech_that_the_lattice_follows_never_ends_a_stretch() -> None:
    """
    A monologue of five minutes whose words settle within 2.5 s.
    """
    stretch = Stretch()
    said: list[Word] = []
    for second in range(300):
        said.append(Word(f"w{second}", second, second + 1.0, 0.7))
        now = (second + 1) * RATE_HZ
        best = [word.text for word in said]

        assert stretch.look(now, best, said[: max(0, len(said) - 2)]) is Next.GO_ON


def test_long_pause_after_settled_words_ends_a_stretch_and_keeps_them() -> None:
    """
    All words are in the lattice, so none is lost; while one is missing there, the pause waits.
    """
    stretch = Stretch()
    stretch.begin(0)
    said = [Word("ik", 0.2, 0.5, 0.9), Word("wil", 0.5, 0.9, 0.9)]
    assert stretch.look(RATE_HZ, ["ik", "wil"], said) is Next.GO_ON
    end = RATE_HZ + UNHEARD_SAMPLES

    assert stretch.look(end - FRAME, ["ik", "wil"], said) is Next.GO_ON
    assert stretch.look(end, ["ik", "wil"], said[:1]) is Next.GO_ON
    assert stretch.look(end + FRAME, ["ik", "wil"], said) is Next.KEEP_WORDS


def test_words_that_never_settle_end_a_stretch_and_are_kept() -> None:
    """
    Ten seconds after the first of them; that they come and go begins no new wait.
    """
    stretch = Stretch()
    stretch.begin(0)
    first = 2 * RATE_HZ
    assert stretch.look(first, ["de"], []) is Next.GO_ON
    assert stretch.look(first + FRAME, [], []) is Next.GO_ON
    assert stretch.look(first + UNSETTLED_SAMPLES - FRAME, ["een"], []) is Next.GO_ON
    assert stretch.look(first + UNSETTLED_SAMPLES, ["het", "een"], []) is Next.KEEP_WORDS


def test_words_that_are_doubted_for_long_end_a_stretch_and_are_kept() -> None:
    """
    Music with a voice in it, or a television: words that settle and that nobody should believe.
    """
    stretch = Stretch()
    stretch.begin(0)
    doubted = [Word("de", 0.0, DOUBTED_SAMPLES / RATE_HZ, DOUBTED_CONFIDENCE - 0.1)]

    assert stretch.look(DOUBTED_SAMPLES - FRAME, ["de"], doubted) is Next.GO_ON
    assert stretch.look(DOUBTED_SAMPLES, ["de"], doubted) is Next.KEEP_WORDS


# The rule over a decoder that does what the test says.


def test_speech_is_kept_whole() -> None:
    """
    Half a minute without a pause: every word, in order, and the decoder goes through it once.
    """
    kaldi = ScriptedKaldi()
    stretch = WatchedStretch()
    recogniser = recogniser_on(kaldi, stretch)
    for _ in range(30):
        recogniser.accept(SECOND)

    transcript = recogniser.finish()

    assert [f"w{n}" for n in range(30)] == transcript.text.split()[:30]
    assert 1.0 == transcript.confidence
    assert [] == stretch.ends


def test_quiet_is_given_up_in_pieces_and_costs_no_confidence() -> None:
    """
    Nothing was heard, so nothing is lost: what is said afterwards is believed as ever.
    """
    kaldi = ScriptedKaldi()
    kaldi.is_deaf = True
    stretch = WatchedStretch()
    recogniser = recogniser_on(kaldi, stretch)
    for _ in range(60):
        recogniser.accept(SECOND)
    assert len(stretch.ends) >= 60 * RATE_HZ // UNHEARD_SAMPLES
    assert {Next.REPEAT_END} == {decided for decided, _ in stretch.ends}
    assert sum(kaldi.pieces) < 1.4 * 60 * RATE_HZ
    kaldi.is_deaf = False
    for _ in range(3):
        recogniser.accept(SECOND)

    transcript = recogniser.finish()

    assert ["w0", "w1", "w2"] == transcript.text.split()[:3]
    assert 1.0 == transcript.confidence


def test_end_of_a_quiet_stretch_is_heard_once_more() -> None:
    """
    A word that began in it is whole for the decoder that starts anew.
    """
    kaldi = ScriptedKaldi()
    kaldi.is_deaf = True
    recogniser = recogniser_on(kaldi)
    for _ in range(5):
        recogniser.accept(SECOND)

    assert 1 == kaldi.pieces.count(REPEATED_SAMPLES)


def test_words_that_do_not_settle_are_all_kept() -> None:
    """
    The decoder starts anew every few seconds; what it heard before stands, once and in order.
    """
    kaldi = ScriptedKaldi()
    kaldi.lattice_lags = True
    stretch = WatchedStretch()
    recogniser = recogniser_on(kaldi, stretch)
    for _ in range(30):
        recogniser.accept(SECOND)

    transcript = recogniser.finish()

    assert len(stretch.ends) >= 2
    assert {Next.KEEP_WORDS} == {decided for decided, _ in stretch.ends}
    assert max(length for _, length in stretch.ends) < UNSETTLED_SAMPLES + 2 * RATE_HZ
    assert [f"w{n}" for n in range(30)] == transcript.text.split()[:30]


def test_decoder_is_used_again_after_a_caller_hung_up() -> None:
    """
    Making one costs time; it is kept when nothing of the caller is left in it.
    """
    kept: list[Decoder] = []
    recogniser = recogniser_on(ScriptedKaldi(), kept=kept)
    recogniser.accept(SECOND)
    recogniser.close()

    assert 1 == len(kept)


@pytest.mark.parametrize("when", ["accept", "finish", "close"])
def test_decoder_that_failed_is_not_used_again(when: str) -> None:
    """
    It may still hold words of this caller, or have lost count of time.
    """
    kaldi = ScriptedKaldi()
    kept: list[Decoder] = []
    recogniser = recogniser_on(kaldi, kept=kept)
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
