"""Files that are written whole or not at all, whatever kills the process or the power."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def write_whole(path: Path, octets: bytes | memoryview) -> None:
    """Write a file: a temporary one beside it, fsync, atomic rename, fsync of the folder.

    Args:
        path: Its folder exists. An old file is replaced.
        octets: All that is to be in it.

    Raises:
        OSError: Disk full, folder missing or not writable; nothing is left behind.
    """
    draft: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.stem}.", suffix=".part", delete=False
        ) as file:
            draft = Path(file.name)
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        sync_folder(path.parent)
    except OSError:
        if draft is not None:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a power cut.

    Raises:
        OSError: The folder cannot be opened or synced.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
