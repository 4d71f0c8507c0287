"""Recordings from disk, as the telephone would have carried them."""

from __future__ import annotations

from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr.errors import AudioUnreadableError

LONGEST_SECONDS = 3600.0
"""Longer files are refused, so that memory stays bounded: one hour is 115 MB of float32."""
_CONVERT = "convert it to WAV or FLAC"


def read_speech(path: Path, rate_hz: int = 8000) -> NDArray[np.int16]:
    """Read a recording as mono at one rate.

    Args:
        path: WAV, FLAC, Ogg or whatever else libsndfile reads; any rate, any number of channels.
        rate_hz: Rate wanted.

    Returns:
        Shape ``(n,)``; channels are averaged, a constant offset is removed.

    Raises:
        AudioUnreadableError: The file is absent, empty, cut short, no audio, or too long.
    """
    if not path.exists():
        raise AudioUnreadableError(path, "there is no such file", "check the path")
    if not path.is_file():
        raise AudioUnreadableError(path, "is not a file", "name a recording")
    if not path.stat().st_size:
        raise AudioUnreadableError(path, "the file is empty", "record it again")
    try:
        with soundfile.SoundFile(path) as stream:
            source_hz = int(stream.samplerate)
            expected = int(stream.frames)
            if expected > LONGEST_SECONDS * source_hz:
                raise AudioUnreadableError(
                    path, f"is longer than {LONGEST_SECONDS:.0f} s", "cut it into pieces"
                )
            audio = stream.read(dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, OSError) as error:
        reason = _reason(error)
        raise AudioUnreadableError(path, f"is not readable audio ({reason})", _CONVERT) from None
    _check_whole(path, len(audio), expected)
    if not len(audio):
        raise AudioUnreadableError(path, "holds no samples", "record it again")
    if not np.isfinite(audio).all():
        raise AudioUnreadableError(path, "holds samples that are no numbers", _CONVERT)
    mono = audio.mean(axis=1)
    mono -= mono.mean()
    if source_hz != rate_hz:
        common = gcd(source_hz, rate_hz)
        # Here: scipy.signal takes a second to import, and most recordings are at our rate.
        from scipy.signal import resample_poly

        mono = resample_poly(mono, rate_hz // common, source_hz // common)
    pcm: NDArray[np.int16] = np.rint(np.clip(mono, -1, 1) * 32767).astype(np.int16)
    return pcm


def _check_whole(path: Path, read: int, expected: int) -> None:
    """Refuse a file whose header promises more than there is."""
    promised = _promised_octets(path)
    if read < expected or (promised and path.stat().st_size < promised):
        raise AudioUnreadableError(path, "is cut short", "copy or record it again")


def _promised_octets(path: Path) -> int:
    """Return the size that a RIFF header promises; 0 when it is no RIFF or was streamed."""
    with path.open("rb") as stream:
        head = stream.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return 0
    size = int.from_bytes(head[4:8], "little")
    # Programs that write to a pipe leave a size of zero or of all ones.
    return 0 if size in (0, 0xFFFFFFFF) or size >= 0x7FFFF000 else size + 8


def _reason(error: Exception) -> str:
    """Return libsndfile's words without the path, which we name ourselves."""
    return str(error).rsplit(": ", 1)[-1].strip().rstrip(".")[:80] or "unknown format"
