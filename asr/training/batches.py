"""Which examples a pass hears, and their features, made by worker processes while it trains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch.utils.data import DataLoader, Dataset

from asr.synthetic.telephone import Lines, Surroundings
from asr.training.augmentation import Speakers, heard, varied
from asr.training.examples import Example
from asr.training.network import output_count

_BATCH_FRAMES = 6_500
_FRAME_SAMPLES = 80
_LENGTH_STEP = 30
"""Frames. Few different shapes: torch prepares its kernels anew for each."""
_TIMEOUT_SECONDS = 600.0

Heard = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Features, shape ``(t, 40)``, and phone ids, shape ``(n,)``."""


class Batch:
    """Utterances of about one length, padded by their last frame.

    Args:
        examples: At least one.
    """

    def __init__(self, examples: list[Heard]) -> None:
        longest = max(len(frames) for frames, _ in examples)
        longest += -longest % _LENGTH_STEP
        padded = [np.pad(x, ((0, longest - len(x)), (0, 0)), "edge") for x, _ in examples]
        self.frames = torch.from_numpy(np.stack(padded))
        self.output_counts = torch.tensor([output_count(len(frames)) for frames, _ in examples])
        self.labels = torch.from_numpy(np.concatenate([phones for _, phones in examples]))
        self.label_counts = torch.tensor([len(phones) for _, phones in examples])


class _Line(Dataset[Heard]):
    """Examples over lines that differ in each pass, whichever worker makes them."""

    def __init__(
        self,
        examples: list[Example],
        surroundings: Surroundings,
        lines: Lines,
        speakers: Speakers,
        seeds: tuple[int, ...],
    ) -> None:
        self._examples = examples
        self._surroundings = surroundings
        self._lines = lines
        self._speakers = speakers
        self._seeds = seeds

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> Heard:
        example = self._examples[index]
        rng = np.random.default_rng([*self._seeds, index])
        frames = heard(example, self._surroundings, rng, self._lines)
        return varied(frames, rng, self._lines, self._speakers, example.pace), example.phones


def _one_thread(_: int) -> None:
    threadpool_limits(1)


def _collated(examples: list[Heard]) -> Batch | None:
    # CTC needs an output for each phone and between two that are alike.
    kept = [(x, phones) for x, phones in examples if output_count(len(x)) > len(phones) * 1.1 + 2]
    return Batch(kept) if kept else None


def groups(examples: list[Example], rng: np.random.Generator) -> list[list[int]]:
    """Group examples of like length; the order of the groups is random."""
    lengths = np.array([len(example.audio) / _FRAME_SAMPLES + 60 for example in examples])
    made: list[list[int]] = [[]]
    for index in np.argsort(lengths + rng.uniform(0, 60, len(examples))):
        if made[-1] and (len(made[-1]) + 1) * lengths[index] > _BATCH_FRAMES:
            made.append([])
        made[-1].append(int(index))
    return [made[index] for index in rng.permutation(len(made))]


def batches(
    examples: list[Example],
    order: list[list[int]],
    surroundings: Surroundings,
    lines: Lines,
    speakers: Speakers,
    seeds: tuple[int, ...],
    workers: int,
) -> Iterator[Batch]:
    """Yield the groups with fresh lines and voices.

    Args:
        examples: What is heard.
        order: From :func:`groups`.
        surroundings: Noises and rooms.
        lines: How rough they are.
        speakers: How much they differ.
        seeds: Source of chance, another one for each pass.
        workers: Processes.
    """
    # The matrices of one utterance are small: a second thread would only spin.
    loader = DataLoader(
        _Line(examples, surroundings, lines, speakers, seeds),
        batch_sampler=order,
        num_workers=workers,
        collate_fn=_collated,
        timeout=_TIMEOUT_SECONDS,
        multiprocessing_context="fork",
        worker_init_fn=_one_thread,
    )
    return (batch for batch in cast("Iterator[Batch | None]", iter(loader)) if batch is not None)
