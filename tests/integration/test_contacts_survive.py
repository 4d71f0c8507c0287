"""The register against kill -9 and full disks, in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivr.contacts.store import ContactStore
from ivr.contacts.writer import ContactWriter
from ivr.files.home import Home
from ivr.ports.records import CallOpened

ROOT = Path(__file__).parents[2]
MARKER = "kwikstaartmarkering"

RECORDS = f"""
import json, resource, sys
from datetime import UTC, datetime
from pathlib import Path
from ivr.ports.records import CallOpened, UtteranceHeard
from ivr.contacts.store import ContactStore
from ivr.contacts.writer import ContactWriter
from ivr.files.home import Home

home = Home(Path(sys.argv[1])).create()
now = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)

def call(number):
    name = f"call{{number}}"
    yield CallOpened(call_id=name, started_at=now, line="1700", mode="route")
    yield UtteranceHeard(call_id=name, number=1, at=now, transcript="{MARKER} " * 40)
"""

KILLED = (
    RECORDS
    + """
writer = ContactWriter(ContactStore(home.database_url, node="n"), home.spool / "records.jsonl")
number = 0
while True:
    for record in call(number):
        writer.submit(record)
    if writer.flush(100):
        print(number, flush=True)
    number += 1
"""
)

FULL = (
    RECORDS
    + """
store = ContactStore(home.database_url, node="n")
limit = int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
writer = ContactWriter(
    store, home.spool / "records.jsonl", first_retry_seconds=0.01, longest_retry_seconds=0.1
)

if sys.argv[3:]:
    with open(sys.argv[3], "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError:
            pass

def full():
    home.recordings.joinpath("a.flac").write_bytes(b"x" * 10_000_000)

writer.submit_job(full)
for number in range(150):
    for record in call(number):
        writer.submit(record)
    writer.flush(0.02)
writer.close(100)
counters = writer.counters()
print(json.dumps({name: getattr(counters, name) for name in counters.__slots__}))
"""
)


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_kill_loses_no_acknowledged_record(tmp_path: Path) -> None:
    """
    What flush acknowledged is there after kill -9, and the open calls are completed.
    """
    home = Home(tmp_path / "home")
    child = start(KILLED, home.path)
    assert child.stdout is not None
    acknowledged = [int(child.stdout.readline()) for _ in range(25)]
    child.send_signal(signal.SIGKILL)
    rest, _ = child.communicate(timeout=200)
    acknowledged += [int(line) for line in rest.splitlines()]

    store = ContactStore(home.database_url, node="n")
    writer = ContactWriter(store, home.spool / "records.jsonl")
    assert writer.flush(100)
    completed = store.recover(datetime.now(UTC))
    calls = {call.call_id: call for call in store.list(limit=100_000)}
    writer.close(100)
    store.close()

    assert len(acknowledged) >= 25
    assert set() == {f"call{number}" for number in acknowledged} - set(calls)
    assert all(len(calls[f"call{number}"].utterances) == 1 for number in acknowledged)
    assert len(calls) == completed
    assert {("media_failed", True)} == {(call.outcome, call.interrupted) for call in calls.values()}


def counted(child: subprocess.Popen[str]) -> dict[str, int]:
    """The child's counters; it must have ended well, without a word too many."""
    output, errors = child.communicate(timeout=200)
    assert 0 == child.returncode, errors
    assert "Traceback" not in output + errors
    assert MARKER not in output + errors
    counters: dict[str, int] = json.loads(output.splitlines()[-1])
    return counters


def stored(home: Home) -> set[str]:
    """Calls with their utterance, once the disk has room again and the service starts."""
    store = ContactStore(home.database_url, node="n")
    writer = ContactWriter(store, home.spool / "records.jsonl")
    assert writer.flush(100)
    calls = {call.call_id for call in store.list(limit=1000) if call.utterances}
    assert writer.close(100)
    store.close()
    return calls


def test_file_size_quota_spools_and_counts(tmp_path: Path) -> None:
    """
    The database cannot grow any more: records go to the spool, a recording fails and is counted.
    """
    home = Home(tmp_path / "home")

    # SQLite's own files reach the quota at about half of the records.
    counters = counted(start(FULL, home.path, 300_000))

    assert counters["spooled"] > 0
    assert counters["committed"] > 0
    assert (0, 1) == (counters["lost"], counters["jobs_failed"])
    assert {f"call{number}" for number in range(150)} == stored(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_full_disk_spools_into_its_reserve(tmp_path: Path) -> None:
    """
    With no block free, the records of the calls in progress still fit in the reserve.
    """
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode or shutil.which("umount") is None:
        pytest.skip("this machine does not allow mounting a small file system")
    try:
        home = Home(disk / "home")
        filler = disk / "filler"
        counters = counted(start(FULL, home.path, 0, filler))
        filler.unlink()
        (home.recordings / "a.flac").unlink(missing_ok=True)

        assert counters["spooled"] > 0
        assert 0 == counters["lost"]
        assert {f"call{number}" for number in range(150)} == stored(home)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


SHOWN = """
import sys
from ivr.contacts.store import ContactStore
store = ContactStore(sys.argv[1], read_only=True)
print(*sorted(call.call_id for call in store.list()))
store.close()
"""


def test_readers_come_and_go_while_calls_are_written(tmp_path: Path) -> None:
    """
    A second connection of the writer's process (retention has one) drops none of its locks: a
    reader in another process that closes last would take the write-ahead log away with it.
    """
    home = Home(tmp_path).create()
    now = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)

    def shown() -> list[str]:
        command = [sys.executable, "-c", SHOWN, home.database_url]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=True
        )
        return done.stdout.split()

    first = ContactStore(home.database_url, node="n")
    first.apply(CallOpened(call_id="before", started_at=now, line="1700", mode="route"))
    second = ContactStore(home.database_url, node="n")
    assert ["before"] == shown()
    first.apply(CallOpened(call_id="after", started_at=now, line="1700", mode="route"))

    assert ["after", "before"] == shown()
    second.close()
    first.close()
