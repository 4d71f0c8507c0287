"""Records on disk while the register is down: one JSON line each, appended, in order."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ivr.files.whole import sync_folder
from ivr.ports.records import ContactRecord, from_json, to_json

_RESERVE_OCTETS = 1 << 20
_CHUNK_OCTETS = 1 << 16


class Spool:
    """A file of lines, 0600, that survives a kill at any moment.

    :meth:`prepare` reserves its first MiB on the disk, as zeros behind the last line: when the
    disk is full, the database cannot take this room, and the records of the calls in progress
    still fit. JSON in ASCII holds no zero octet. One thread at a time.

    Args:
        path: The file; made when it is needed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = 0
        """Lines of the last reading that were no records: a power cut in the middle of one."""
        self._end = self._find_end()

    @property
    def octets(self) -> int:
        """Size of what waits; 0 when nothing does."""
        return self._end

    def prepare(self) -> None:
        """Make folder and file, and reserve room. A full disk is no error here."""
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _opened(self.path) as descriptor:
                os.posix_fallocate(descriptor, 0, _RESERVE_OCTETS)

    def append(self, records: Sequence[ContactRecord]) -> None:
        """Add records at the end; they are on disk when this returns.

        Raises:
            OSError: They could not be written; what was there still is.
        """
        lines = b"".join(to_json(record).encode("ascii") + b"\n" for record in records)
        with _opened(self.path) as descriptor:
            room = os.fstat(descriptor).st_size
            if self._end and os.pread(descriptor, 1, self._end - 1) != b"\n":
                lines = b"\n" + lines
            try:
                _write(descriptor, lines, self._end)
                os.fsync(descriptor)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, max(room, self._end))
                    _write(descriptor, bytes(max(0, room - self._end)), self._end)
                raise
        self._end += len(lines)

    def batches(self, size: int) -> Iterator[list[ContactRecord]]:
        """Read what waits, ``size`` records at a time; lines that are no records are counted.

        Raises:
            OSError: The file cannot be read.
        """
        self.damaged = 0
        if not self._end:
            return
        batch: list[ContactRecord] = []
        with self.path.open("rb") as lines:
            for line in lines:
                text = line.split(b"\0", 1)[0].strip()
                try:
                    if text:
                        batch.append(from_json(text.decode("ascii")))
                except ValueError:
                    self.damaged += 1
                if len(batch) >= size:
                    yield batch
                    batch = []
                if b"\0" in line:
                    break
        if batch:
            yield batch

    def clear(self) -> None:
        """Forget everything that waited: it has been committed."""
        self.path.unlink(missing_ok=True)
        self._end = 0

    def _find_end(self) -> int:
        end = 0
        with contextlib.suppress(OSError), self.path.open("rb") as file:
            while chunk := file.read(_CHUNK_OCTETS):
                zero = chunk.find(b"\0")
                if zero >= 0:
                    return end + zero
                end += len(chunk)
        return end


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a file for writing; the name of a new one survives a power cut."""
    new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if new:
            sync_folder(path.parent)
        yield descriptor
    finally:
        os.close(descriptor)


def _write(descriptor: int, octets: bytes, offset: int) -> None:
    while octets:
        written = os.pwrite(descriptor, octets, offset)
        octets, offset = octets[written:], offset + written
