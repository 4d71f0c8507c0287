"""Training examples on disk: sound and phone labels, in one NumPy file without pickle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.training.features import RATE_HZ

_FEWEST_PHONES = 6
_PACE_SAMPLES = 80
_QUIET_DB = 26.0
"""So far below the loudest parts, nobody speaks."""


@dataclass(frozen=True, slots=True)
class Example:
    """One utterance before it enters a telephone line.

    Attributes:
        audio: Shape ``(n,)``, int16, 8000 Hz.
        phones: Phone ids in order; empty for noise.
        source: ``callers``, ``humans``, ``voices``, ``foreign`` or ``noise``, with a detail (voice,
            speaker, language) after ``/``.
    """

    audio: NDArray[np.int16]
    phones: NDArray[np.int64]
    source: str

    @property
    def kind(self) -> str:
        """The part of the source before the slash."""
        return self.source.partition("/")[0]

    @property
    def detail(self) -> str:
        """The part of the source after the slash."""
        return self.source.partition("/")[2]

    @property
    def pace(self) -> float:
        """Phones per second of speech; 0 where phones are not known one by one."""
        is_known = self.kind != "foreign" and len(self.phones) >= _FEWEST_PHONES
        if not is_known or len(self.audio) < _PACE_SAMPLES:
            return 0.0
        whole: int = len(self.audio) // _PACE_SAMPLES * _PACE_SAMPLES
        parts = self.audio[:whole].astype(np.float32).reshape(-1, _PACE_SAMPLES)
        level_db = 20 * np.log10(np.sqrt((parts**2).mean(axis=1)) + 1)
        spoken = int(np.count_nonzero(level_db > np.quantile(level_db, 0.95) - _QUIET_DB))
        return float(len(self.phones) * RATE_HZ / (max(1, spoken) * _PACE_SAMPLES))


def to_int16(audio: NDArray[np.float32]) -> NDArray[np.int16]:
    """Turn sound of full scale ±1 into 16 bits."""
    return np.rint(np.clip(audio, -1, 1) * 32767).astype(np.int16)


def save_examples(path: Path, examples: Iterable[Example]) -> int:
    """Write examples of a tenth of a second or more; return how many."""
    kept = [example for example in examples if len(example.audio) > 800]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        audio=np.concatenate([example.audio for example in kept]),
        sample_counts=np.array([len(example.audio) for example in kept]),
        phones=np.concatenate([example.phones for example in kept]).astype(np.int64),
        phone_counts=np.array([len(example.phones) for example in kept]),
        sources=np.array([example.source for example in kept], dtype=np.str_),
    )
    return len(kept)


def load_examples(path: Path) -> list[Example]:
    """Read what :func:`save_examples` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        audio, phones = stored["audio"], stored["phones"]
        sample_ends = np.cumsum(stored["sample_counts"])
        phone_ends = np.cumsum(stored["phone_counts"])
        sources = stored["sources"]
    samples = np.split(audio, sample_ends[:-1])
    labels = np.split(phones, phone_ends[:-1])
    return [
        Example(sound, label, str(source))
        for sound, label, source in zip(samples, labels, sources, strict=True)
    ]
