"""Where a model's octets come from: an address, an archive, a folder; each file is checked."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from asr.errors import ModelInstallError, ModelRefusedError
from asr.model_files.files import file_sha256
from asr.model_files.record import RECORD_FILE, ModelRecord, RecordedSource, Trust
from asr.models.download import Patience, Wanted, check_url, download, shown
from asr.models.manifest import ModelEntry, ModelFile
from asr.models.unpack import Bounds, archive_octets, kind_of, safe_parts, unpack

FileProgress = Callable[[str, int, int | None], None]
"""Called with a file's name, the octets there are, and those wanted, None when unknown."""

_SPARE_OCTETS = 64 << 20
_UNPACKED_TIMES = 2.5
"""Speech models unpack to at most about twice their archive."""
_LARGEST_OCTETS = 16 << 30
"""Of a download whose size nobody published."""
_COPY_OCTETS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """How to install a model.

    Attributes:
        source: Local archive or folder to take it from; None to download.
        mirror: Base address that replaces the manifest's: ``MIRROR/MODEL/FILE``.
        sha256: What the user says that the archive's hash is, where the manifest has none.
        trust_first: Take what comes where no hash is known, and record it.
        force: Install again what is installed.
        patience: Bounds on waiting for servers.
        progress: Told about every block.
        say: Told about every step.
    """

    source: Path | None = None
    mirror: str | None = None
    sha256: str | None = None
    trust_first: bool = False
    force: bool = False
    patience: Patience = field(default_factory=Patience)
    progress: FileProgress = lambda name, octets, total: None
    say: Callable[[str], None] = lambda words: None


class Sources:
    """Fills a model's folder, and remembers from where.

    Args:
        entry: The model.
        request: How to get it.
        pinned: Record of the version installed now, whose hashes still hold; None when there is
            none.
        downloads: Folder for parts of downloads; stays when this fails.
        staging: An empty folder; the model comes to be in :attr:`model` below it.
    """

    def __init__(
        self,
        entry: ModelEntry,
        request: Request,
        pinned: ModelRecord | None,
        downloads: Path,
        staging: Path,
    ) -> None:
        self._entry = entry
        self._request = request
        self._pinned = pinned
        self._downloads = downloads
        self._staging = staging
        self.model = staging / "model"
        self.recorded: list[RecordedSource] = []
        self.trust = Trust.PUBLISHED
        """What the hashes were compared with."""

    def fill(self) -> None:
        """Put the model's files into :attr:`model`.

        Raises:
            ModelInstallError: They cannot be had, or are not the right ones.
        """
        self.model.mkdir(mode=0o755)
        if self._request.source is not None:
            self._take(self._request.source)
        else:
            self._fetch()

    def _fetch(self) -> None:
        entry, downloads = self._entry, self._downloads
        if not entry.files:
            raise ModelInstallError(
                entry.name, "has no address", "give the model itself with --from PATH"
            )
        wanted = [(file, self._address(file), self._expected(file)) for file in entry.files]
        self._check_space()
        for file, url, sha256 in wanted:
            part = downloads / f"{file.name}.part"
            about = file.about_octets
            seen = download(
                Wanted(
                    url=url,
                    size_octets=file.size_octets,
                    at_most_octets=about * 2 if about else _LARGEST_OCTETS,
                    sha256=sha256,
                ),
                part,
                partial(self._request.progress, file.name),
                self._request.say,
                self._request.patience,
            )
            self._note(shown(url), part.stat().st_size, seen, is_known=sha256 is not None)
            if file.unpack:
                try:
                    self._unpack(part, file.unpack)
                except ModelRefusedError as error:
                    # The part is deleted now; its address stays.
                    raise ModelRefusedError(shown(url), error.reason, error.remedy) from None
        for file, _, _ in wanted:
            if not file.unpack:
                shutil.move(downloads / f"{file.name}.part", self.model / file.name)

    def _take(self, source: Path) -> None:
        if source.is_dir():
            archives = [file for file in self._entry.files if file.unpack]
            if archives and (source / archives[0].name).is_file():
                self._take_archive(source / archives[0].name, archives[0])
            elif self._entry.files and not archives:
                self._take_files(source)
            else:
                self._take_folder(source)
        elif source.is_file():
            archives = [file for file in self._entry.files if file.unpack]
            if self._entry.files and not archives:
                inside = self._staging / "archive"
                inside.mkdir()
                self._check_room(archive_octets(source, kind_of(source)) or source.stat().st_size)
                unpack(source, kind_of(source), inside)
                self._take_files(inside, source)
            else:
                self._take_archive(source, archives[0] if archives else None)
        else:
            raise ModelInstallError(
                str(source), "is neither a file nor a folder", "check the path given with --from"
            )

    def _take_archive(self, archive: Path, file: ModelFile | None) -> None:
        kind = kind_of(archive)
        expected = self._expected(file or ModelFile(url="", name=archive.name))
        size = archive.stat().st_size
        if file is not None and file.size_octets not in (None, size):
            raise _other(archive, f"{size} octets, not {file.size_octets}")
        seen = self._hash(archive)
        if expected not in (None, seen):
            raise _other(archive, f"its SHA-256 is {seen}, not {expected}")
        self._note(str(archive.absolute()), size, seen, is_known=expected is not None)
        self._unpack(archive, kind)

    def _take_files(self, folder: Path, archive: Path | None = None) -> None:
        """Copy the entry's files, each checked against the manifest, and nothing else.

        Args:
            folder: Where they are.
            archive: What was unpacked there, for messages and the record.
        """
        self._check_room(self._entry.size_octets or 0)
        for file in self._entry.files:
            path, origin = folder / file.name, (archive or folder) / file.name
            if not path.is_file() and archive is not None:
                wanted = ", ".join(file.name for file in self._entry.files)
                raise ModelRefusedError(
                    str(archive),
                    f"holds no {file.name}: this is not {self._entry.title or self._entry.name}",
                    f"give an archive with all files of the model: {wanted}",
                )
            if not path.is_file():
                raise ModelInstallError(str(path), "is missing", "copy all files of the model")
            expected = self._expected(file)
            self._copy(path, self.model / file.name)
            seen = self._hash(self.model / file.name)
            size = path.stat().st_size
            if expected not in (None, seen):
                raise _other(origin, f"its SHA-256 is {seen}, not {expected}")
            self._note(str(origin.absolute()), size, seen, is_known=expected is not None)

    def _take_folder(self, folder: Path) -> None:
        """Copy a folder as it is: nothing published says what its files should be."""
        if not self._request.trust_first:
            raise ModelInstallError(
                str(folder),
                "is an unpacked model, whose files cannot be compared with a published SHA-256",
                "give the archive instead, or add --trust-first-download if you know the folder",
            )
        self.trust = Trust.FIRST
        bounds, total = Bounds(), 0
        for count, path in enumerate(sorted(folder.rglob("*")), 1):
            name = path.relative_to(folder).as_posix()
            mode = path.lstat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise ModelInstallError(
                    str(path), "is a link or a device", "give a folder of plain files"
                )
            parts = safe_parts(name)
            if parts is None or count > bounds.files:
                raise ModelInstallError(str(path), "is no file of a model", "give a model's folder")
            if stat.S_ISDIR(mode):
                (self.model / name).mkdir(mode=0o755)
            elif name != RECORD_FILE:
                total += path.stat().st_size
                self._check_room(path.stat().st_size)
                self._copy(path, self.model / name)
        self.recorded.append(RecordedSource(str(folder.absolute()), total, ""))

    # What is checked.

    def _expected(self, file: ModelFile) -> str | None:
        """Return the hash that the file must have, None to trust what comes.

        Raises:
            ModelInstallError: Nobody knows it, and the user has not said to trust it.
        """
        given = self._request.sha256
        if given is not None and len(self._entry.files) > 1:
            raise ModelInstallError(
                self._entry.name, "consists of several files, --sha256 is of one", "leave it out"
            )
        if file.sha256 is not None:
            if given not in (None, file.sha256):
                raise ModelInstallError(
                    self._entry.name,
                    f"has the published SHA-256 {file.sha256}, not the given {given}",
                    "leave out --sha256",
                )
            return file.sha256
        if given is not None:
            self.trust = Trust.GIVEN
            return given
        pinned = self._pinned.pinned(shown(file.url)) if self._pinned and file.url else None
        if pinned is not None and self._pinned is not None:
            self.trust = self._pinned.trust
            return pinned
        if self._request.trust_first:
            self.trust = Trust.FIRST
            return None
        raise ModelInstallError(
            file.name,
            "has no published SHA-256, so nobody can tell whether it is the right file",
            "give the one that you verified yourself with --sha256 HEX, or take what comes with "
            "--trust-first-download",
        )

    def _note(self, origin: str, size: int, sha256: str, *, is_known: bool) -> None:
        self.recorded.append(RecordedSource(origin, size, sha256))
        if not is_known:
            self._request.say(f"SHA-256 of {Path(origin).name}: {sha256}, trusted from now on")

    def _address(self, file: ModelFile) -> str:
        url = file.url
        if self._request.mirror is not None:
            parts = urlsplit(self._request.mirror)
            path = f"{parts.path.rstrip('/')}/{quote(self._entry.name)}/{quote(file.name)}"
            url = urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))
        check_url(url)
        return url

    def _check_space(self) -> None:
        """Refuse before the first octet what cannot fit after the last."""
        need = 0.0
        for file in self._entry.files:
            size = file.size_octets or file.about_octets or 0
            part = self._downloads / f"{file.name}.part"
            have = part.stat().st_size if part.is_file() else 0
            need += max(0, size - have) + (size * _UNPACKED_TIMES if file.unpack else 0)
        self._check_room(int(need))

    def _check_room(self, octets: int) -> None:
        free = shutil.disk_usage(self._staging).free
        if free < octets + _SPARE_OCTETS:
            raise ModelInstallError(
                str(self._staging.parent),
                f"has {free >> 20} MB free, {self._entry.name} needs "
                f"{(octets + _SPARE_OCTETS) >> 20} MB",
                "make room, or name another folder with --models",
            )

    # Moving octets.

    def _unpack(self, archive: Path, kind: str) -> None:
        self._check_room(archive_octets(archive, kind))
        self._request.say(f"unpacking {archive.name.removesuffix('.part')}")
        unpack(archive, kind, self.model)
        # A record in the archive would be one that somebody else wrote.
        (self.model / RECORD_FILE).unlink(missing_ok=True)

    def _copy(self, source: Path, target: Path) -> None:
        size, octets = source.stat().st_size, 0
        with source.open("rb") as taken, target.open("xb") as stream:
            while block := taken.read(_COPY_OCTETS):
                stream.write(block)
                octets += len(block)
                self._request.progress(source.name, octets, size)

    def _hash(self, path: Path) -> str:
        if path.stat().st_size > 100 << 20:
            self._request.say(f"checking {path.name}")
        return file_sha256(path)


def _other(path: Path, what: str) -> ModelInstallError:
    return ModelInstallError(
        str(path), f"is another file than the one wanted: {what}", "download or copy it again"
    )
