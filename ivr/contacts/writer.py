"""Takes records from the calls without ever making one wait, and sees them committed.

One thread of its own. While the register is down (disk full, locked, server away) records keep
their order: they wait in memory at first, then in a spool file that a later start replays.
The same thread writes recordings and runs other disk jobs.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Protocol

import structlog

from ivr.contacts.errors import RecordRefusedError
from ivr.contacts.spool import Spool
from ivr.errors import ContactStoreError
from ivr.ports.records import ContactRecord

_BATCH = 64
_MEMORY_FACTOR = 20
_FAILURES_BEFORE_SPOOL = 2
_log = structlog.get_logger("wegwijs.contacts")


class RecordStore(Protocol):
    """Where records end: :class:`ivr.contacts.store.ContactStore`, or a fake."""

    def apply_all(self, records: Sequence[ContactRecord]) -> None:
        """Commit records together, all or none.

        Raises:
            RecordRefusedError: One of them will never be taken.
            ContactStoreError: Not now.
        """


@dataclass(frozen=True, slots=True)
class WriterCounters:
    """What the writer has done so far, for ``/metrics`` and ``/readyz``."""

    queue_depth: int
    """Records in memory that are not committed yet."""
    jobs_depth: int
    committed: int
    retries: int
    """Attempts that failed and are made again."""
    spooled: int
    """Records that went to the spool file."""
    spool_octets: int
    """Size of what waits in the spool file now."""
    rejected: int
    """Records that the database will never take; kept in a file beside the spool."""
    lost: int
    """Records that found no place at all."""
    jobs_done: int
    jobs_failed: int
    """Disk jobs that failed, or were refused because too many wait."""
    healthy: bool
    """Whether the register took the last records it was offered."""


class ContactWriter:
    """Starts its thread at once; records of an earlier spool are committed first.

    Args:
        store: Used by this writer's thread only.
        spool: Spool file; its folder is made.
        bound: Above so many records in memory, a register that is down makes them go to the
            spool. Twenty times as many is all that memory takes: further ones are lost, and
            counted.
        jobs_bound: So many disk jobs may wait.
        first_retry_seconds: Wait after the first failure; doubles each time.
        longest_retry_seconds: Longest wait between attempts.
    """

    def __init__(
        self,
        store: RecordStore,
        spool: Path,
        *,
        bound: int = 1000,
        jobs_bound: int = 500,
        first_retry_seconds: float = 0.1,
        longest_retry_seconds: float = 5.0,
    ) -> None:
        self._store = store
        self._spool = Spool(spool)
        self._rejects = Spool(spool.with_name(spool.name + ".rejected"))
        self._bound = bound
        self._jobs_bound = jobs_bound
        self._first_retry_seconds = first_retry_seconds
        self._longest_retry_seconds = longest_retry_seconds
        self._changed = threading.Condition()
        self._records: deque[ContactRecord] = deque()
        self._jobs: deque[Callable[[], object]] = deque()
        self._busy = False
        self._closing = False
        self._close_by = float("inf")
        self._failures = 0
        self._try_at = self._spool_at = 0.0
        self._committed = self._retries = self._spooled = 0
        self._rejected = self._lost = self._jobs_done = self._jobs_failed = 0
        self._spool.prepare()
        self._spool_waits = self._spool.octets > 0
        self._thread = threading.Thread(target=self._run, name="contact-writer", daemon=True)
        self._thread.start()

    def submit(self, record: ContactRecord) -> None:
        """Hand over a record. Never blocks, never raises; any thread."""
        with self._changed:
            if self._closing or len(self._records) >= self._bound * _MEMORY_FACTOR:
                self._lost += 1
                return
            self._records.append(record)
            self._changed.notify_all()

    def submit_job(self, job: Callable[[], object]) -> bool:
        """Hand over work for the disk, such as writing a recording. Never blocks, never raises.

        Returns:
            False when too many jobs wait: the job will not run, and counts as failed.
        """
        with self._changed:
            if self._closing or len(self._jobs) >= self._jobs_bound:
                self._jobs_failed += 1
                return False
            self._jobs.append(job)
            self._changed.notify_all()
            return True

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all that was handed over is done.

        Returns:
            True when every record is committed and no job waits; False after the timeout, with
            nothing lost: records are in memory or in the spool.
        """
        with self._changed:
            return self._changed.wait_for(self._idle, timeout_seconds)

    def close(self, timeout_seconds: float) -> bool:
        """Take nothing more, commit or spool what is left, end the thread. Idempotent.

        Returns:
            True when every record is committed.
        """
        with self._changed:
            if not self._closing:
                self._closing = True
                self._close_by = monotonic() + timeout_seconds
                self._try_at = 0.0
            self._changed.notify_all()
        self._thread.join(timeout_seconds + 1.0)
        with self._changed:
            return not self._thread.is_alive() and self._idle()

    def counters(self) -> WriterCounters:
        """A consistent snapshot; any thread."""
        with self._changed:
            return WriterCounters(
                queue_depth=len(self._records),
                jobs_depth=len(self._jobs),
                committed=self._committed,
                retries=self._retries,
                spooled=self._spooled,
                spool_octets=self._spool.octets if self._spool_waits else 0,
                rejected=self._rejected,
                lost=self._lost,
                jobs_done=self._jobs_done,
                jobs_failed=self._jobs_failed,
                healthy=self._failures == 0 and self._thread.is_alive(),
            )

    def _idle(self) -> bool:
        return not (self._records or self._jobs or self._busy or self._spool_waits)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                while not self._due():
                    self._changed.wait(self._wait_seconds())
                if self._ended():
                    break
                self._busy = True
                job = self._jobs.popleft() if self._jobs else None
            # A job is the audio of a turn that a record refers to: it goes first.
            if job is not None:
                self._do(job)
            if monotonic() >= self._try_at and self._replay():
                self._commit()
            self._overflow()
        self._spool_the_rest()

    def _due(self) -> bool:
        """Whether there is something to do now, the end included."""
        now = monotonic()
        if self._jobs or self._closing:
            return True
        if self._records and self._must_spool() and now >= self._spool_at:
            return True
        return bool(self._records or self._spool_waits) and now >= self._try_at

    def _wait_seconds(self) -> float | None:
        if not (self._records or self._spool_waits):
            return None
        until = min(self._try_at, self._spool_at) if self._must_spool() else self._try_at
        return max(0.0, until - monotonic())

    def _must_spool(self) -> bool:
        """Whether the register has been down for too long, or too much waits in memory."""
        return self._failures >= _FAILURES_BEFORE_SPOOL or (
            self._failures > 0 and len(self._records) > self._bound
        )

    def _ended(self) -> bool:
        """Whether to stop: all is done, or time is up, or the register is down."""
        if not self._closing:
            return False
        if monotonic() >= self._close_by:
            return True
        if self._jobs:
            return False
        return not (self._records or self._spool_waits) or (
            self._failures > 0 and self._try_at > 0.0
        )

    def _do(self, job: Callable[[], object]) -> None:
        try:
            job()
        except Exception as error:
            # Only the kind: an exception's text may quote what the caller said.
            _log.warning("disk_job_failed", error=type(error).__name__)
            with self._changed:
                self._jobs_failed += 1
        else:
            with self._changed:
                self._jobs_done += 1

    def _replay(self) -> bool:
        """Commit what an outage, or an earlier process, left in the spool."""
        if not self._spool_waits:
            return True
        replayed = 0
        try:
            for batch in self._spool.batches(_BATCH):
                committed = self._apply(batch)
                if committed is None:
                    return False
                replayed += committed
            self._spool.clear()
        except OSError as error:
            # New records must not wait for a file that may never be readable again.
            _log.error(
                "spool_unreadable",
                file=str(self._spool.path),
                os_error=error.strerror,
                remedy="give the file to this user; its records are read at the next start",
            )
            with self._changed:
                self._spool_waits = False
            return True
        _log.info("spool_committed", records=replayed, damaged=self._spool.damaged)
        self._spool.prepare()
        with self._changed:
            self._committed += replayed
            self._lost += self._spool.damaged
            self._spool_waits = False
        return True

    def _commit(self) -> None:
        while True:
            with self._changed:
                batch = list(islice(self._records, _BATCH))
            committed = self._apply(batch) if batch else None
            if committed is None:
                return
            self._forget(len(batch), committed)

    def _forget(self, count: int, committed: int = 0) -> None:
        with self._changed:
            self._committed += committed
            for _ in range(count):
                self._records.popleft()

    def _apply(self, batch: Sequence[ContactRecord]) -> int | None:
        """Commit a batch; what will never be taken is put aside.

        Returns:
            How many were committed; ``None``: not now.
        """
        try:
            self._store.apply_all(batch)
        except ContactStoreError as error:
            if not isinstance(error, RecordRefusedError):
                self._failed(str(error))
                return None
            committed = self._apart(batch, str(error))
        except Exception as error:
            committed = self._apart(batch, type(error).__name__)
        else:
            committed = len(batch)
            if self._failures:
                _log.info("register_back", retries=self._failures)
        if committed is not None:
            with self._changed:
                self._failures = 0
                self._try_at = 0.0
        return committed

    def _apart(self, batch: Sequence[ContactRecord], problem: str) -> int | None:
        """One of these is bad; the others must not suffer."""
        if len(batch) == 1:
            self._refused(batch, problem)
            return 0
        committed = 0
        for record in batch:
            count = self._apply([record])
            if count is None:
                return None
            committed += count
        return committed

    def _failed(self, problem: str) -> None:
        if not self._failures:
            # Once an outage: the records wait, and nothing is lost yet.
            _log.error("register_down", problem=problem)
        with self._changed:
            self._retries += 1
            self._failures += 1
            wait = self._first_retry_seconds * 2 ** min(self._failures - 1, 20)
            self._try_at = monotonic() + min(wait, self._longest_retry_seconds)

    def _refused(self, batch: Sequence[ContactRecord], problem: str) -> None:
        _log.error("record_refused", problem=problem, file=str(self._rejects.path))
        try:
            self._rejects.append(batch)
        except OSError:
            with self._changed:
                self._lost += len(batch)
            return
        with self._changed:
            self._rejected += len(batch)

    def _overflow(self) -> None:
        """Move records from memory to the spool while the register is down."""
        with self._changed:
            if not self._must_spool() or monotonic() < self._spool_at:
                return
            batch = list(self._records)
        if batch:
            self._to_spool(batch)

    def _to_spool(self, batch: Sequence[ContactRecord]) -> bool:
        try:
            self._spool.append(batch)
        except OSError as error:
            if not self._spool_at:
                _log.error(
                    "spool_unwritable",
                    file=str(self._spool.path),
                    os_error=error.strerror,
                    remedy="free some space; the records wait in memory",
                )
            self._spool_at = monotonic() + self._longest_retry_seconds
            return False
        self._forget(len(batch))
        self._spool_at = 0.0
        with self._changed:
            self._spooled += len(batch)
            self._spool_waits = True
        return True

    def _spool_the_rest(self) -> None:
        """At the end: what is not committed goes to the spool, or is counted as lost."""
        with self._changed:
            left = list(self._records)
            self._jobs_failed += len(self._jobs)
            self._jobs.clear()
        if left and not self._to_spool(left):
            self._forget(len(left))
            with self._changed:
                self._lost += len(left)
        with self._changed:
            self._busy = False
            self._changed.notify_all()
