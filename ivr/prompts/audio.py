"""From any recording to what the phone plays: 8000 Hz, mono, 16 bits, one level for all."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ivr.errors import PromptError
from ivr.files.whole import write_whole
from ivr.ports.audio import SAMPLE_RATE_HZ

LEVEL_DBFS = -20.0
"""Of the speech itself, pauses left out; full scale is a sine's peak of 1."""
_PEAK = 0.89
_FRAME_SAMPLES = 160
_FADE_SAMPLES = 40
_LONGEST_SECONDS = 120.0
_SHORTEST_SECONDS = 0.15
_SILENT_DBFS = -55.0

Samples = NDArray[np.float32]


def read_recording(path: Path) -> tuple[Samples, int]:
    """Read a recorded prompt of any rate, width and number of channels.

    Returns:
        Samples, mono, full scale -1..1, shape ``(n,)``; and their rate in Hz.

    Raises:
        PromptError: Not audio, too short, too long, silent, or of too low a rate.
    """
    remedy = "save it as WAV, 16 bits, mono, 8000 Hz or more"
    try:
        about = soundfile.info(str(path))
        seconds = about.frames / about.samplerate if about.samplerate else 0.0
        if seconds > _LONGEST_SECONDS:
            raise PromptError(
                f"{path}: lasts {seconds:.0f} s; callers do not wait that long, "
                f"cut it to {_LONGEST_SECONDS:.0f} s at most"
            )
        samples, rate_hz = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError, RuntimeError, ValueError, MemoryError):
        raise PromptError(f"{path}: is not a readable recording; {remedy}") from None
    if rate_hz < SAMPLE_RATE_HZ:
        raise PromptError(f"{path}: has a rate of {rate_hz} Hz; {remedy}")
    if len(samples) < rate_hz * _SHORTEST_SECONDS:
        raise PromptError(
            f"{path}: lasts only {len(samples) / rate_hz:.2f} s; record it again, or remove the "
            "file to hear the embedded prompt"
        )
    if not np.isfinite(samples).all():
        raise PromptError(f"{path}: holds samples that are no numbers; {remedy}")
    mono = samples.mean(axis=1, dtype=np.float32)
    if samples.shape[1] > 1:
        loudest = samples[:, int(np.argmax(np.square(samples).sum(axis=0)))]
        # Channels in opposite phase cancel out in a mean.
        if _rms(mono) < 0.5 * _rms(loudest):
            mono = loudest
    if speech_level_dbfs(mono, int(rate_hz)) < _SILENT_DBFS:
        raise PromptError(
            f"{path}: is silent; record it again, or remove the file to hear the embedded prompt"
        )
    return np.ascontiguousarray(mono), int(rate_hz)


def prepare(samples: Samples, rate_hz: int) -> Samples:
    """Resample to 8000 Hz, trim the silent edges and set the level.

    Args:
        samples: Mono, full scale -1..1, shape ``(n,)``, not silent.
        rate_hz: 8000 or more.

    Returns:
        8000 Hz, shape ``(m,)``, no sample above 0.89.
    """
    if rate_hz != SAMPLE_RATE_HZ:
        common = math.gcd(rate_hz, SAMPLE_RATE_HZ)
        # Here: scipy.signal takes a second to import, and prepared prompts need none of it.
        from scipy.signal import resample_poly

        samples = resample_poly(samples, SAMPLE_RATE_HZ // common, rate_hz // common).astype(
            np.float32
        )
    samples = samples - np.float32(samples.mean())
    samples = _trimmed(samples)
    gain = 10 ** ((LEVEL_DBFS - speech_level_dbfs(samples, SAMPLE_RATE_HZ)) / 20)
    peak = float(np.abs(samples).max(initial=1e-9))
    levelled: Samples = (samples * min(gain, _PEAK / peak)).astype(np.float32)
    return levelled


def speech_level_dbfs(samples: Samples, rate_hz: int) -> float:
    """Level of the speech in ``samples``, its pauses left out; -120 for digital silence."""
    powers = _frame_powers(samples, rate_hz)
    loudest = float(powers.max(initial=0.0))
    if loudest <= 1e-12:
        return -120.0
    return 10 * math.log10(float(powers[powers >= loudest * 10**-3].mean()))


def silence(milliseconds: int) -> Samples:
    """Digital silence at 8000 Hz."""
    return np.zeros(SAMPLE_RATE_HZ * milliseconds // 1000, dtype=np.float32)


def joined(parts: Sequence[Samples]) -> Samples:
    """Parts in a row."""
    return np.concatenate(parts)


def write_wav(path: Path, samples: Samples) -> None:
    """Write 8000 Hz mono 16-bit PCM; whoever reads ``path`` finds a whole file or none.

    Raises:
        PromptError: The folder cannot be written.
    """
    pcm = np.clip(np.rint(samples * 32767.0), -32768, 32767).astype("<i2")
    whole = io.BytesIO()
    with wave.open(whole, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE_HZ)
        wav.writeframes(pcm.tobytes())
    try:
        write_whole(path, whole.getbuffer())
    except OSError as error:
        raise PromptError(
            f"{path.parent}: prompts cannot be written: {error.strerror}; free some space, or "
            "give the folder to this user"
        ) from None


def wav_seconds(path: Path) -> float | None:
    """Duration of a file that :func:`write_wav` wrote; ``None`` when it is missing or damaged."""
    try:
        with wave.open(str(path), "rb") as wav:
            shape = (wav.getnchannels(), wav.getsampwidth(), wav.getframerate())
            count = wav.getnframes()
        # A header is written before its samples: the size must agree.
        if shape != (1, 2, SAMPLE_RATE_HZ) or path.stat().st_size < 44 + 2 * count or not count:
            return None
    except (OSError, EOFError, wave.Error):
        return None
    return count / SAMPLE_RATE_HZ


def _trimmed(samples: Samples) -> Samples:
    """Cut silent edges 45 dB below the loudest frame, but 20 ms; fade what was cut."""
    powers = _frame_powers(samples, SAMPLE_RATE_HZ)
    loud = np.flatnonzero(powers >= powers.max(initial=0.0) * 10**-4.5)
    if not len(loud):
        return samples
    start = max(0, int(loud[0]) * _FRAME_SAMPLES - _FRAME_SAMPLES)
    end = min(len(samples), (int(loud[-1]) + 2) * _FRAME_SAMPLES)
    kept = samples[start:end].copy()
    fade = min(_FADE_SAMPLES, len(kept) // 2)
    ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
    kept[:fade] *= ramp
    kept[len(kept) - fade :] *= ramp[::-1]
    return kept


def _frame_powers(samples: Samples, rate_hz: int) -> NDArray[np.float64]:
    frame = max(1, rate_hz // 50)
    count = max(1, len(samples) // frame)
    whole = samples[: count * frame].astype(np.float64)
    return np.asarray(np.square(whole).reshape(count, -1).mean(axis=1))


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.square(samples, dtype=np.float64).mean())) if len(samples) else 0.0
