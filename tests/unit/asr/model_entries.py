"""A small model, its entry in a manifest, and what there is to see of it in the store."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from asr.models.download import Patience
from asr.models.manifest import ModelEntry, ModelFile
from asr.models.store import ModelStore

NO_ENGINE = "none"
"""No such engine: nothing is loaded, which keeps most tests quick."""
WEIGHTS = np.random.default_rng(3).bytes(200_000)
QUICK = Patience(stall_seconds=5.0, attempts=1, pause_seconds=0.01)


def entry_of(archive: Path, url: str = "https://models.example/model-1.0.zip") -> ModelEntry:
    """What a manifest says of an archive with the small model in it."""
    octets = archive.read_bytes()
    file = ModelFile(
        url=url,
        name=archive.name,
        size_octets=len(octets),
        sha256=hashlib.sha256(octets).hexdigest(),
        unpack="zip",
    )
    return ModelEntry(
        name="test-nl", title="Test model", engine=NO_ENGINE, language="nl", version="1.0",
        licence="Apache-2.0", requires=("am/final.mdl",), files=(file,),
    )  # fmt: skip


def unpinned(entry: ModelEntry) -> ModelEntry:
    """The same entry, without a hash or a size to compare with."""
    files = tuple(replace(file, sha256=None, size_octets=None) for file in entry.files)
    return replace(entry, files=files)


def visible(store: ModelStore) -> list[str]:
    """Names of the models that somebody who looks into the store sees."""
    return [path.name for path in store.root.glob("*") if not path.name.startswith(".")]
