"""The operator's recordings win, at the level of all prompts; bad ones are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ivr.call.prompts import Prompt, SpokenPrompt
from ivr.errors import PromptError
from ivr.prompts import audio
from ivr.prompts.book import PromptBook
from ivr.prompts.texts import RECORDINGS
from tests.unit.prompts.sounds import pcm, tone


@pytest.mark.parametrize(
    ("rate_hz", "subtype", "channels"),
    [(8000, "PCM_16", 1), (44100, "PCM_24", 2), (48000, "FLOAT", 2), (16000, "ULAW", 1)],
)
def test_recorded_prompt_wins(
    folder: Path, tmp_path: Path, rate_hz: int, subtype: str, channels: int
) -> None:
    """
    Any rate, width and number of channels; at the level of all other prompts.
    """
    samples = np.repeat(tone(1.0, rate_hz, 0.02)[:, None], channels, axis=1)
    soundfile.write(folder / "goodbye.wav", samples, rate_hz, subtype=subtype)
    spoken = SpokenPrompt(prompt=Prompt.GOODBYE)

    book = PromptBook(folder, tmp_path / "cache")
    heard = pcm(book.wavs(spoken)) / 32768
    peak_hz = np.abs(np.fft.rfft(heard)).argmax() * 8000 / len(heard)

    assert () == book.check()
    assert 1.0 == pytest.approx(book.seconds(spoken), abs=0.06)
    assert 440 == pytest.approx(peak_hz, abs=2)
    assert -20 == pytest.approx(audio.speech_level_dbfs(heard.astype(np.float32), 8000), abs=0.5)


def test_channels_in_opposite_phase_do_not_cancel(folder: Path, tmp_path: Path) -> None:
    """
    A badly wired microphone is still heard.
    """
    left = tone(1.0, 16000)
    soundfile.write(folder / "goodbye.wav", np.stack([left, -left], axis=1), 16000)

    book = PromptBook(folder, tmp_path / "cache")

    assert () == book.check()
    assert np.abs(pcm(book.wavs(SpokenPrompt(prompt=Prompt.GOODBYE)))).max() > 3000


def test_silent_edges_are_cut(folder: Path, tmp_path: Path) -> None:
    """
    A second of silence before a recording would be a second of dead air.
    """
    silent = np.zeros(16000, dtype=np.float32)
    samples = np.concatenate([silent, tone(1.0, 16000), silent])
    soundfile.write(folder / "question.wav", samples, 16000)
    spoken = SpokenPrompt(prompt=Prompt.QUESTION)

    book = PromptBook(folder, tmp_path / "cache")

    assert 1.0 == pytest.approx(book.seconds(spoken), abs=0.1)


def write_text(path: Path) -> None:
    path.write_text("dit is geen geluid")


def write_nothing(path: Path) -> None:
    path.write_bytes(b"")


def write_header(path: Path) -> None:
    soundfile.write(path, tone(1.0, 8000), 8000)
    path.write_bytes(path.read_bytes()[:30])


def write_silence(path: Path) -> None:
    soundfile.write(path, np.zeros(16000, dtype=np.float32), 8000)


def write_click(path: Path) -> None:
    soundfile.write(path, tone(0.05, 8000), 8000)


def write_hours(path: Path) -> None:
    soundfile.write(path, np.zeros(8000 * 130, dtype=np.int16), 8000)


def write_low_rate(path: Path) -> None:
    soundfile.write(path, tone(1.0, 4000), 4000)


def write_no_numbers(path: Path) -> None:
    samples = tone(1.0, 8000)
    samples[100] = np.nan
    soundfile.write(path, samples, 8000, subtype="FLOAT")


def write_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (write_text, "not a readable recording"),
        (write_nothing, "not a readable recording"),
        (write_header, "not a readable recording|lasts only"),
        (write_silence, "is silent"),
        (write_click, "lasts only 0.05 s"),
        (write_hours, "lasts 130 s"),
        (write_low_rate, "4000 Hz"),
        (write_no_numbers, "no numbers"),
        (write_folder, "cannot be read"),
    ],
)
def test_bad_recording_is_named_and_the_caller_hears_the_embedded_one(
    folder: Path, tmp_path: Path, write: Callable[[Path], None], says: str
) -> None:
    """
    The check names file, fault and remedy; a call goes on with what comes with the package.
    """
    path = folder / "question.wav"
    write(path)
    spoken = SpokenPrompt(prompt=Prompt.QUESTION)

    book = PromptBook(folder, tmp_path / "cache")

    [problem] = book.check()
    assert isinstance(problem, PromptError)
    with pytest.raises(PromptError, match=says):
        raise problem
    assert str(path) in str(problem)
    assert ";" in str(problem)
    assert 5 < book.seconds(spoken) < 12


def test_misspelt_and_foreign_files_are_named(folder: Path, tmp_path: Path) -> None:
    """
    A recording that replaces nothing would be missed in silence.
    """
    for name in ("qestion.wav", "confirm-energy.wav", "notice.mp3", "README.txt", ".hidden.wav"):
        (folder / name).write_bytes((RECORDINGS / "notice.wav").read_bytes())

    problems = [str(problem) for problem in PromptBook(folder, tmp_path / "cache").check()]

    assert 3 == len(problems)
    assert any("did you mean question.wav?" in problem for problem in problems)
    assert any("did you mean confirm-energie.wav?" in problem for problem in problems)
    assert any("notice.mp3: is not a WAV file" in problem for problem in problems)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    """
    A configured folder that is not there is a mistake, not an empty one.
    """
    [problem] = PromptBook(tmp_path / "none", tmp_path / "cache").check()

    assert str(tmp_path / "none") in str(problem)
