"""What is written into an installed model's folder: where it came from, and every file's hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum, unique
from pathlib import Path
from typing import Any

from asr.errors import ModelDamagedError

RECORD_FILE = ".wegwijs-model.json"
"""Hidden: it is no part of the model, whose name and checksum are alike on every machine."""
SCHEMA = 1
_REINSTALL = "install it again: wegwijs models install NAME --force"


@unique
class Trust(StrEnum):
    """What the SHA-256 of the files was compared with. The values are in records: never rename."""

    PUBLISHED = "published"
    """The value in the manifest."""

    GIVEN = "given"
    """A value that the user gave with ``--sha256``."""

    FIRST = "first-download"
    """Nothing: the user trusted what came, and this is what came."""


@dataclass(frozen=True, slots=True)
class RecordedSource:
    """One file that was fetched or taken.

    Attributes:
        origin: Its address without user and password, or its path.
        size_octets: Its size.
        sha256: Its hash; empty for a folder.
    """

    origin: str
    size_octets: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """One file of the installed model.

    Attributes:
        name: Relative, with '/'.
        size_octets: Its size.
        sha256: Its hash.
    """

    name: str
    size_octets: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """The record of one installed model.

    Attributes:
        name: As in the store.
        title: For people.
        engine: Engine that reads it.
        language: BCP 47 tag, or ``multilingual``.
        version: The publisher's.
        licence: Short name.
        licence_url: Where its publisher says so.
        non_commercial: The licence forbids commercial use; the user has confirmed it.
        trust: What the hashes were compared with.
        load_check: ``loaded``, or why that was not tried.
        installed_at: ISO 8601, UTC.
        sources: What was fetched.
        files: What is in the folder, without this record.
    """

    name: str
    title: str
    engine: str
    language: str
    version: str
    licence: str
    licence_url: str
    non_commercial: bool
    trust: Trust
    load_check: str
    installed_at: str
    sources: tuple[RecordedSource, ...]
    files: tuple[RecordedFile, ...]

    @property
    def size_octets(self) -> int:
        """Size of the model on disk."""
        return sum(file.size_octets for file in self.files)

    @property
    def checksum(self) -> str:
        """A short checksum that names this model on every machine: 8 hexadecimal digits."""
        lines = "".join(f"{file.sha256}  {file.name}\n" for file in self.files)
        return hashlib.sha256(lines.encode()).hexdigest()[:8]

    def pinned(self, origin: str) -> str | None:
        """Return the hash that was seen at this address when the model was installed."""
        for source in self.sources:
            if source.origin == origin and source.sha256:
                return source.sha256
        return None

    def write(self, folder: Path) -> None:
        """Write it into the model's folder."""
        text = json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2, ensure_ascii=False)
        (folder / RECORD_FILE).write_text(text + "\n", encoding="utf-8")


def read_record(folder: Path) -> ModelRecord | None:
    """Return a model folder's record, None when it has none.

    Raises:
        ModelDamagedError: There is one, but it is not whole.
    """
    path = folder / RECORD_FILE
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise ModelDamagedError(path, "the record cannot be read", _REINSTALL) from None
    try:
        if content.pop("schema") != SCHEMA:
            raise ValueError("schema")
        sources = tuple(RecordedSource(**source) for source in content.pop("sources"))
        files = tuple(RecordedFile(**file) for file in content.pop("files"))
        if not all(
            isinstance(file.name, str)
            and isinstance(file.sha256, str)
            and isinstance(file.size_octets, int)
            and not Path(file.name).is_absolute()
            and ".." not in Path(file.name).parts
            for file in files
        ):
            raise ValueError("files")
        trust = Trust(content.pop("trust"))
        return ModelRecord(trust=trust, sources=sources, files=files, **content)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ModelDamagedError(path, "the record is not one of ours", _REINSTALL) from None


def check_files(folder: Path, record: ModelRecord) -> None:
    """Check that every recorded file is there and of its size; its hash is not looked at.

    Raises:
        ModelDamagedError: One is missing or of another size.
    """
    for file in record.files:
        path = folder / file.name
        if not path.is_file():
            raise ModelDamagedError(path, "the file is missing", _remedy(record))
        if path.stat().st_size != file.size_octets:
            raise ModelDamagedError(path, "the file has another size", _remedy(record))


def _remedy(record: ModelRecord) -> str:
    return _REINSTALL.replace("NAME", record.name)
