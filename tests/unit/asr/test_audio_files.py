"""Recordings of every kind become 8 kHz mono, or a clear error."""

from __future__ import annotations

import struct
import tracemalloc
from math import gcd
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

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


def test_side_wired_the_other_way_round_does_not_cancel_speech(tmp_path: Path) -> None:
    """
    The mean of both sides would be silence.
    """
    plain = read_speech(_write(tmp_path / "plain.wav", 8000))
    tone, rate_hz = soundfile.read(tmp_path / "plain.wav")
    soundfile.write(tmp_path / "turned.wav", np.stack([tone, -tone], axis=1), rate_hz)

    turned = read_speech(tmp_path / "turned.wav")

    assert np.abs(plain).max() > 1000
    assert np.allclose(plain, turned, atol=2)


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


@pytest.mark.parametrize("size", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xdb\xff\xff\x7f"])
def test_wav_from_a_pipe_is_read(tmp_path: Path, size: bytes) -> None:
    """
    Programs that write to a pipe cannot fill in the sizes of the header, or fill in one of two.
    """
    path = _write(tmp_path / "piped.wav", 8000)
    whole = read_speech(path)
    octets = bytearray(path.read_bytes())
    octets[40:44] = size
    path.write_bytes(bytes(octets))
    half_filled = read_speech(path)
    octets[4:8] = size
    path.write_bytes(bytes(octets))

    assert np.array_equal(whole, half_filled)
    assert np.array_equal(whole, read_speech(path))


def test_wav_whose_data_chunk_is_truly_empty_holds_no_samples(tmp_path: Path) -> None:
    """
    A chunk of notes after it is not taken for sound.
    """
    path = tmp_path / "empty.wav"
    soundfile.write(path, np.zeros(0), 8000)
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 4) + b"INFO")

    with pytest.raises(AudioUnreadableError, match="holds no samples"):
        read_speech(path)


def test_odd_length_without_the_pad_octet_is_read(tmp_path: Path) -> None:
    """
    Of 8001 samples of 8 bits every one is there; without the last one it is cut short.
    """
    path = tmp_path / "odd.wav"
    soundfile.write(path, np.linspace(-0.5, 0.5, 8001), 8000, subtype="PCM_U8")
    whole = path.read_bytes()
    assert 44 + 8001 + 1 == len(whole)

    path.write_bytes(whole[:-1])
    assert (8001,) == read_speech(path).shape
    path.write_bytes(whole[:-2])
    with pytest.raises(AudioUnreadableError, match="cut short"):
        read_speech(path)


KINDS = [
    ("wav", "PCM_24"), ("wav", "PCM_32"), ("wav", "PCM_U8"), ("wav", "FLOAT"), ("wav", "DOUBLE"),
    ("wav", "ULAW"), ("wav", "ALAW"), ("wav", "GSM610"), ("wav", "IMA_ADPCM"), ("flac", "PCM_24"),
    ("ogg", "VORBIS"), ("ogg", "OPUS"), ("aiff", "PCM_16"), ("au", "ULAW"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_every_usual_encoding_is_read(tmp_path: Path, kind: str, subtype: str) -> None:
    """
    Telephone, studio and web encodings give the tone at about its level.
    """
    path = tmp_path / f"tone.{kind}"
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 8000)
    soundfile.write(path, tone, 8000, format=kind.upper(), subtype=subtype)

    pcm = read_speech(path).astype(np.float64)

    assert len(pcm) == pytest.approx(16000, abs=400)
    assert 880 == pytest.approx(int(np.argmax(np.abs(np.fft.rfft(pcm[:16000])))), abs=20)
    assert 0.5 * 32767 / np.sqrt(2) == pytest.approx(pcm.std(), rel=0.06)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 44100, 48000])
def test_blocks_leave_no_seams(tmp_path: Path, rate_hz: int) -> None:
    """
    A recording longer than the blocks it is read in sounds as if it were converted at once.
    """
    samples = np.random.default_rng(5).normal(0, 0.1, 9 * rate_hz + 17).astype(np.float32)
    path = tmp_path / "long.wav"
    soundfile.write(path, samples, rate_hz, subtype="FLOAT")
    common = gcd(rate_hz, 8000)
    whole = resample_poly(samples - samples.mean(), 8000 // common, rate_hz // common)

    pcm = read_speech(path)

    assert np.abs(pcm - np.clip(whole, -1, 1) * 32767).max() <= 1


def test_memory_does_not_grow_with_rate_and_channels(tmp_path: Path) -> None:
    """
    Two minutes of studio sound are 184 MB in 32-bit floats; reading them takes a fifth of that.
    """
    path = tmp_path / "studio.flac"
    block = (np.random.default_rng(6).normal(0, 300, (48000, 8))).astype(np.int16)
    with soundfile.SoundFile(path, "w", 48000, 8, "PCM_16") as stream:
        for _ in range(120):
            stream.write(block)
    read_speech(_write(tmp_path / "first.wav", 48000))  # what is loaded once
    tracemalloc.start()
    try:
        pcm = read_speech(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (120 * 8000,) == pcm.shape
    assert most < 37_000_000


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    """
    One of them in the middle is found before anything is recognised.
    """
    samples = np.zeros(80_000, np.float32)
    samples[50_000] = value
    path = tmp_path / "float.wav"
    soundfile.write(path, samples, 8000, subtype="FLOAT")

    with pytest.raises(
        AudioUnreadableError, match=r"float\.wav: holds samples that are no numbers"
    ):
        read_speech(path)


def _patched(path: Path, at: int, octets: bytes) -> Path:
    """A whole WAV with other octets in its header."""
    _write(path, 8000)
    content = bytearray(path.read_bytes())
    content[at : at + len(octets)] = octets
    path.write_bytes(bytes(content))
    return path


@pytest.mark.parametrize(
    ("name", "at", "octets"),
    [
        ("rate of 1 Hz", 24, struct.pack("<I", 1)),
        ("rate of 4 GHz", 24, struct.pack("<I", 0xFFFFFFF0)),
        ("no rate", 24, struct.pack("<I", 0)),
        ("no channels", 22, struct.pack("<H", 0)),
        ("65535 channels", 22, struct.pack("<H", 0xFFFF)),
        ("unknown encoding", 20, struct.pack("<H", 0x7777)),
        ("no bits", 34, struct.pack("<H", 0)),
        ("2 GB promised", 4, struct.pack("<I", 0x7FFF0000 - 1)),
    ],
)
def test_headers_that_lie_are_refused(tmp_path: Path, name: str, at: int, octets: bytes) -> None:
    """
    Whatever the header claims: one clear line that names the file, at once and in little memory.
    """
    path = _patched(tmp_path / "liar.wav", at, octets)
    tracemalloc.start()
    try:
        with pytest.raises(AudioUnreadableError, match=r"liar\.wav: .*;") as caught:
            read_speech(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert most < 40_000_000


def test_an_hour_is_the_bound(tmp_path: Path) -> None:
    """
    A longer recording is refused by its header, before it is read.
    """
    path = tmp_path / "day.flac"
    with soundfile.SoundFile(path, "w", 8000, 1, "PCM_16") as stream:
        for _ in range(61):
            stream.write(np.zeros(60 * 8000, np.int16))

    with pytest.raises(AudioUnreadableError, match="longer than 3600 s; cut it into pieces"):
        read_speech(path)


@given(octets=st.binary(max_size=400), head=st.sampled_from([b"", b"RIFF\x90\x01\0\0WAVEfmt "]))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_octets_crash_the_reader(tmp_path: Path, octets: bytes, head: bytes) -> None:
    """
    Any file gives samples or an error of ours.
    """
    path = tmp_path / "any.wav"
    path.write_bytes(head + octets)
    try:
        assert read_speech(path).ndim == 1
    except AudioUnreadableError:
        return
