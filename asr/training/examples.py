"""Training examples on disk: features and phone labels, in one NumPy file without pickle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Example:
    """One utterance as the network sees it.

    Attributes:
        frames: Shape ``(t, 40)``, float16, log-mel.
        phones: Phone ids in order; empty for noise.
        source: ``callers``, ``humans``, ``foreign`` or ``noise``, with a detail after ``/``.
    """

    frames: NDArray[np.float16]
    phones: NDArray[np.int64]
    source: str


def save_examples(path: Path, examples: Iterable[Example]) -> int:
    """Write examples; return how many."""
    kept = [example for example in examples if len(example.frames) > 10]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        frames=np.concatenate([example.frames for example in kept]),
        frame_counts=np.array([len(example.frames) for example in kept]),
        phones=np.concatenate([example.phones for example in kept]).astype(np.int64),
        phone_counts=np.array([len(example.phones) for example in kept]),
        sources=np.array([example.source for example in kept], dtype=np.str_),
    )
    return len(kept)


def load_examples(path: Path) -> list[Example]:
    """Read what :func:`save_examples` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        frames, phones = stored["frames"], stored["phones"]
        frame_ends = np.cumsum(stored["frame_counts"])
        phone_ends = np.cumsum(stored["phone_counts"])
        sources = stored["sources"]
    return [
        Example(
            frames[end - count : end],
            phones[phone_end - phone_count : phone_end],
            str(source),
        )
        for end, count, phone_end, phone_count, source in zip(
            frame_ends,
            np.diff(frame_ends, prepend=0),
            phone_ends,
            np.diff(phone_ends, prepend=0),
            sources,
            strict=True,
        )
    ]
