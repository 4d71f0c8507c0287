"""Sound without words is bounded in what it costs, speech is kept whole, and no clock decides."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("vosk", reason="the vosk engine is not installed")

import vosk

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
from asr.engines.vosk_utterances import Decoder, VoskRecogniser
from asr.errors import RecogniserFailedError
from asr.model_files.files import embedded_model_dir
from asr.recogniser import Transcript, Word
from tests.unit.asr.speaking import say

ROOT = Path(__file__).parents[3]
SECOND = np.resize(np.array([4000, -4000], np.int16), RATE_HZ)
FRAME = 160
NEVER = 1 << 40
SENTENCES = (
    "ik wil mijn rijbewijs verlengen",
    "ik heb een vraag over mijn belastingbrief",
    "hoe vraag ik een studietoelage aan voor mijn dochter",
    "ik kan niet inloggen met itsme",
)


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


class WatchedStretch(Stretch):
    """Keeps what was decided and how far the stretch had come, and how far any stretch came."""

    def __init__(self, *limits: int) -> None:
        super().__init__(*limits)
        self.ends: list[tuple[Next, int]] = []
        self.longest = 0

    def look(self, now: int, best: Sequence[str], lattice: Sequence[Word]) -> Next:
        """Judge as ever."""
        decided = super().look(now, best, lattice)
        self.longest = max(self.longest, now - self.began)
        if decided is not Next.GO_ON:
            self.ends.append((decided, now - self.began))
        return decided


def recogniser_on(
    kaldi: object, stretch: Stretch | None = None, kept: list[Decoder] | None = None
) -> VoskRecogniser:
    """A recogniser over a decoder of any kind."""
    return VoskRecogniser(
        (kept if kept is not None else []).append,
        Decoder(kaldi), model="test", rate_hz=RATE_HZ, interval_samples=800, n_best=0,
        stretch=stretch,
    )  # fmt: skip


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


# The embedded model, with the rule and without it.


@pytest.fixture(scope="module")
def model() -> object:
    vosk.SetLogLevel(-2)
    return vosk.Model(str(embedded_model_dir()))


Heard = Callable[..., Transcript]


@pytest.fixture
def heard(model: object) -> Heard:
    """What the embedded model makes of samples, with a stretch that the test gives."""

    def recognise(
        pcm: NDArray[np.int16], stretch: Stretch | None = None, packet: int = FRAME
    ) -> Transcript:
        kaldi = vosk.KaldiRecognizer(model, float(RATE_HZ))
        kaldi.SetWords(True)
        recogniser = recogniser_on(kaldi, stretch)
        for start in range(0, len(pcm), packet):
            recogniser.accept(pcm[start : start + packet])
        return recogniser.finish()

    return recognise


def _with_noise(pcm: NDArray[np.int16], level: float, seed: int) -> NDArray[np.int16]:
    noise = np.random.default_rng(seed).normal(0, level, len(pcm))
    noisy: NDArray[np.int16] = np.clip(pcm + noise, -32768, 32767).astype(np.int16)
    return noisy


def _sounds(seconds: int) -> dict[str, NDArray[np.int16]]:
    """What a line carries when nobody speaks."""
    times = np.arange(seconds * RATE_HZ) / RATE_HZ
    white = np.random.default_rng(5).normal(0, 1, len(times))
    pitch = np.array([262, 330, 392, 523, 440, 349])[(times / 0.25).astype(int) % 6]
    waves = {
        "silence": 0 * times,
        "faint noise": 10 * white,
        "noise": 1000 * white,
        "loud noise": 9000 * white,
        "notes": 6000 * np.exp(-4 * (times % 0.25)) * np.sin(2 * np.pi * pitch * times),
        "hum": 9000 * np.sin(2 * np.pi * 50 * times),
        "ringing tone": 5000 * np.sin(2 * np.pi * 425 * times) * (times % 3 < 1),
    }
    return {name: np.clip(wave, -32768, 32767).astype(np.int16) for name, wave in waves.items()}


@pytest.mark.parametrize("name", sorted(_sounds(1)))
def test_no_stretch_of_sound_without_speech_grows_long(heard: Heard, name: str) -> None:
    """
    The cost of a second grows with the length of a stretch without words, so that a bounded length
    is a bounded cost, whatever the processor.
    """
    stretch = WatchedStretch()
    pcm = _sounds(15)[name]

    heard(pcm, stretch)

    assert len(stretch.ends) >= 2
    assert stretch.longest <= UNHEARD_SAMPLES


@pytest.mark.parametrize("name", ["silence", "faint noise", "noise", "hum"])
def test_sound_after_a_sentence_grows_no_stretch_and_takes_no_word(
    heard: Heard, name: str, tmp_path: Path
) -> None:
    """
    A caller who lays the telephone down: what was said stays, and the work stays small.
    """
    spoken = say(SENTENCES[0], "nl", tmp_path)
    stretch = WatchedStretch()
    words = heard(np.concatenate([spoken, _sounds(25)[name]]), stretch).text

    assert words.startswith(SENTENCES[0])
    assert len(stretch.ends) >= 3
    assert stretch.longest <= len(spoken) + 12 * RATE_HZ


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("level", [0, 120, 500])
def test_speech_reads_as_without_the_rule(
    heard: Heard, sentence: str, level: int, tmp_path: Path
) -> None:
    """
    Callers on clean and noisy lines, down to 15 dB: the very same words, at the same times.
    """
    spoken = _with_noise(say(sentence, "nl", tmp_path), level, 3)
    pcm = np.concatenate([spoken, np.zeros(4000, np.int16)])

    assert heard(pcm, Stretch(NEVER, NEVER, NEVER)) == heard(pcm)


@pytest.mark.parametrize("seconds", [3.2, 3.5, 3.8, 4.1, 6.7, 7.0, 7.3])
def test_word_that_begins_at_the_end_of_a_quiet_stretch_is_whole(
    heard: Heard, seconds: float, tmp_path: Path
) -> None:
    """
    A caller who thinks first is heard from the first word on, wherever the decoder starts anew.
    """
    quiet = np.zeros(int(seconds * RATE_HZ), np.int16)
    spoken = np.concatenate([quiet, say(SENTENCES[0], "nl", tmp_path)])

    assert SENTENCES[0] == heard(_with_noise(spoken, 20, 4)).text


def test_long_monologue_reads_as_without_the_rule(heard: Heard, tmp_path: Path) -> None:
    """
    Half a minute of sentences with short and long pauses.
    """
    parts = []
    for place, sentence in enumerate(SENTENCES * 2):
        parts += [say(sentence, "nl", tmp_path), np.zeros(1000 + 4000 * (place % 4), np.int16)]
    pcm = _with_noise(np.concatenate(parts), 10, 6)
    assert len(pcm) > 30 * RATE_HZ

    assert heard(pcm, Stretch(NEVER, NEVER, NEVER)).text == heard(pcm).text


# No clock.


@pytest.mark.parametrize("packet", [1, 37, 8000, NEVER])
def test_packets_of_any_size_read_the_same(heard: Heard, packet: int, tmp_path: Path) -> None:
    """
    To the last digit of the confidence, also where the decoder starts anew in between.
    """
    quiet = np.zeros(5 * RATE_HZ + 77, np.int16)
    pcm = _with_noise(np.concatenate([quiet, say(SENTENCES[1], "nl", tmp_path)]), 30, 7)

    assert heard(pcm) == heard(pcm, packet=packet)


def test_busy_machine_hears_the_same(heard: Heard, tmp_path: Path) -> None:
    """
    Beside three processes that never rest.
    """
    quiet = np.zeros(6 * RATE_HZ, np.int16)
    pcm = _with_noise(np.concatenate([quiet, say(SENTENCES[2], "nl", tmp_path)]), 500, 8)
    alone = heard(pcm)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        beside = heard(pcm)
    finally:
        for process in busy:
            process.kill()
            process.wait(timeout=60)

    assert alone.text
    assert alone == beside


def test_engines_ask_no_clock() -> None:
    """
    What is heard cannot depend on the time that anything takes: no module of the engines knows it.
    """
    clocks = {"time", "timeit", "datetime", "resource", "sched"}
    # The trial of a model, in a process without callers, bounds its memory.
    allowed = {("apart.py", "resource")}
    found = {
        (path.name, name.split(".")[0])
        for path in sorted((ROOT / "asr" / "engines").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert set() == {import_ for import_ in found if import_[1] in clocks} - allowed
