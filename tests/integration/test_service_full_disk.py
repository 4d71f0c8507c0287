"""A disk that is full, under a real phone process: the caller is helped, the record made later."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.callers import Centre, caller, newest, spoken
from tests.integration.phone import Phone, configuration, short_prompts

pytestmark = [pytest.mark.slow, pytest.mark.sipp, pytest.mark.usefixtures("service_can_run")]

QUESTION = "ik heb een vraag over zonnepanelen"


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small file system needs root and mount")
    done = subprocess.run(mount, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        pytest.skip(f"no small file system can be made here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], timeout=30, check=True)


def test_full_disk_costs_no_caller_the_way(tiny_disk: Path, tmp_path: Path, centre: Centre) -> None:
    """
    The caller reaches the group, what could not be written is counted, and once there is room the
    record is whole.
    """
    question = spoken(tmp_path, QUESTION)
    tables = configuration(
        {
            "prompts": {"recordings": short_prompts(tmp_path / "prompts", 0.5)},
        },
        target=centre.at("algemeen"),
    )
    with Phone(tmp_path, tables, home=tiny_disk / "home") as phone:
        since = time.time()
        filler = tiny_disk / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    continue
            except OSError:
                full = True
        assert full
        with caller(phone, "--talk-seconds", "0.3") as agent:
            agent.until("answered")
            phone.until_state("listening")
            agent.command(do="say", file=str(question))
            agent.until("transferred")
            agent.until("summary")
        phone.until("retry", lambda: phone.metric("wegwijs_contact_retries_total") > 0)
        phone.until(
            "recording that failed",
            lambda: phone.metric("wegwijs_disk_jobs_total", result="failed") > 0,
        )
        assert 0 == phone.metric("wegwijs_contact_records_total", fate="lost")
        filler.unlink()
        record = newest(phone, since)

        assert "routed" == record.outcome
        assert "Traceback" not in phone.stderr
        assert any("disk is full" in line for line in phone.stderr.splitlines())
