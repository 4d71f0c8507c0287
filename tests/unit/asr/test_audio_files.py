"""Recordings of every kind become 8 kHz mono, or a clear error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.audio_files import read_speech
from asr.errors import AudioUnreadableError


def _write(path: Path, rate_hz: int, *, channels: int = 1, offset: float = 0.0) -> Path:
    """One second of a 440 Hz tone at half of full scale."""
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz) + offset
    soundfile.write(path, np.repeat(tone[:, None], channels, axis=1), rate_hz)
    return path


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_rates_channels_and_formats_sound_alike(
    tmp_path: Path, rate_hz: int, channels: int, kind: str
) -> None:
    """
    A tone keeps its length, level and pitch whatever file it comes in.
    """
    pcm = read_speech(_write(tmp_path / f"tone.{kind}", rate_hz, channels=channels))

    assert np.int16 == pcm.dtype
    assert (8000,) == pcm.shape
    strongest = int(np.argmax(np.abs(np.fft.rfft(pcm.astype(np.float64)))))
    assert 440 == strongest
    assert 0.5 * 32767 / np.sqrt(2) == pytest.approx(pcm.astype(np.float64).std(), rel=0.03)


def test_constant_offset_is_removed(tmp_path: Path) -> None:
    """
    A faulty sound card's offset does not reach the recogniser.
    """
    pcm = read_speech(_write(tmp_path / "offset.wav", 8000, offset=0.3))

    assert abs(float(pcm.astype(np.float64).mean())) < 2


def test_missing_file_says_so(tmp_path: Path) -> None:
    """
    The message names the file and what to do.
    """
    with pytest.raises(AudioUnreadableError, match=r"nowhere\.wav.*no such file.*check the path"):
        read_speech(tmp_path / "nowhere.wav")


def test_folder_is_no_recording(tmp_path: Path) -> None:
    """
    A folder is refused, not opened.
    """
    with pytest.raises(AudioUnreadableError, match="not a file"):
        read_speech(tmp_path)


def test_empty_file_is_refused(tmp_path: Path) -> None:
    """
    A file of no octets is told from one that is damaged.
    """
    path = tmp_path / "empty.wav"
    path.touch()

    with pytest.raises(AudioUnreadableError, match="the file is empty"):
        read_speech(path)


def test_file_without_samples_is_refused(tmp_path: Path) -> None:
    """
    A header alone is no recording.
    """
    path = tmp_path / "header.wav"
    soundfile.write(path, np.zeros(0), 8000)

    with pytest.raises(AudioUnreadableError, match="no samples"):
        read_speech(path)


def test_text_is_not_audio(tmp_path: Path) -> None:
    """
    Something else under the name of a recording is refused in one line.
    """
    path = tmp_path / "letter.wav"
    path.write_text("Geachte heer, mevrouw\n" * 50, encoding="utf-8")

    with pytest.raises(AudioUnreadableError, match="not readable audio") as caught:
        read_speech(path)
    assert "\n" not in str(caught.value)


def test_truncated_wav_is_refused(tmp_path: Path) -> None:
    """
    Half of a WAV is an error, since the caller's question may be in the other half.
    """
    path = _write(tmp_path / "half.wav", 8000)
    path.write_bytes(path.read_bytes()[:8000])

    with pytest.raises(AudioUnreadableError, match="cut short"):
        read_speech(path)


def test_truncated_flac_is_refused(tmp_path: Path) -> None:
    """
    The same for a FLAC.
    """
    path = _write(tmp_path / "half.flac", 8000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(AudioUnreadableError):
        read_speech(path)


def test_wav_from_a_pipe_is_read(tmp_path: Path) -> None:
    """
    Programs that write to a pipe cannot fill in the sizes of the header.
    """
    path = _write(tmp_path / "piped.wav", 8000)
    octets = bytearray(path.read_bytes())
    octets[4:8] = octets[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(octets))

    assert (8000,) == read_speech(path).shape
