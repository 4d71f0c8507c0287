"""espeak-ng as caller and as pronouncing dictionary."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

from asr.synthetic.phones import tidy

RATE_HZ = 8000
_TIMEOUT_SECONDS = 120
_ENTRIES_AT_ONCE = 2000


class Spoken(NamedTuple):
    """One utterance of an espeak-ng caller.

    Attributes:
        audio: Shape ``(n,)``, float32, 8000 Hz, full scale ±1.
        groups: Phones, one tuple for each word as espeak-ng divides them.
    """

    audio: NDArray[np.float32]
    groups: tuple[tuple[str, ...], ...]


def speak(text: str, voice: str = "nl", rate: int = 175, pitch: int = 50) -> Spoken:
    """Let espeak-ng say a sentence.

    Args:
        text: What to say.
        voice: ``nl`` or a variant such as ``nl+f2``.
        rate: Words a minute.
        pitch: 0..99; 50 is the voice's own.

    Raises:
        OSError: espeak-ng is not installed.
        subprocess.SubprocessError: It failed or took longer than two minutes.
    """
    with tempfile.TemporaryDirectory(prefix="wegwijs-say-") as folder:
        wav = Path(folder) / "said.wav"
        command = ["espeak-ng", "-v", voice, "-s", str(rate), "-p", str(pitch), "-x", "--sep=_"]
        done = subprocess.run(
            [*command, "-w", str(wav), "--", text],
            check=True, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS,
        )  # fmt: skip
        audio, rate_hz = soundfile.read(wav, dtype="float32")
    narrow = resample_poly(audio, 160, 441) if rate_hz == 22050 else _to_8k(audio, rate_hz)
    return Spoken(np.asarray(narrow, np.float32), _groups(done.stdout))


def pronounce(entries: Sequence[str], voice: str = "nl") -> list[tuple[str, ...]]:
    """Return the phones of each entry, said alone.

    Raises:
        ValueError: espeak-ng did not answer line for line.
    """
    told: list[tuple[str, ...]] = []
    for start in range(0, len(entries), _ENTRIES_AT_ONCE):
        asked = entries[start : start + _ENTRIES_AT_ONCE]
        done = subprocess.run(
            ["espeak-ng", "-v", voice, "-q", "-x", "--sep=_"],
            input="\n".join(asked), check=True, capture_output=True, text=True,
            timeout=_TIMEOUT_SECONDS,
        )  # fmt: skip
        lines = done.stdout.splitlines()
        if len(lines) != len(asked):
            raise ValueError(f"espeak-ng gave {len(lines)} lines for {len(asked)} entries")
        told.extend(tuple(phone for group in _groups(line) for phone in group) for line in lines)
    return told


def _groups(line: str) -> tuple[tuple[str, ...], ...]:
    return tuple(phones for word in line.split() if (phones := tidy(word)))


def _to_8k(audio: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    common = int(np.gcd(RATE_HZ, rate_hz))
    return np.asarray(resample_poly(audio, RATE_HZ // common, rate_hz // common), np.float32)
