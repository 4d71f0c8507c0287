"""CTC training with progress, remaining time, checkpoints and resume."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from asr.training.augmentation import MelAugmenter, noise_bank
from asr.training.card import add_facts
from asr.training.examples import Example, load_examples
from asr.training.network import AcousticNetwork, output_count
from asr.training.settings import Settings
from asr.training.telephone import load_surroundings

CHECKPOINT_FILE = "checkpoint.pt"
NETWORK_FILE = "network.pt"
_BATCH_FRAMES = 6_500
_PEAK_RATE = 2.5e-3
_WARM_UP = 0.08
"""Share of the steps in which the learning rate rises; it then falls to zero as a cosine."""
_QUEUE_TIMEOUT_SECONDS = 600.0
_AVERAGE_DECAY = 0.997
"""Of the running average of weights that is exported: it reads better than the last step's, so
that a model can be taken from an unfinished training."""


class Batch:
    """Utterances of about one length, padded by their last frame."""

    def __init__(self, features: list[NDArray[np.float32]], labels: list[NDArray[np.int64]]):
        longest = max(len(frames) for frames in features)
        padded = np.stack(
            [np.pad(frames, ((0, longest - len(frames)), (0, 0)), "edge") for frames in features]
        )
        self.frames = torch.from_numpy(padded)
        self.output_counts = torch.tensor([output_count(len(frames)) for frames in features])
        self.labels = torch.from_numpy(np.concatenate(labels))
        self.label_counts = torch.tensor([len(label) for label in labels])


def batches(examples: list[Example], rng: np.random.Generator) -> list[list[int]]:
    """Group examples of like length; the order of the groups is random."""
    jitter = rng.uniform(0, 60, len(examples))
    order = np.argsort([len(example.frames) + jitter[i] for i, example in enumerate(examples)])
    groups: list[list[int]] = [[]]
    for index in order:
        longest = len(examples[index].frames)
        if groups[-1] and (len(groups[-1]) + 1) * longest > _BATCH_FRAMES:
            groups.append([])
        groups[-1].append(int(index))
    shuffled: list[list[int]] = [groups[i] for i in rng.permutation(len(groups))]
    return shuffled


def _prepared(
    examples: list[Example], groups: list[list[int]], augment: MelAugmenter
) -> Iterator[Batch]:
    """Augment in a second thread, a few batches ahead of the training."""
    queue: Queue[Batch | BaseException | None] = Queue(maxsize=6)

    def produce() -> None:
        try:
            for group in groups:
                features: list[NDArray[np.float32]] = []
                labels: list[NDArray[np.int64]] = []
                for index in group:
                    frames = augment(examples[index].frames.astype(np.float32))
                    if output_count(len(frames)) > len(examples[index].phones) * 1.1 + 2:
                        features.append(frames)
                        labels.append(examples[index].phones)
                if features:
                    queue.put(Batch(features, labels), timeout=_QUEUE_TIMEOUT_SECONDS)
            queue.put(None, timeout=_QUEUE_TIMEOUT_SECONDS)
        except BaseException as error:
            queue.put(error)

    Thread(target=produce, name="augment", daemon=True).start()
    while (item := queue.get(timeout=_QUEUE_TIMEOUT_SECONDS)) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item


def edit_distance(said: list[int], heard: list[int]) -> int:
    """Return the least number of insertions, deletions and substitutions between two lists."""
    row = list(range(len(heard) + 1))
    for i, wanted in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, got in enumerate(heard, 1):
            cost = min(row[j] + 1, row[j - 1] + 1, diagonal + (wanted != got))
            diagonal, row[j] = row[j], cost
    return row[-1]


def phone_error(network: AcousticNetwork, examples: list[Example], device: str) -> float:
    """Return phone errors per phone of the greedy reading, 0..1 and above."""
    network.eval()
    errors = total = 0
    with torch.no_grad():
        for example in examples:
            frames = torch.from_numpy(example.frames.astype(np.float32))[None].to(device)
            best = network(frames)[0].argmax(1).tolist()
            heard = [p for i, p in enumerate(best) if p and (not i or best[i - 1] != p)]
            errors += edit_distance(example.phones.tolist(), heard)
            total += len(example.phones)
    network.train()
    return errors / max(1, total)


def _statistics(examples: list[Example], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    chosen = rng.choice(len(examples), min(500, len(examples)), replace=False)
    frames = np.concatenate([examples[i].frames for i in chosen]).astype(np.float32)
    frames = frames[frames.mean(axis=1) > 0]  # digital silence says nothing about levels
    return torch.from_numpy(frames.mean(axis=0)), torch.from_numpy(1 / (frames.std(axis=0) + 0.1))


def _load(work_dir: Path, name: str) -> list[Example]:
    path = work_dir / f"{name}.npz"
    return load_examples(path) if path.is_file() else []


def _learning_rate(progress: float) -> float:
    if progress < _WARM_UP:
        return _PEAK_RATE * (0.04 + 0.96 * progress / _WARM_UP)
    fall = math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP))
    return _PEAK_RATE * 0.5 * (1 + fall) + 2e-6


def train(settings: Settings, *, resume: bool = True, start_from: Path | None = None) -> Path:
    """Train the network on the examples in the work folder.

    Args:
        settings: Width, epochs, seed, folders.
        resume: Go on from the checkpoint, if there is one.
        start_from: A trained network whose weights are the beginning.

    Returns:
        The path of the trained network.

    Raises:
        FileNotFoundError: The examples have not been made.
    """
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rng = np.random.default_rng([settings.seed, 3])
    examples = [*_load(settings.work_dir, "callers"), *_load(settings.work_dir, "humans")]
    if not examples:
        raise FileNotFoundError(
            f"{settings.work_dir}: no examples; run: python -m asr.training callers humans"
        )
    checks = {name: _load(settings.work_dir, name)[:100] for name in ("held_out", "dev")}
    network = AcousticNetwork(settings.width)
    network.mean, network.scale = _statistics(examples, rng)
    if start_from is not None:
        network.load_state_dict(torch.load(start_from, weights_only=True)["network"])
    network.to(device)
    augment = MelAugmenter(noise_bank(load_surroundings(settings.data_dir / "noise"), rng), rng)
    decay = get_ema_multi_avg_fn(_AVERAGE_DECAY)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_PEAK_RATE, weight_decay=1e-2)
    first_epoch = 0
    checkpoint = settings.work_dir / CHECKPOINT_FILE
    target = settings.work_dir / NETWORK_FILE
    if resume and checkpoint.is_file():
        state: dict[str, Any] = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        first_epoch = state["epoch"] + 1
        rng = np.random.default_rng([settings.seed, 4, first_epoch])
    hours = sum(len(example.frames) for example in examples) / 360_000
    weights = sum(p.numel() for p in network.parameters()) / 1e6
    print(f"{len(examples)} examples, {hours:.1f} h, {weights:.2f} M weights, {device}", flush=True)
    began = time.monotonic()
    for epoch in range(first_epoch, settings.epochs):
        heard = [
            example
            for example in examples
            if not example.source.startswith("humans") or rng.random() < settings.human_share
        ]
        groups = batches(heard, rng)
        epoch_began = time.monotonic()
        losses: list[float] = []
        for step, batch in enumerate(_prepared(heard, groups, augment)):
            rate = _learning_rate((epoch + step / len(groups)) / settings.epochs)
            losses.append(_one_step(network, optimiser, batch, rate, device))
            average.update_parameters(network)
            if step % 100 == 99:
                rest = (time.monotonic() - epoch_began) * (len(groups) - step) / (step + 1) / 60
                mean = np.mean(losses[-100:])
                print(
                    f"  step {step + 1}/{len(groups)}: loss {mean:.3f}, {rest:.1f} min", flush=True
                )
        state = {
            "network": network.state_dict(),
            "average": average.state_dict(),
            "optimiser": optimiser.state_dict(),
            "epoch": epoch,
        }
        torch.save(state, checkpoint)
        averaged = cast(AcousticNetwork, average.module)
        torch.save({"network": averaged.state_dict(), "width": settings.width}, target)
        spent = time.monotonic() - began
        left = spent / (epoch - first_epoch + 1) * (settings.epochs - epoch - 1)
        errors = {name: phone_error(averaged, found, device) for name, found in checks.items()}
        shown = ", ".join(f"{name} {100 * error:.1f} %" for name, error in errors.items())
        print(
            f"epoch {epoch + 1}/{settings.epochs}: loss {np.mean(losses):.3f}, "
            f"phone errors {shown}; {spent / 60:.1f} min spent, {left / 60:.0f} min left",
            flush=True,
        )
    add_facts(
        settings.work_dir,
        epochs=settings.epochs,
        human_percent=round(100 * settings.human_share),
    )
    return target


def _one_step(
    network: AcousticNetwork,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    rate: float,
    device: str,
) -> float:
    for parameters in optimiser.param_groups:
        parameters["lr"] = rate
    with torch.autocast(device, dtype=torch.bfloat16):
        log_probabilities = network(batch.frames.to(device))
    each = nn.functional.ctc_loss(
        log_probabilities.transpose(0, 1),
        batch.labels,
        batch.output_counts,
        batch.label_counts,
        reduction="none",
        zero_infinity=True,
    )
    # For each output, not for each label: noise has no label and would outweigh all speech.
    loss = (each / batch.output_counts.to(each.device)).mean()
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimiser.step()
    return float(loss.item())


def load_network(path: Path) -> AcousticNetwork:
    """Read a trained network, ready to run."""
    state = torch.load(path, weights_only=True, map_location="cpu")
    network = AcousticNetwork(state["width"])
    network.load_state_dict(state["network"])
    return network.eval()
