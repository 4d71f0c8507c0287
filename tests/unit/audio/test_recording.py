"""Recordings on disk: whole or not at all."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from ivr.audio import recording
from ivr.audio.errors import AudioWriteError
from ivr.errors import AudioFormatError, WegwijsError
from tests.unit.audio.signals import hiss, voice

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["turn.flac", "turn.wav", "TURN.WAV"])
def test_what_is_read_is_what_was_written(tmp_path: Path, name: str) -> None:
    """
    Sample for sample, at 8000 Hz mono, and nothing else is left in the folder.
    """
    pcm = voice(1.3)

    recording.write(tmp_path / name, pcm)

    np.testing.assert_array_equal(pcm, recording.read(tmp_path / name))
    assert [name] == [path.name for path in tmp_path.iterdir()]
    assert 8000 == soundfile.info(tmp_path / name).samplerate


def test_empty_turn_can_be_written(tmp_path: Path) -> None:
    """
    A call that said nothing still gets its file.
    """
    recording.write(tmp_path / "turn.wav", np.zeros(0, dtype=np.int16))

    assert 0 == len(recording.read(tmp_path / "turn.wav"))


def test_missing_folder_is_one_clear_error(tmp_path: Path) -> None:
    """
    The message names the file and what to do.
    """
    path = tmp_path / "gone" / "turn.flac"

    with pytest.raises(AudioWriteError, match="folder") as caught:
        recording.write(path, voice(0.1))

    assert str(path) in str(caught.value)
    assert isinstance(caught.value, WegwijsError)
    assert "audio_write" == caught.value.code


def test_full_disk_leaves_the_old_recording_and_no_litter(tmp_path: Path) -> None:
    """
    A limit on file size stands in for the full disk: the write fails half-way.
    """
    recording.write(tmp_path / "turn.wav", voice(0.1))
    program = (
        "import sys, pathlib, numpy as np\n"
        "from ivr.audio import recording\n"
        "from ivr.audio.errors import AudioWriteError\n"
        "try:\n"
        "    recording.write(pathlib.Path(sys.argv[1]), np.ones(400000, dtype=np.int16))\n"
        "except AudioWriteError as error:\n"
        "    print(error)\n"
    )

    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "turn.wav")],
        preexec_fn=small_disk,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "cannot write the recording" in done.stdout
    assert ["turn.wav"] == [path.name for path in tmp_path.iterdir()]
    np.testing.assert_array_equal(voice(0.1), recording.read(tmp_path / "turn.wav"))


def test_other_suffix_is_refused(tmp_path: Path) -> None:
    """
    A format we could not read back is not written.
    """
    with pytest.raises(AudioFormatError, match=r"\.flac or \.wav"):
        recording.write(tmp_path / "turn.mp3", voice(0.1))


@pytest.mark.parametrize("pcm", [np.zeros((2, 80), np.int16), np.zeros(80, np.float32)])
def test_samples_of_another_shape_are_refused(tmp_path: Path, pcm: NDArray[np.int16]) -> None:
    """
    Stereo or floats are a mistake of the caller of this function.
    """
    with pytest.raises(AudioFormatError, match="mono int16"):
        recording.write(tmp_path / "turn.wav", pcm)


def test_unreadable_recording_is_one_clear_error(tmp_path: Path) -> None:
    """
    Missing, damaged and wrong-rate files are told apart from a bug.
    """
    damaged = tmp_path / "damaged.flac"
    damaged.write_bytes(b"fLaC but not really")
    wide = tmp_path / "wide.wav"
    soundfile.write(wide, hiss(0.1, dbfs=-30), 16000)

    for path, reason in (
        (tmp_path / "none.wav", "not a readable recording"),
        (damaged, "not a readable recording"),
        (wide, "16000 Hz"),
    ):
        with pytest.raises(AudioFormatError, match=reason):
            recording.read(path)
