"""The operator's folder."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For the operator's recordings; nothing is in it yet."""
    made = tmp_path / "recordings"
    made.mkdir()
    return made
