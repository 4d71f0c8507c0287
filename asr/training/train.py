"""CTC training with progress, remaining time, checkpoints and resume.

It has three stages. The first hears callers only; the second hears people too, over rough lines,
and begins where the first ended, so that leaving out a speaker (:mod:`asr.training.unseen`) repeats
what follows alone. The last settles, at a lower rate, on ordinary lines and on speakers who differ
more: what rough lines cost on good ones comes back, what they taught stays, and a person never
heard, who speaks faster or slower than those of the recordings, is understood better.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from asr.synthetic.telephone import ORDINARY, ROUGH, Lines, Surroundings, load_surroundings
from asr.training.augmentation import ALIKE, DIVERSE, Speakers, heard
from asr.training.batches import Batch, batches, groups
from asr.training.card import add_facts
from asr.training.examples import Example, load_examples
from asr.training.network import AcousticNetwork
from asr.training.settings import Settings

CALLERS_STAGE = "callers"
PEOPLE_STAGE = "people"
SETTLING_STAGE = "settled"
_PEAK_RATE = 2.5e-3
_SETTLING_RATE = 1.2e-3
_WARM_UP = 0.06
"""Share of the steps in which the learning rate rises; it then falls to zero as a cosine."""
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""Source: glibc's ``malloc.h``."""
_AVERAGE_DECAY = 0.998
"""Of the running average of weights that is exported: it reads better than the last step's, so
that a model can be taken from an unfinished training."""


def network_file(work_dir: Path, stage: str) -> Path:
    """Return where a stage's trained network is kept."""
    return work_dir / f"{stage}.pt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What one stage hears.

    Attributes:
        name: Of its files in the work folder.
        epochs: Passes; the learning rate falls to zero over them.
        shares: How often each pass hears the examples of a kind: 0.4 for a random part of them, 2
            for each one twice, over two lines.
        lines: How rough they are.
        speakers: How much they differ from those of the examples.
        seed: Source of chance.
        peak_rate: Highest learning rate.
    """

    name: str
    epochs: int
    shares: dict[str, float]
    lines: Lines
    speakers: Speakers
    seed: int
    peak_rate: float = _PEAK_RATE

    def choose(self, examples: list[Example], rng: np.random.Generator) -> list[Example]:
        """Return what one pass hears."""
        chosen: list[Example] = []
        for example in examples:
            share = self.shares.get(example.kind, 1.0)
            chosen.extend([example] * int(share + rng.random()))
        return chosen


def callers_stage(settings: Settings) -> Stage:
    """Return the first stage: callers, other languages and noise."""
    return Stage(
        name=CALLERS_STAGE,
        epochs=settings.caller_epochs,
        shares={},
        lines=ORDINARY,
        speakers=ALIKE,
        seed=settings.seed,
    )


def people_stage(settings: Settings, name: str = PEOPLE_STAGE, epochs: int = 0) -> Stage:
    """Return the second stage.

    Args:
        settings: Shares and epochs.
        name: Of its files.
        epochs: Other than the setting's, when positive.
    """
    shares = {
        "callers": settings.caller_share,
        "humans": settings.human_share,
        "voices": settings.voice_share,
    }
    return Stage(
        name=name,
        epochs=epochs or settings.epochs,
        shares=shares,
        lines=ROUGH,
        speakers=ALIKE,
        seed=settings.seed + 1,
    )


def settling_stage(settings: Settings, name: str = SETTLING_STAGE) -> Stage:
    """Return the last stage.

    Args:
        settings: Shares and epochs.
        name: Of its files.
    """
    shares = {
        "callers": settings.caller_share,
        "humans": settings.settling_human_share,
        "voices": settings.settling_voice_share,
    }
    return Stage(
        name=name,
        epochs=settings.settling_epochs,
        shares=shares,
        lines=ORDINARY,
        speakers=DIVERSE,
        seed=settings.seed + 2,
        peak_rate=_SETTLING_RATE,
    )


def edit_distance(said: list[int], heard: list[int]) -> int:
    """Return the least number of insertions, deletions and substitutions between two lists."""
    row = list(range(len(heard) + 1))
    for i, wanted in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, got in enumerate(heard, 1):
            cost = min(row[j] + 1, row[j - 1] + 1, diagonal + (wanted != got))
            diagonal, row[j] = row[j], cost
    return row[-1]


class PhoneErrors:
    """Counts phone errors of the greedy reading, on lines that stay the same.

    Args:
        examples: What is read.
        surroundings: Noises and rooms of the lines.
        seed: Source of chance.
    """

    def __init__(self, examples: list[Example], surroundings: Surroundings, seed: int) -> None:
        self._phones = [example.phones.tolist() for example in examples]
        self._frames = [
            torch.from_numpy(heard(example, surroundings, np.random.default_rng([seed, 9, index])))
            for index, example in enumerate(examples)
        ]

    def of(self, network: AcousticNetwork, device: str) -> float:
        """Return errors per phone, 0..1 and above."""
        network.eval()
        errors = 0
        with torch.no_grad():
            for frames, phones in zip(self._frames, self._phones, strict=True):
                best = network(frames[None].to(device))[0].argmax(1).tolist()
                found = [p for i, p in enumerate(best) if p and (not i or best[i - 1] != p)]
                errors += edit_distance(phones, found)
        network.train()
        return errors / max(1, sum(len(phones) for phones in self._phones))


def _statistics(
    examples: list[Example], surroundings: Surroundings, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    chosen = rng.choice(len(examples), min(500, len(examples)), replace=False)
    frames = np.concatenate([heard(examples[i], surroundings, rng) for i in chosen])
    frames = frames[frames.mean(axis=1) > 0]  # digital silence says nothing about levels
    return torch.from_numpy(frames.mean(axis=0)), torch.from_numpy(1 / (frames.std(axis=0) + 0.1))


def load_set(work_dir: Path, name: str) -> list[Example]:
    """Read a set of examples; empty when it was not made."""
    path = work_dir / f"{name}.npz"
    return load_examples(path) if path.is_file() else []


def _learning_rate(progress: float, peak: float) -> float:
    if progress < _WARM_UP:
        return peak * (0.04 + 0.96 * progress / _WARM_UP)
    fall = math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP))
    return peak * 0.5 * (1 + fall) + 2e-6


def train(settings: Settings) -> Path:
    """Train all stages on the examples in the work folder; goes on from a checkpoint.

    Returns:
        The path of the trained network.

    Raises:
        FileNotFoundError: The examples have not been made.
    """
    callers = load_set(settings.work_dir, "callers")
    if not callers:
        raise FileNotFoundError(
            f"{settings.work_dir}: no examples; run: python -m asr.training callers humans"
        )
    first = train_stage(settings, callers_stage(settings), callers, start_from=None)
    humans = load_set(settings.work_dir, "humans")
    examples = [*callers, *humans]
    second = train_stage(settings, people_stage(settings), examples, start_from=first)
    path = train_stage(settings, settling_stage(settings), examples, start_from=second)
    add_facts(
        settings.work_dir,
        caller_epochs=settings.caller_epochs,
        epochs=settings.epochs,
        unseen_epochs=settings.unseen_epochs,
        settling_epochs=settings.settling_epochs,
        caller_percent=round(100 * settings.caller_share),
        human_share=settings.human_share,
        voice_percent=round(100 * settings.voice_share),
    )
    return path


def _keep_memory() -> None:
    """Let glibc keep freed memory: giving it back after each step costs a third of the time."""
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def train_stage(
    settings: Settings, stage: Stage, examples: list[Example], *, start_from: Path | None
) -> Path:
    """Train one stage, unless it is done; goes on from its checkpoint.

    Args:
        settings: Width, folders, threads.
        stage: What is heard how often.
        examples: All there is to hear.
        start_from: A trained network whose weights are the beginning.

    Returns:
        The path of the trained network.
    """
    torch.set_num_threads(settings.threads)
    torch.manual_seed(stage.seed)
    _keep_memory()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    surroundings = load_surroundings(settings.data_dir / "noise")
    network = AcousticNetwork(settings.width)
    target = network_file(settings.work_dir, stage.name)
    checkpoint = target.with_suffix(".checkpoint")
    if start_from is None:
        rng = np.random.default_rng([stage.seed, 3])
        network.mean, network.scale = _statistics(examples, surroundings, rng)
    else:
        network.load_state_dict(load_network(start_from).state_dict())
    network.to(device)
    decay = get_ema_multi_avg_fn(_AVERAGE_DECAY)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_PEAK_RATE, weight_decay=1e-2)
    first_epoch = 0
    if checkpoint.is_file():
        state: dict[str, Any] = torch.load(checkpoint, weights_only=True, map_location=device)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        first_epoch = state["epoch"] + 1
    if first_epoch >= stage.epochs:
        print(f"{stage.name}: trained already", flush=True)
        return target
    checks = {
        name: PhoneErrors(load_set(settings.work_dir, name)[:100], surroundings, settings.seed)
        for name in ("held_out", "dev")
    }
    weights = sum(p.numel() for p in network.parameters()) / 1e6
    print(f"{stage.name}: {len(examples)} examples, {weights:.2f} M weights, {device}", flush=True)
    began = time.monotonic()
    for epoch in range(first_epoch, stage.epochs):
        rng = np.random.default_rng([stage.seed, 4, epoch])
        chosen = stage.choose(examples, rng)
        order = groups(chosen, rng)
        hours = sum(len(example.audio) for example in chosen) / 28_800_000
        losses: list[float] = []
        seeds = (stage.seed, 8, epoch)
        made = batches(
            chosen, order, surroundings, stage.lines, stage.speakers, seeds, settings.threads
        )
        for step, batch in enumerate(made):
            rate = _learning_rate((epoch + step / len(order)) / stage.epochs, stage.peak_rate)
            losses.append(_one_step(network, optimiser, batch, rate, device))
            average.update_parameters(network)
            if step % 100 == 99:
                print(
                    f"  {step + 1} of {len(order)}: loss {np.mean(losses[-100:]):.3f}", flush=True
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
        left = spent / (epoch - first_epoch + 1) * (stage.epochs - epoch - 1)
        shown = ", ".join(
            f"{name} {100 * check.of(averaged, device):.1f} %" for name, check in checks.items()
        )
        print(
            f"{stage.name} {epoch + 1}/{stage.epochs}: {hours:.1f} h, loss {np.mean(losses):.3f}, "
            f"phone errors {shown}; {spent / 60:.1f} min spent, {left / 60:.0f} min left",
            flush=True,
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
