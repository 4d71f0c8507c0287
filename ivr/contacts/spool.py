"""Records on disk while the register is down: one JSON line each, appended, in order."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ivr.contacts.records import ContactRecord, from_json, to_json

_RESERVE_OCTETS = 1 << 20


class Spool:
    """An append-only file, 0600, that survives a kill at any moment.

    A reserve file beside it is given up when the disk is full, so that the records of the calls
    in progress still find room. One thread at a time.

    Args:
        path: The file; its folder is made. Absent while nothing waits.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = 0
        """Lines of the last reading that were no records: a kill in the middle of a line."""
        self._reserve = path.with_name(path.name + ".reserve")

    @property
    def octets(self) -> int:
        """Size of what waits; 0 when nothing does."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def prepare(self) -> None:
        """Make the folder and the reserve. A full disk is no error here."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._reserve.exists():
                return
            descriptor = os.open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:
            return
        try:
            os.posix_fallocate(descriptor, 0, _RESERVE_OCTETS)
        except OSError:
            self._give_up_reserve()
        finally:
            os.close(descriptor)

    def append(self, records: Sequence[ContactRecord]) -> None:
        """Add records at the end; they are on disk when this returns.

        Raises:
            OSError: They could not be written; the file is as it was.
        """
        lines = b"".join(to_json(record).encode("ascii") + b"\n" for record in records)
        try:
            self._append(lines)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not self._give_up_reserve():
                raise
            self._append(lines)

    def _append(self, lines: bytes) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        descriptor = os.open(self.path, flags, 0o600)
        try:
            before = os.fstat(descriptor).st_size
            try:
                if before and os.pread(descriptor, 1, before - 1) != b"\n":
                    _write(descriptor, b"\n")
                _write(descriptor, lines)
                os.fsync(descriptor)
                if not before:
                    _sync_folder(self.path.parent)
            except OSError:
                os.ftruncate(descriptor, before)
                raise
        finally:
            os.close(descriptor)

    def batches(self, size: int) -> Iterator[list[ContactRecord]]:
        """Read what waits, ``size`` records at a time; lines that are no records are counted.

        Raises:
            OSError: The file cannot be read.
        """
        self.damaged = 0
        batch: list[ContactRecord] = []
        try:
            lines = self.path.open("rb")
        except FileNotFoundError:
            return
        with lines:
            for line in lines:
                try:
                    batch.append(from_json(line.decode("ascii")))
                except ValueError:
                    self.damaged += bool(line.strip())
                if len(batch) >= size:
                    yield batch
                    batch = []
        if batch:
            yield batch

    def clear(self) -> None:
        """Forget everything that waited: it has been committed."""
        self.path.unlink(missing_ok=True)

    def _give_up_reserve(self) -> bool:
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True


def _write(descriptor: int, octets: bytes) -> None:
    while octets:
        octets = octets[os.write(descriptor, octets) :]


def _sync_folder(folder: Path) -> None:
    """Make a new file's name survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
