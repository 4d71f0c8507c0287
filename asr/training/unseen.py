"""How well the recipe does on a person it never heard: the last stages again without each one."""

from __future__ import annotations

import shutil
from pathlib import Path

from asr.training.card import add_facts, read_facts
from asr.training.humans import recordings
from asr.training.model_folder import write_acoustics
from asr.training.settings import Settings
from asr.training.train import (
    CALLERS_STAGE,
    load_network,
    load_set,
    network_file,
    people_stage,
    settling_stage,
    train_stage,
)


def train_without(settings: Settings, speaker: str) -> Path:
    """Train on everyone but one speaker and write a model folder beside the shipped one's graphs.

    Args:
        settings: With the epochs of these runs.
        speaker: Who is left out, vocoder copies too.

    Returns:
        The model folder, in the work folder.

    Raises:
        FileNotFoundError: The first stage or the model's graphs are not there yet.
    """
    first = network_file(settings.work_dir, CALLERS_STAGE)
    graphs = settings.model_dir / "graph"
    for path, steps in ((first, "train"), (graphs, "model")):
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing; run: python -m asr.training {steps}")
    stage = people_stage(settings, f"without-{speaker}", settings.unseen_epochs)
    humans = load_set(settings.work_dir, "humans")
    others = [example for example in humans if example.detail != speaker]
    examples = [*load_set(settings.work_dir, "callers"), *others]
    second = train_stage(settings, stage, examples, start_from=first)
    last = settling_stage(settings, f"{stage.name}-settled")
    path = train_stage(settings, last, examples, start_from=second)
    folder = settings.work_dir / "models" / stage.name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(settings.model_dir, folder)
    (folder / "checksums.sha256").unlink(missing_ok=True)
    write_acoustics(load_network(path), folder)
    return folder


def speakers(settings: Settings) -> list[str]:
    """Return who may be left out: nobody when there are fewer than two."""
    found = sorted({recording.speaker for recording in recordings(settings.data_dir / "speech")})
    return found if len(found) > 1 else []


def remember(settings: Settings, speaker: str, rows: list[dict[str, object]]) -> None:
    """Keep the measurements of a model without a speaker for the card.

    Args:
        settings: Folders.
        speaker: Who was left out.
        rows: Of ``python -m asr.evaluate --json --by-speaker``.
    """
    known = read_facts(settings.work_dir).get("unseen", {})
    mine = [
        {**row, "condition": "people never heard (dev)"}
        for row in rows
        if row["speaker"] == speaker
    ]
    add_facts(settings.work_dir, unseen={**known, speaker: mine})
