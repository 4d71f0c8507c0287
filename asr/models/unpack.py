"""Archives to folders, as if whoever packed them meant harm.

Nothing is written outside the folder, through a link or over another file; no links, devices or
encrypted entries; number of files, sizes and compression are bounded. The names are looked at
before the octets, and the octets are counted as they come: what an archive says of itself proves
nothing.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import secrets
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from asr.errors import ModelInstallError, ModelRefusedError

_BLOCK_OCTETS = 1 << 20
_JUNK = ("__MACOSX", ".DS_Store")
"""What a Mac adds to archives of its own accord."""
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    RuntimeError,  # also for a compression that zipfile does not know
    ValueError,
)
"""What the standard library raises on archives that are no archives."""
_LEAST_RATIO_OCTETS = 16 << 20
"""Below this unpacked size no compression is suspicious."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an archive may unpack to.

    Attributes:
        files: At most so many files and folders.
        octets: At most so many octets in all.
        ratio: At most so many times the archive's own size; speech models stay below 4.
        depth: At most so many folders in each other.
    """

    files: int = 10_000
    octets: int = 32 << 30
    ratio: float = 50.0
    depth: int = 12


def unpack(archive: Path, kind: str, target: Path, bounds: Bounds | None = None) -> None:
    """Unpack an archive into an empty folder; a single folder around everything is left out.

    Args:
        archive: The file.
        kind: ``zip``, ``tar``, ``tar.gz``, ``tar.bz2`` or ``tar.xz``.
        target: An empty folder.
        bounds: What it may unpack to.

    Raises:
        ModelRefusedError: It is damaged, not of this kind, or does what no model's archive does.
        ModelInstallError: There is no room for it.
    """
    limits = bounds or Bounds()
    most = int(max(_LEAST_RATIO_OCTETS, limits.ratio * archive.stat().st_size))
    writer = _Writer(archive, target, limits, min(limits.octets, most))
    try:
        if kind == "zip":
            _unpack_zip(archive, writer)
        else:
            _unpack_tar(archive, kind, writer)
        _lift(target)
    except _DAMAGE as error:
        raise _damaged(archive, kind, str(error)) from None
    except OSError as error:
        if error.errno is None:  # gzip and bz2 say so of data that is not theirs
            raise _damaged(archive, kind, str(error)) from None
        raise ModelInstallError(
            str(target), f"cannot be written ({error.strerror})", "make room on the disk"
        ) from None
    if not writer.files:
        raise _damaged(archive, kind, "it holds no files")


def kind_of(archive: Path) -> str:
    """Return the kind of an archive by its first octets.

    Raises:
        ModelRefusedError: It is none of those that we unpack.
    """
    with archive.open("rb") as stream:
        head = stream.read(512)
    for magic, kind in (
        (b"PK\x03\x04", "zip"),
        (b"\x1f\x8b", "tar.gz"),
        (b"BZh", "tar.bz2"),
        (b"\xfd7zXZ\x00", "tar.xz"),
    ):
        if head.startswith(magic):
            return kind
    if head[257:262] == b"ustar":
        return "tar"
    raise ModelRefusedError(
        str(archive), "is not an archive that we unpack", "give a zip, tar.gz, tar.bz2 or a folder"
    )


def archive_octets(archive: Path, kind: str) -> int:
    """Return how many octets an archive says that it unpacks to; 0 when only unpacking tells.

    Raises:
        ModelRefusedError: The archive cannot be read.
    """
    if kind != "zip":
        return 0
    try:
        with zipfile.ZipFile(archive) as packed:
            return sum(info.file_size for info in packed.infolist())
    except (*_DAMAGE, OSError) as error:
        raise _damaged(archive, kind, str(error)) from None


def safe_parts(name: str, depth: int = 12) -> tuple[str, ...] | None:
    """Return a relative name's parts, or None when it could lead out of the folder or astray."""
    if not name or "\\" in name or name.startswith("/"):
        return None
    if any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) <= 0xDFFF for c in name):
        return None
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if not parts or len(parts) > depth:
        return None
    for part in parts:
        if part == ".." or ":" in part or len(part.encode()) > 255:
            return None
    return parts


def _damaged(archive: Path, kind: str, reason: str) -> ModelRefusedError:
    words = reason.split("\n", 1)[0][:120] or "it cannot be read"
    return ModelRefusedError(
        str(archive), f"is not a whole {kind} archive ({words})", "download or copy it again"
    )


class _Writer:
    """Writes files below one folder, within the bounds."""

    def __init__(self, archive: Path, target: Path, bounds: Bounds, octets: int) -> None:
        self._archive = archive
        self._target = target
        self._bounds = bounds
        self._left = octets
        self.most = octets
        self._seen: dict[str, bool] = {}
        """Folded path to whether it is a folder."""
        self.files = 0

    def refuse(self, name: str, problem: str) -> ModelRefusedError:
        plain = "".join(letter if letter.isprintable() else "?" for letter in name)[:120]
        return ModelRefusedError(
            str(self._archive), f"entry {plain!r} {problem}", "do not use this archive"
        )

    def folder(self, name: str) -> None:
        parts = self._parts(name)
        if parts is not None:
            self._claim(name, parts, is_folder=True)
            self._target.joinpath(*parts).mkdir(mode=0o755, parents=True, exist_ok=True)

    def file(self, name: str, content: IO[bytes]) -> None:
        parts = self._parts(name)
        if parts is None:
            return
        self._claim(name, parts, is_folder=False)
        path = self._target.joinpath(*parts)
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with path.open("xb") as stream:
            while block := content.read(_BLOCK_OCTETS):
                self._left -= len(block)
                if self._left < 0:
                    raise self.refuse(name, f"unpacks to more than {self.most} octets in all")
                stream.write(block)
        self.files += 1

    def _parts(self, name: str) -> tuple[str, ...] | None:
        parts = safe_parts(name, self._bounds.depth)
        if parts is None:
            raise self.refuse(name, "does not stay within the model's folder")
        return None if parts[0] in _JUNK or parts[-1] in _JUNK else parts

    def _claim(self, name: str, parts: tuple[str, ...], *, is_folder: bool) -> None:
        """Take a path, once, whatever the case and the form of its letters."""
        folded = [unicodedata.normalize("NFC", part).casefold() for part in parts]
        for end in range(1, len(folded)):
            if self._seen.setdefault("/".join(folded[:end]), True) is False:
                raise self.refuse(name, "lies below a file")
        path = "/".join(folded)
        if path in self._seen and not (is_folder and self._seen[path]):
            raise self.refuse(name, "is there twice")
        self._seen[path] = is_folder
        if len(self._seen) > self._bounds.files:
            raise self.refuse(name, f"is one too many: over {self._bounds.files} files")


def _unpack_zip(archive: Path, writer: _Writer) -> None:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            # filename is cut at a null octet and has its separators changed: look at the original.
            name = info.orig_filename
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise writer.refuse(name, "is a link or a device")
            if info.flag_bits & 0x1:
                raise writer.refuse(name, "is encrypted")
            if name.endswith("/") or kind == stat.S_IFDIR:
                writer.folder(name)
                continue
            with packed.open(info) as content:
                writer.file(name, content)


def _unpack_tar(archive: Path, kind: str, writer: _Writer) -> None:
    with _OPENERS[kind](archive) as octets:
        counted = _Counted(octets, writer)
        with tarfile.open(fileobj=counted, mode="r|") as packed:  # type: ignore[call-overload]
            while (member := packed.next()) is not None:
                # The archive keeps every member for look-ups that we never make.
                packed.members = []
                if member.isdir():
                    if member.name.strip("/") not in ("", "."):
                        writer.folder(member.name)
                    continue
                content = packed.extractfile(member) if member.isreg() else None
                if content is None or member.issparse():
                    raise writer.refuse(member.name, "is a link or a device")
                with content:
                    writer.file(member.name, content)


# Whoever calls one closes what it opens.
_OPENERS: dict[str, Callable[[Path], IO[bytes]]] = {
    "tar": lambda path: path.open("rb"),
    "tar.gz": lambda path: cast(IO[bytes], gzip.open(path)),  # noqa: SIM115
    "tar.bz2": lambda path: cast(IO[bytes], bz2.open(path)),  # noqa: SIM115
    "tar.xz": lambda path: cast(IO[bytes], lzma.open(path)),  # noqa: SIM115
}


class _Counted:
    """A decompressed tar that ends the work when it yields more than it may.

    tarfile reads long names and the like whole: without this a few octets could fill the memory.
    """

    def __init__(self, stream: IO[bytes], writer: _Writer) -> None:
        self._stream = stream
        self._writer = writer
        self._left = writer.most + (64 << 20)

    def read(self, size: int) -> bytes:
        block = self._stream.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise self._writer.refuse("", f"unpacks to more than {self._writer.most} octets in all")
        return block


def _lift(target: Path) -> None:
    """Move the contents of a single folder one level up: most archives have one around all."""
    entries = list(target.iterdir())
    if len(entries) != 1 or not entries[0].is_dir():
        return
    # Under a name that none of its own entries has.
    only = entries[0].rename(target / f".{secrets.token_hex(8)}")
    for entry in only.iterdir():
        entry.rename(target / entry.name)
    only.rmdir()
