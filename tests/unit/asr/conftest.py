"""Models that tests of recognition make for themselves, and where such models come from."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from asr.models.store import ModelStore
from tests.unit.asr import tiny_whisper
from tests.unit.asr.model_entries import WEIGHTS
from tests.unit.asr.model_server import ModelServer, running


@pytest.fixture(scope="session")
def tiny_whisper_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Whisper model that knows the sentences of :mod:`tests.unit.asr.tiny_whisper`."""
    if tiny_whisper.MISSING:
        pytest.skip(f"not installed: {', '.join(tiny_whisper.MISSING)} (make setup-tests)")
    return tiny_whisper.make(tmp_path_factory.mktemp("tiny-whisper"))


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A server of models that serves nothing yet."""
    with running() as started:
        yield started


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store of models in which nothing is installed."""
    return ModelStore(tmp_path / "home" / "models" / "asr")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The small model of :mod:`tests.unit.asr.model_entries`, as its publisher would pack it."""
    path = tmp_path / "model-1.0.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("model-1.0/am/final.mdl", WEIGHTS)
        packed.writestr("model-1.0/conf/mfcc.conf", "--sample-frequency=8000\n")
    return path
