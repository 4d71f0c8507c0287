"""Utterances on disk: written whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ivr.audio.errors import AudioWriteError
from ivr.errors import AudioFormatError
from ivr.files.whole import write_whole
from ivr.ports.audio import SAMPLE_RATE_HZ

_FORMATS = {".flac": "FLAC", ".wav": "WAV"}


def write(path: Path, pcm: NDArray[np.int16]) -> None:
    """Write a recording, whole or not at all.

    Args:
        path: Ends in ``.flac`` or ``.wav``; its folder exists. An old file is replaced.
        pcm: Mono 8000 Hz, shape ``(samples,)``; may be empty.

    Raises:
        AudioWriteError: Disk full, folder missing or not writable; nothing is left behind.
        AudioFormatError: Other suffix, or samples that are not mono int16.
    """
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise AudioFormatError(f"{path}: recordings end in .flac or .wav; rename it")
    if pcm.ndim != 1 or pcm.dtype != np.int16:
        raise AudioFormatError(f"{path}: need mono int16 samples, got {pcm.dtype} {pcm.shape}")
    # Encoded in memory (a turn is under a megabyte): libsndfile would hide a disk's errors.
    encoded = io.BytesIO()
    soundfile.write(encoded, pcm, SAMPLE_RATE_HZ, subtype="PCM_16", format=kind)
    try:
        write_whole(path, encoded.getbuffer())
    except OSError as error:
        raise AudioWriteError(
            f"{path}: cannot write the recording ({_reason(error)}); "
            "free disk space or make the folder writable for this user"
        ) from error


def read(path: Path) -> NDArray[np.int16]:
    """Read a recording as it was written.

    Returns:
        Mono 8000 Hz, shape ``(samples,)``.

    Raises:
        AudioFormatError: Missing, damaged, or of another rate or number of channels.
    """
    try:
        pcm, rate = soundfile.read(path, dtype="int16", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioFormatError(
            f"{path}: not a readable recording ({_reason(error)}); give a FLAC or WAV file"
        ) from None
    if rate != SAMPLE_RATE_HZ or pcm.shape[1] != 1:
        raise AudioFormatError(
            f"{path}: {rate} Hz with {pcm.shape[1]} channels; "
            f"convert it to {SAMPLE_RATE_HZ} Hz mono"
        )
    mono: NDArray[np.int16] = pcm[:, 0]
    return mono


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
