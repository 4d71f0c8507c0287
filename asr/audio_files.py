"""Recordings from disk, as the telephone would have carried them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import FileIO
from itertools import chain
from math import gcd
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr.errors import AudioUnreadableError

LONGEST_SECONDS = 3600.0
"""Longer files are refused, so that memory stays bounded: an hour is 58 MB at 8000 Hz."""
MOST_CHANNELS = 32
LOWEST_HZ, HIGHEST_HZ = 4000, 192_000
"""Rates that recordings of speech have; others are a header's lie."""
_BLOCK_SECONDS = 4
_LEAST_LEFT = 1e-3
"""Of the loudest channel's power, in the mean of channels that do not cancel each other."""
_OPEN_OCTETS = 0x7FFFF000
"""A WAV's size from here on is none: more than a tape of days, or not filled in."""
_CONVERT = "convert it to WAV or FLAC"

Samples = NDArray[np.float32]


def read_speech(path: Path, rate_hz: int = 8000) -> NDArray[np.int16]:
    """Read a recording as mono at one rate, block by block: memory holds the result only.

    Args:
        path: WAV, FLAC, Ogg or whatever else libsndfile reads; any usual rate and channels.
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
    try:
        if not path.stat().st_size:
            raise AudioUnreadableError(path, "the file is empty", "record it again")
        # Twice: the offset of the whole must be known before its first block is used.
        offset = _offset(path)
        with _Recording(path) as recording, soundfile.SoundFile(recording) as stream:
            blocks: Iterator[Samples] = (block - offset for block in _mono_blocks(path, stream))
            if stream.samplerate != rate_hz:
                blocks = _resampled(blocks, stream.samplerate, rate_hz)
            return np.concatenate([_as_pcm(block) for block in blocks])
    except (soundfile.LibsndfileError, RuntimeError, OSError) as error:
        reason = _reason(error)
        raise AudioUnreadableError(path, f"is not readable audio ({reason})", _CONVERT) from None


def _offset(path: Path) -> np.float32:
    """Check a whole file and return its mean."""
    with _Recording(path) as recording, soundfile.SoundFile(recording) as stream:
        expected = int(stream.frames)
        if not LOWEST_HZ <= stream.samplerate <= HIGHEST_HZ:
            reason = f"claims a rate of {stream.samplerate} Hz"
            raise AudioUnreadableError(path, reason, _CONVERT)
        if stream.channels > MOST_CHANNELS:
            reason = f"claims to have {stream.channels} channels"
            raise AudioUnreadableError(path, reason, "convert it to mono")
        if expected > LONGEST_SECONDS * stream.samplerate:
            raise AudioUnreadableError(
                path, f"is longer than {LONGEST_SECONDS:.0f} s", "cut it into pieces"
            )
        total, count = 0.0, 0
        for block in _mono_blocks(path, stream):
            total += float(block.sum(dtype=np.float64))
            count += len(block)
    _check_whole(path, count, expected)
    if not count:
        raise AudioUnreadableError(path, "holds no samples", "record it again")
    return np.float32(total / count)


def _mono_blocks(path: Path, stream: soundfile.SoundFile) -> Iterator[Samples]:
    """Yield the channels' mean in blocks, each shape ``(n,)``."""
    while True:
        block = stream.read(_BLOCK_SECONDS * stream.samplerate, dtype="float32", always_2d=True)
        if not len(block):
            return
        if not np.isfinite(block).all():
            raise AudioUnreadableError(path, "holds samples that are no numbers", _CONVERT)
        yield _mono(block)


def _mono(block: Samples) -> Samples:
    """Return the channels' mean, shape ``(n,)``; the loudest channel where the mean is silence.

    So sounds a recording of which one side was wired the other way round.

    Args:
        block: Shape ``(n, channels)``.
    """
    mean: Samples = block.mean(axis=1, dtype=np.float32)
    if block.shape[1] == 1:
        return mean
    powers = np.square(block - block.mean(axis=0)).mean(axis=0)
    if np.var(mean) >= _LEAST_LEFT * powers.max():
        return mean
    return np.asarray(block[:, int(powers.argmax())], np.float32)


def _resampled(blocks: Iterator[Samples], from_hz: int, to_hz: int) -> Iterator[Samples]:
    """Resample block by block, with as much of the neighbours as the filter sees."""
    # Here: scipy.signal takes a second to import, and most recordings are at our rate.
    from scipy.signal import resample_poly

    common = gcd(from_hz, to_hz)
    up, down = to_hz // common, from_hz // common
    # resample_poly's filter reaches 10 periods of the lower rate; whole steps keep the phase.
    margin = down * -(-(10 * max(up, down) // up + 1) // down)
    held: Samples = np.zeros(margin, np.float32)
    ahead = chain(blocks, [np.zeros(margin, np.float32)])
    for block in ahead:
        held = np.concatenate([held, block])
        whole = (len(held) - 2 * margin) // down * down
        if whole > 0:
            piece = resample_poly(held[: whole + 2 * margin], up, down)
            first = margin // down * up
            yield np.asarray(piece[first : first + whole // down * up], np.float32)
            held = held[whole:]
    rest = len(held) - 2 * margin
    if rest > 0:
        piece = resample_poly(np.concatenate([held, np.zeros(margin, np.float32)]), up, down)
        first = margin // down * up
        yield np.asarray(piece[first : first + -(-rest * up // down)], np.float32)


def _as_pcm(samples: Samples) -> NDArray[np.int16]:
    return np.rint(np.clip(samples, -1, 1) * 32767).astype(np.int16)


def _check_whole(path: Path, read: int, expected: int) -> None:
    """Refuse a file whose header promises more samples than there are."""
    size = path.stat().st_size
    found = _wav_data(path, size)
    # One octet may lack: many programs leave out the one that pads samples of odd length.
    is_short = _promised_octets(path) > size + 1
    if read < expected or is_short or (found is not None and found.begin + found.octets > size):
        raise AudioUnreadableError(path, "is cut short", "copy or record it again")


def _promised_octets(path: Path) -> int:
    """Return the size that a RIFF header promises; 0 when it is no RIFF or was streamed."""
    with path.open("rb") as stream:
        head = stream.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return 0
    size = int.from_bytes(head[4:8], "little")
    return 0 if not size or size >= _OPEN_OCTETS else size + 8


class _WavData(NamedTuple):
    """Where a WAV's samples are.

    Attributes:
        begin: Place of the first octet.
        octets: As the header promises; what there is when it promises nothing.
        is_open: The header promises nothing: it was written to a pipe, or never completed.
    """

    begin: int
    octets: int
    is_open: bool


def _wav_data(path: Path, size: int) -> _WavData | None:
    """Find a WAV's samples; None when the file is no WAV or has none."""
    with path.open("rb") as stream:
        head = stream.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return None
        for name, begin, octets in _chunks(stream, 12, size):
            if name != b"data":
                continue
            # Programs that write to a pipe leave a size of zero or of all ones, or nearly so.
            is_open = octets >= _OPEN_OCTETS or (not octets and _has_samples(stream, begin, size))
            return _WavData(begin, size - begin if is_open else octets, is_open)
    return None


def _chunks(stream: IO[bytes], at: int, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, begin and octets of each chunk from a place on; an odd one is padded."""
    while at + 8 <= size:
        stream.seek(at)
        name, octets = struct.unpack("<4sI", stream.read(8))
        yield name, at + 8, octets
        at += 8 + octets + octets % 2


def _has_samples(stream: IO[bytes], begin: int, size: int) -> bool:
    """Whether what follows an empty data chunk is no sequence of other chunks."""
    end = begin
    for name, at, octets in _chunks(stream, begin, size):
        if not (name.isascii() and name.decode("ascii").isprintable()):
            return True
        end = at + octets
    return end + end % 2 < size


class _Recording(FileIO):
    """A recording whose WAV header, where it promises nothing, promises what there is."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        size = path.stat().st_size
        found = _wav_data(path, size)
        self._place, self._size = 0, b""
        if found is not None and found.is_open:
            self._place = found.begin - 4
            self._size = struct.pack("<I", min(found.octets, _OPEN_OCTETS - 1))

    def readinto(self, buffer: Any) -> int:
        """Read as from the file, with the right size of its samples."""
        begin = self.tell()
        octets = memoryview(buffer).cast("B")
        count = super().readinto(octets) or 0
        for place, octet in enumerate(self._size, self._place):
            if begin <= place < begin + count:
                octets[place - begin] = octet
        return count


def _reason(error: Exception) -> str:
    """Return libsndfile's words without the path, which we name ourselves."""
    return str(error).rsplit(": ", 1)[-1].strip().rstrip(".")[:80] or "unknown format"
