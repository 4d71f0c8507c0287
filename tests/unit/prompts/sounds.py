"""Sound to make recordings of, and the sound of prepared prompts."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def tone(seconds: float, rate_hz: int, level: float = 0.3) -> NDArray[np.float32]:
    """A steady 440 Hz, full scale 1."""
    moments = np.arange(int(seconds * rate_hz)) / rate_hz
    return (level * np.sin(2 * np.pi * 440 * moments)).astype(np.float32)


def pcm(paths: tuple[Path, ...]) -> NDArray[np.int16]:
    """What callers hear of these files, one after the other, 8 kHz."""
    parts = []
    for path in paths:
        with wave.open(str(path), "rb") as wav:
            assert (1, 2, 8000) == (wav.getnchannels(), wav.getsampwidth(), wav.getframerate())
            parts.append(np.frombuffer(wav.readframes(wav.getnframes()), "<i2"))
    return np.concatenate(parts)
