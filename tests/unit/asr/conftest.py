"""Models that tests of recognition make for themselves, once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.asr import tiny_whisper


@pytest.fixture(scope="session")
def tiny_whisper_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Whisper model that knows the sentences of :mod:`tests.unit.asr.tiny_whisper`."""
    if tiny_whisper.MISSING:
        pytest.skip(f"not installed: {', '.join(tiny_whisper.MISSING)} (make setup-tests)")
    return tiny_whisper.make(tmp_path_factory.mktemp("tiny-whisper"))
