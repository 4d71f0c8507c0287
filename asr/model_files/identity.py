"""Naming a model of gigabytes without reading all of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

_END_OCTETS = 1 << 20


def quick_checksum(folder: Path) -> str:
    """Return 8 hexadecimal digits that name the model in a folder.

    Of each file the name, the size and the first and last MiB count, so that a model of 3 GB is
    named in milliseconds. Two models differ in these; damage in the middle of a file does not show:
    that is what ``checksums.sha256`` and :func:`asr.model_files.files.verify_model` are for.

    Args:
        folder: The model folder; its hidden files and Markdown files do not count.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        if not path.is_file() or hidden or path.suffix == ".md":
            continue
        size = path.stat().st_size
        digest.update(f"{name.as_posix()}:{size}\n".encode())
        with path.open("rb") as stream:
            digest.update(stream.read(_END_OCTETS))
            if size > _END_OCTETS:
                stream.seek(max(_END_OCTETS, size - _END_OCTETS))
                digest.update(stream.read(_END_OCTETS))
    return digest.hexdigest()[:8]
