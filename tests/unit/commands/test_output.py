"""A command whose output cannot be written says so in one line, and does not succeed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("arguments", [("classify", "hallo"), ("models",)])
def test_full_disk_behind_standard_output_is_one_line(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """
    Not a traceback, and not a complaint of Python at its end either.
    """
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "ivr", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, "WEGWIJS_HOME": str(tmp_path)},
            timeout=200,
        )
    told = ended.stderr.decode()

    assert 1 == ended.returncode, told
    assert 1 == len(told.splitlines()), told
    assert "No space left on device" in told
