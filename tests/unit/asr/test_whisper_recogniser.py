"""faster-whisper for real, on a small model that the test trains and converts itself."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

pytest.importorskip("faster_whisper", reason="faster-whisper is not installed: make setup-tests")

from asr.engines import load_engine
from asr.engines.invented_text import Gates
from asr.engines.whisper_recogniser import WhisperEngine
from asr.errors import (
    EngineUnavailableError,
    ModelDamagedError,
    ModelMissingError,
    RecogniserFailedError,
)
from asr.model_files.files import write_checksums
from asr.model_files.identity import quick_checksum
from asr.transcribe import transcribe_pcm
from ivr.commands.cli import main
from tests.unit.asr.speaking import say
from tests.unit.asr.tiny_whisper import SENTENCES, VOICES

# The first test waits until the model is trained: a quarter of a minute of processor time.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def engine(tiny_whisper_folder: Path) -> Iterator[WhisperEngine]:
    made = WhisperEngine(tiny_whisper_folder, device="cpu", threads=1)
    yield made
    made.close()


@pytest.fixture
def copy(tiny_whisper_folder: Path, tmp_path: Path) -> Path:
    """A copy of the model's folder, to damage."""
    return shutil.copytree(tiny_whisper_folder, tmp_path / "copy")


def _spoken(sentence: str, voice: str, folder: Path) -> NDArray[np.int16]:
    """A sentence between pauses, as callers leave them."""
    pause = np.zeros(6000, np.int16)
    return np.concatenate([pause, say(sentence, voice, folder), pause])


def _noise(seconds: float, level: float) -> NDArray[np.int16]:
    rng = np.random.default_rng(5)
    noise: NDArray[np.int16] = (rng.normal(size=int(seconds * 8000)) * level).astype(np.int16)
    return noise


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_is_said_is_what_is_heard(
    engine: WhisperEngine, sentence: str, voice: str, tmp_path: Path
) -> None:
    """
    The right sentence comes out for the right sound, word by word, with pauses around it.
    """
    spoken = _spoken(sentence, voice, tmp_path)

    transcript = transcribe_pcm(engine, spoken)

    assert sentence == transcript.text
    assert sentence.split() == [word.text for word in transcript.words]
    assert 0.5 < transcript.confidence <= 1.0
    assert 0.3 < transcript.words[0].start_seconds
    assert transcript.words[-1].end_seconds < len(spoken) / 8000
    assert ("whisper", engine.model) == (transcript.engine, transcript.model)


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(0, np.int16),
        np.zeros(40000, np.int16),
        np.full(24000, 9000, np.int16),
        _noise(4.0, 30.0),
        _noise(4.0, 3000.0),
        (8000 * np.sin(2 * np.pi * 440 * np.arange(32000) / 8000)).astype(np.int16),
    ],
    ids=["nothing", "silence", "constant offset", "faint noise", "loud noise", "tone"],
)
def test_nothing_is_invented_where_nobody_speaks(
    engine: WhisperEngine, sound: NDArray[np.int16]
) -> None:
    """
    Silence, noise and tones give an empty text.
    """
    transcript = transcribe_pcm(engine, sound)

    assert ("", 0.0, ()) == (transcript.text, transcript.confidence, transcript.words)


def test_unsure_model_is_not_believed(tiny_whisper_folder: Path, tmp_path: Path) -> None:
    """
    Below the least log-probability nothing is said to have been heard.
    """
    strict = WhisperEngine(
        tiny_whisper_folder, device="cpu", threads=1, gates=Gates(least_logprob=0.0)
    )

    transcript = transcribe_pcm(strict, _spoken(SENTENCES[0], "nl", tmp_path))
    strict.close()

    assert "" == transcript.text


def test_pause_within_an_utterance_keeps_times(engine: WhisperEngine, tmp_path: Path) -> None:
    """
    Whisper does not hear a long pause, but words after it are timed as they were said.
    """
    spoken = _spoken(SENTENCES[1], "nl", tmp_path)
    pause = np.zeros(8 * 8000, np.int16)

    transcript = transcribe_pcm(engine, np.concatenate([pause, spoken, pause]))

    assert SENTENCES[1] == transcript.text
    for word in transcript.words:
        assert 7.5 < word.start_seconds <= word.end_seconds < 8.5 + len(spoken) / 8000


def test_minutes_of_speech_are_heard_in_bounded_memory(
    engine: WhisperEngine, tmp_path: Path
) -> None:
    """
    A recording longer than a turn is transcribed piece by piece, and never kept whole.
    """
    spoken = _spoken(SENTENCES[1], "nl", tmp_path)
    pause = np.zeros(24 * 8000, np.int16)
    pcm = np.concatenate([part for _ in range(4) for part in (spoken, pause)])
    recogniser = engine.open()
    kept = 0
    for start in range(0, len(pcm), 8000):
        recogniser.accept(pcm[start : start + 8000])
        kept = max(kept, sum(map(len, recogniser._waiting)))

    transcript = recogniser.finish()
    recogniser.close()

    assert kept <= 60 * 8000 < len(pcm)
    said = [
        " ".join(word.text for word in transcript.words[place : place + 4])
        for place in range(0, len(transcript.words), 4)
    ]
    # The tiny model never learnt two sentences in one piece: it may say one of two that are alike.
    assert {SENTENCES[1]} == set(said)
    assert 2 <= len(said) <= 4
    assert transcript.words[-1].end_seconds > 3 * 24


def test_same_sound_gives_the_same_transcript(engine: WhisperEngine, tmp_path: Path) -> None:
    """
    Chance has no part in it.
    """
    spoken = _spoken(SENTENCES[2], "nl", tmp_path)

    assert transcribe_pcm(engine, spoken) == transcribe_pcm(engine, spoken)


def test_more_callers_than_workers_wait_their_turn(engine: WhisperEngine, tmp_path: Path) -> None:
    """
    Three turns that end together over one worker are all heard, and threads stay bounded.
    """
    spoken = _spoken(SENTENCES[0], "nl", tmp_path)
    heard: list[str] = []

    def caller() -> None:
        heard.append(transcribe_pcm(engine, spoken).text)

    callers = [threading.Thread(target=caller) for _ in range(3)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(timeout=100)

    assert [SENTENCES[0]] * 3 == heard
    assert 1 == engine.threads


def test_engine_closed_during_a_turn_is_an_error_of_ours(
    tiny_whisper_folder: Path, tmp_path: Path
) -> None:
    """
    A recogniser whose engine was closed fails; it does not crash.
    """
    closing = WhisperEngine(tiny_whisper_folder, device="cpu", threads=1)
    recogniser = closing.open()
    recogniser.accept(_spoken(SENTENCES[0], "nl", tmp_path))
    closing.close()

    with pytest.raises(RecogniserFailedError, match="closed"):
        recogniser.finish()


@pytest.mark.parametrize("missing", ["model.bin", "config.json", "tokenizer.json"])
def test_incomplete_folder_is_named(copy: Path, missing: str) -> None:
    """
    A missing file is named, with the command that installs a whole model; no hub is asked for it.
    """
    (copy / missing).unlink()

    with pytest.raises(ModelMissingError, match=f"{missing}.*wegwijs models install"):
        load_engine("whisper", copy)


def test_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """
    A path without a folder, and no path at all, have their remedies.
    """
    with pytest.raises(ModelMissingError, match=r"large-v3.*wegwijs models install"):
        load_engine("whisper", tmp_path / "large-v3")
    with pytest.raises(EngineUnavailableError, match="wegwijs models install"):
        load_engine("whisper")


def _cut(folder: Path) -> None:
    weights = (folder / "model.bin").read_bytes()
    (folder / "model.bin").write_bytes(weights[: len(weights) // 2])


def _foreign(folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"\x80\x04 these are no weights" * 99)


def _empty(folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"")


def _bad_json(folder: Path) -> None:
    (folder / "config.json").write_text("{", encoding="utf-8")


def _other_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"model": 3}', encoding="utf-8")


def _other_bands(folder: Path) -> None:
    (folder / "preprocessor_config.json").write_text('{"feature_size": 128}', encoding="utf-8")


def _changed(folder: Path) -> None:
    write_checksums(folder)
    weights = bytearray((folder / "model.bin").read_bytes())
    weights[len(weights) // 2] ^= 1
    (folder / "model.bin").write_bytes(weights)


@pytest.mark.parametrize(
    "damage", [_cut, _foreign, _empty, _bad_json, _other_tokenizer, _other_bands, _changed]
)
def test_damaged_model_is_an_error_with_a_remedy(copy: Path, damage: object) -> None:
    """
    A file that is cut, foreign or changed is refused when the model is loaded.
    """
    assert callable(damage)
    damage(copy)

    with pytest.raises(ModelDamagedError) as caught:
        load_engine("whisper", copy)
    assert str(copy) in str(caught.value)
    assert caught.value.remedy


def test_setting_that_does_not_exist_is_named(tiny_whisper_folder: Path) -> None:
    """
    A misspelt setting, and a GPU that is not there, are refused before anything is loaded.
    """
    with pytest.raises(EngineUnavailableError, match=r"'treads'.*device, threads, workers"):
        load_engine("whisper", tiny_whisper_folder, treads=2)
    with pytest.raises(EngineUnavailableError, match="choose auto, cpu or cuda"):
        load_engine("whisper", tiny_whisper_folder, device="tpu")


def test_name_of_a_model_changes_with_its_files(copy: Path) -> None:
    """
    Another size or another end of a file is another model; its card may be corrected.
    """
    before = quick_checksum(copy)
    (copy / "README.md").write_text("a card", encoding="utf-8")
    with_card = quick_checksum(copy)
    (copy / "model.bin").write_bytes((copy / "model.bin").read_bytes() + b"\0")

    assert before == with_card
    assert before != quick_checksum(copy)


def test_command_line_transcribes_with_whisper(
    tiny_whisper_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    ``wegwijs transcribe --engine whisper --model DIR FILE`` prints what was said.
    """
    soundfile.write(tmp_path / "caller.wav", _spoken(SENTENCES[1], "nl", tmp_path), 8000)
    command = ["transcribe", "--engine", "whisper", "--model", str(tiny_whisper_folder), "--json"]

    code = main([*command, str(tmp_path / "caller.wav")])

    assert 0 == code
    assert SENTENCES[1] == json.loads(capsys.readouterr().out)["text"]
