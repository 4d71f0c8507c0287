"""Sound without words is bounded in what it costs, speech is kept whole, and no clock decides."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("vosk", reason="the vosk engine is not installed")

import vosk

from asr.engines.vosk_stretches import (
    RATE_HZ,
    UNHEARD_SAMPLES,
    Stretch,
)
from asr.model_files.files import embedded_model_dir
from asr.recogniser import Transcript
from tests.unit.asr.speaking import say
from tests.unit.asr.stretches import (
    FRAME,
    NEVER,
    ROOT,
    SENTENCES,
    WatchedStretch,
    recogniser_on,
)


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
