"""Training examples on disk: sound and phone labels, in one NumPy file without pickle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


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
