"""The writer on a register that fails, comes back, or is never there."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivr.contacts.errors import RecordRefusedError
from ivr.contacts.writer import ContactWriter
from ivr.errors import ContactStoreError
from ivr.ports.records import CallOpened, ContactRecord, UtteranceHeard

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
MARKER = "kwikstaartmarkering"
PATIENCE_SECONDS = 100.0


def heard(number: int) -> UtteranceHeard:
    return UtteranceHeard(call_id="a", number=number, at=NOW, transcript=MARKER)


class FakeStore:
    """Takes records, or fails as told; remembers the order."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.taken: list[ContactRecord] = []
        self.attempts = 0
        self.down = False
        self.refuses: Callable[[ContactRecord], bool] = lambda record: False
        self.hold = threading.Event()
        self.hold.set()

    def apply_all(self, records: Sequence[ContactRecord]) -> None:
        self.hold.wait(PATIENCE_SECONDS)
        with self.changed:
            self.attempts += 1
            self.changed.notify_all()
            if self.down:
                raise ContactStoreError("register: SQLITE_FULL; free some space")
            if any(self.refuses(record) for record in records):
                raise RecordRefusedError("register: refused")
            # A replayed spool may bring the same record twice.
            self.taken += [record for record in records if record not in self.taken]

    def wait_for_attempts(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.attempts >= count, PATIENCE_SECONDS)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def open_writer(store: FakeStore, tmp_path: Path) -> Iterator[Callable[..., ContactWriter]]:
    opened: list[ContactWriter] = []

    def make(**settings: float) -> ContactWriter:
        values = {"first_retry_seconds": 0.005, "longest_retry_seconds": 0.02, **settings}
        writer = ContactWriter(store, tmp_path / "spool" / "records.jsonl", **values)  # type: ignore[arg-type]
        opened.append(writer)
        return writer

    yield make
    store.hold.set()
    for writer in opened:
        writer.close(5.0)


def test_records_are_committed_in_order(
    store: FakeStore, open_writer: Callable[..., ContactWriter]
) -> None:
    """
    What is handed over first is committed first, and flush says when.
    """
    writer = open_writer()
    records = [heard(number) for number in range(300)]
    for record in records:
        writer.submit(record)

    assert writer.flush(PATIENCE_SECONDS)
    assert records == store.taken
    counters = writer.counters()
    assert (300, 0, 0, True) == (
        counters.committed,
        counters.queue_depth,
        counters.lost,
        counters.healthy,
    )


def test_outage_keeps_order_and_loses_nothing(
    store: FakeStore, open_writer: Callable[..., ContactWriter], tmp_path: Path
) -> None:
    """
    Records of a long outage wait in a private spool and are committed in their order.
    """
    writer = open_writer(bound=10)
    store.down = True
    records = [heard(number) for number in range(100)]
    for record in records[:50]:
        writer.submit(record)
    store.wait_for_attempts(4)
    for record in records[50:]:
        writer.submit(record)
    store.wait_for_attempts(store.attempts + 3)
    during = writer.counters()
    [spool] = (tmp_path / "spool").glob("*.jsonl")
    mode = stat.S_IMODE(spool.stat().st_mode)
    store.down = False

    assert writer.flush(PATIENCE_SECONDS)
    assert records == store.taken
    assert not during.healthy
    assert during.retries >= 3
    assert 100 == during.spooled
    assert during.spool_octets > 0
    assert 0o600 == mode
    assert (0, 0, True) == (
        writer.counters().spool_octets,
        writer.counters().lost,
        writer.counters().healthy,
    )
    assert b"" == spool.read_bytes().strip(b"\0")


def test_spool_of_a_dead_process_is_committed_first(
    store: FakeStore, open_writer: Callable[..., ContactWriter]
) -> None:
    """
    What one process could not commit, the next one commits before its own records.
    """
    first = open_writer()
    store.down = True
    first.submit(heard(1))

    assert not first.close(5.0)
    assert 1 == first.counters().spooled

    store.down = False
    second = open_writer()
    second.submit(heard(2))

    assert second.flush(PATIENCE_SECONDS)
    assert [heard(1), heard(2)] == store.taken


def test_half_a_line_is_counted_and_skipped(
    store: FakeStore, open_writer: Callable[..., ContactWriter], tmp_path: Path
) -> None:
    """
    A power cut in the middle of a line costs that line alone.
    """
    first = open_writer()
    store.down = True
    first.submit(heard(1))
    first.close(5.0)
    spool = tmp_path / "spool" / "records.jsonl"
    whole = spool.read_bytes().rstrip(b"\0")
    spool.write_bytes(whole + whole[: len(whole) // 2])

    second = open_writer()
    second.submit(heard(2))
    assert not second.close(5.0)
    store.down = False
    third = open_writer()

    assert third.flush(PATIENCE_SECONDS)
    assert [heard(1), heard(2)] == store.taken
    assert 1 == third.counters().lost


def test_refused_record_does_not_hold_the_others(
    store: FakeStore, open_writer: Callable[..., ContactWriter], tmp_path: Path
) -> None:
    """
    What the database will never take is put aside and counted.
    """
    store.refuses = lambda record: isinstance(record, UtteranceHeard) and record.number == 3
    writer = open_writer()
    for number in range(6):
        writer.submit(heard(number))

    assert writer.flush(PATIENCE_SECONDS)
    assert [heard(number) for number in (0, 1, 2, 4, 5)] == store.taken
    assert (5, 1, 0) == (
        writer.counters().committed,
        writer.counters().rejected,
        writer.counters().lost,
    )
    assert 1 == len((tmp_path / "spool" / "records.jsonl.rejected").read_text().splitlines())


def test_bug_in_the_store_does_not_end_the_thread(
    store: FakeStore, open_writer: Callable[..., ContactWriter]
) -> None:
    """
    An unexpected exception is a refused record, not the end of all records.
    """

    def break_on_first(record: ContactRecord) -> bool:
        if isinstance(record, UtteranceHeard) and record.number == 1:
            raise ZeroDivisionError(MARKER)
        return False

    store.refuses = break_on_first
    writer = open_writer()
    for number in (1, 2):
        writer.submit(heard(number))

    assert writer.flush(PATIENCE_SECONDS)
    assert [heard(2)] == store.taken
    assert 1 == writer.counters().rejected


def test_submit_never_blocks_and_counts_what_memory_cannot_hold(
    store: FakeStore, open_writer: Callable[..., ContactWriter]
) -> None:
    """
    A register that hangs costs records at last, and never a call its time.
    """
    store.hold.clear()
    writer = open_writer(bound=10)
    for number in range(500):
        writer.submit(heard(number))

    assert 300 == writer.counters().lost
    assert not writer.flush(0.01)

    store.hold.set()

    assert writer.flush(PATIENCE_SECONDS)
    assert 200 == writer.counters().committed


def test_jobs_run_while_the_register_is_down(
    store: FakeStore, open_writer: Callable[..., ContactWriter]
) -> None:
    """
    Recordings are written whatever the database does.
    """
    writer = open_writer()
    store.down = True
    writer.submit(heard(1))
    store.wait_for_attempts(1)
    done = threading.Event()
    assert writer.submit_job(done.set)

    assert done.wait(PATIENCE_SECONDS)


def test_failing_job_is_counted_and_quotes_nothing(
    open_writer: Callable[..., ContactWriter], capfd: pytest.CaptureFixture[str]
) -> None:
    """
    A full disk under a recording never ends the writer's thread.
    """

    def fail() -> None:
        raise OSError(28, "No space left on device", MARKER)

    writer = open_writer()
    writer.submit_job(fail)
    writer.submit_job(lambda: None)

    assert writer.flush(PATIENCE_SECONDS)
    assert (1, 1) == (writer.counters().jobs_done, writer.counters().jobs_failed)
    output = capfd.readouterr()
    assert MARKER not in output.out + output.err
    assert "Traceback" not in output.out + output.err


def test_too_many_jobs_are_refused(open_writer: Callable[..., ContactWriter]) -> None:
    """
    Audio waiting for a slow disk must not fill the memory.
    """
    go = threading.Event()
    started = threading.Event()

    def wait() -> None:
        started.set()
        go.wait(PATIENCE_SECONDS)

    writer = open_writer(jobs_bound=3)
    writer.submit_job(wait)
    assert started.wait(PATIENCE_SECONDS)

    accepted = [writer.submit_job(lambda: None) for _ in range(5)]
    go.set()

    assert [True, True, True, False, False] == accepted
    assert writer.flush(PATIENCE_SECONDS)
    assert (4, 2) == (writer.counters().jobs_done, writer.counters().jobs_failed)


def test_close_does_what_is_left_and_takes_nothing_more(
    store: FakeStore, open_writer: Callable[..., ContactWriter]
) -> None:
    """
    Records and jobs handed over before close are done; later ones are counted.
    """
    writer = open_writer()
    ran: list[int] = []
    for number in range(50):
        writer.submit(heard(number))
        writer.submit_job(lambda number=number: ran.append(number))  # type: ignore[misc]

    assert writer.close(PATIENCE_SECONDS)
    assert writer.close(PATIENCE_SECONDS)
    writer.submit(heard(99))
    assert not writer.submit_job(lambda: None)
    assert list(range(50)) == ran
    assert 50 == len(store.taken)
    assert (1, 1) == (writer.counters().lost, writer.counters().jobs_failed)


def test_unwritable_spool_keeps_records_in_memory(
    store: FakeStore, open_writer: Callable[..., ContactWriter], tmp_path: Path
) -> None:
    """
    With register and spool both full, memory still holds the records until one is back.
    """
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "records.jsonl").mkdir()
    store.down = True
    writer = open_writer(bound=1)
    for number in range(10):
        writer.submit(heard(number))
    store.wait_for_attempts(5)
    assert 0 == writer.counters().lost
    (tmp_path / "spool" / "records.jsonl").rmdir()
    assert not writer.flush(0.01)
    store.down = False

    assert writer.flush(PATIENCE_SECONDS)
    assert 10 == len(store.taken)


def test_marker_word_is_in_no_repr_and_no_log(
    store: FakeStore,
    open_writer: Callable[..., ContactWriter],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """
    Words, numbers and targets stay out of everything an engineer reads.
    """
    opening = CallOpened(
        call_id="a",
        started_at=NOW,
        line="1700",
        mode="route",
        sip_call_id=MARKER,
        caller_hash=MARKER,
        caller_encrypted=MARKER.encode(),
    )
    store.down = True
    writer = open_writer(bound=1)
    for record in (opening, heard(1), replace(heard(2), alternatives=(MARKER,))):
        writer.submit(record)
    store.wait_for_attempts(3)
    writer.close(5.0)

    output = capfd.readouterr()
    assert MARKER not in output.out + output.err
    assert MARKER not in repr(opening) + repr(heard(1)) + repr(writer.counters())
