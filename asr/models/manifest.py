"""Which models can be installed: ``models/manifest.toml``, and manifests of the user's own.

Form of a manifest: ``schema = 1`` and a table ``[models.NAME]`` for each model, with its files in
``[[models.NAME.files]]``. A model is one archive (``unpack`` says of which kind) or several files.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from asr.errors import ManifestError
from asr.model_files.files import embedded_manifest

SCHEMA = 1
ARCHIVES = ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LARGEST_OCTETS = 1 << 40
_VERSION_SUFFIX = re.compile(r"-?v?[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One file to fetch.

    Attributes:
        url: Where it is; https, or http on the loopback interface.
        name: File name in the model's folder, or of the archive.
        size_octets: Exact size; None when nobody published it.
        about_octets: Rough size when the exact one is unknown; for the free space asked for.
        sha256: Lower-case hexadecimal; None when nobody published it.
        unpack: One of :data:`ARCHIVES`; None for a file that is kept as it is.
        source: Where size and SHA-256 come from.
    """

    url: str
    name: str
    size_octets: int | None = None
    about_octets: int | None = None
    sha256: str | None = None
    unpack: str | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """A model that can be installed.

    Attributes:
        name: How users call it; also the folder's name.
        title: For people.
        engine: Engine that reads it, for example ``vosk``.
        language: BCP 47 tag, or ``multilingual``.
        version: The publisher's version, or the hub's commit.
        licence: Short name, as its publisher writes it.
        licence_url: Where the publisher says so.
        non_commercial: The licence forbids commercial use, so the user must confirm it.
        about: What to expect of it, one or two sentences.
        aliases: Other names under which it is known.
        requires: Files without which the folder is not this model.
        files: What to fetch; one archive, or several files.
    """

    name: str
    title: str
    engine: str
    language: str
    version: str
    licence: str
    licence_url: str = ""
    non_commercial: bool = False
    about: str = ""
    aliases: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    files: tuple[ModelFile, ...] = ()

    @property
    def size_octets(self) -> int | None:
        """What has to be fetched, roughly where only that is known; None when nobody knows."""
        sizes = [file.size_octets or file.about_octets for file in self.files]
        return None if not sizes or None in sizes else sum(size or 0 for size in sizes)

    @property
    def is_pinned(self) -> bool:
        """Every file has a published SHA-256."""
        return bool(self.files) and all(file.sha256 is not None for file in self.files)

    def accepts(self, licence: str) -> bool:
        """Whether this text names the entry's licence; a version may follow an unversioned name."""
        given, known = licence.strip().casefold(), self.licence.casefold()
        return given == known or (
            given.startswith(known) and _VERSION_SUFFIX.fullmatch(given[len(known) :]) is not None
        )


class Manifest:
    """Models by name.

    Args:
        entries: In order; a later one of the same name replaces an earlier one.
    """

    def __init__(self, entries: Iterable[ModelEntry]) -> None:
        self._entries = {entry.name: entry for entry in entries}

    @property
    def entries(self) -> tuple[ModelEntry, ...]:
        """All models, in the manifest's order."""
        return tuple(self._entries.values())

    def find(self, name: str) -> ModelEntry | None:
        """Return the model of this name or alias, whatever the case of its letters."""
        wanted = name.casefold()
        if wanted in self._entries:
            return self._entries[wanted]
        for entry in self._entries.values():
            if wanted in (alias.casefold() for alias in entry.aliases):
                return entry
        return None

    def hint(self, name: str) -> str:
        """Return what to try instead of a name that is not here."""
        known = list(self._entries)
        close = difflib.get_close_matches(name.casefold(), known, n=1)
        return f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"


def load_manifest(*own: Path) -> Manifest:
    """Read the embedded manifest, and the user's own after it.

    Args:
        own: Further manifest files; their models replace embedded ones of the same name.

    Raises:
        ManifestError: A file cannot be read, or is not a manifest.
    """
    entries: list[ModelEntry] = []
    for path in (embedded_manifest(), *own):
        entries += read_manifest(path)
    return Manifest(entries)


def check_name(name: str) -> bool:
    """Whether this can be a model's name, and so a folder's: no path, nothing hidden."""
    return _NAME.fullmatch(name) is not None and ".." not in name


def check_sha256(text: str) -> str | None:
    """Return a SHA-256 in lower case, or None when the text is none."""
    lower = text.strip().lower()
    return lower if _SHA256.fullmatch(lower) else None


def read_manifest(path: Path) -> list[ModelEntry]:
    """Read one manifest file.

    Raises:
        ManifestError: It cannot be read, or is not a manifest.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(
            path, f"cannot be read ({error.strerror})", "check the path given with --manifest"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestError(path, f"is not TOML ({error})", "correct the file") from None
    top = _Table(path, "", content)
    if top.integer("schema") != SCHEMA:
        raise ManifestError(path, f"schema = {content['schema']}", f"write schema = {SCHEMA}")
    models = top.table("models")
    top.done()
    return [_entry(models.table(name), name) for name in models.values]


def _entry(table: _Table, name: str) -> ModelEntry:
    if not check_name(name):
        raise table.error(
            None, "is not a model's name", "use small letters, digits, '-', '_' and '.'"
        )
    files = tuple(_file(file) for file in table.tables("files"))
    entry = ModelEntry(
        name=name,
        title=table.text("title", name),
        engine=table.text("engine"),
        language=table.text("language", "nl"),
        version=table.text("version"),
        licence=table.text("licence"),
        licence_url=table.text("licence_url", ""),
        non_commercial=table.flag("non_commercial"),
        about=table.text("about", ""),
        aliases=table.texts("aliases"),
        requires=table.texts("requires"),
        files=files,
    )
    table.done()
    names = [file.name.casefold() for file in files]
    if len(set(names)) < len(names):
        raise table.error("files", "has two files of one name", "give each a name of its own")
    if any(file.unpack for file in files) and len(files) > 1:
        raise table.error("files", "has an archive beside other files", "put them in one archive")
    return entry


def _file(table: _Table) -> ModelFile:
    url = table.text("url")
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise table.error("url", "is not an https address", "write https://HOST/PATH")
    name = table.text("name", unquote(parts.path.rsplit("/", 1)[-1]))
    if not _FILE_NAME.fullmatch(name) or ".." in name:
        raise table.error("name", "cannot be a file's name", 'name the file: name = "model.bin"')
    unpack = table.text("unpack", "") or None
    if unpack is not None and unpack not in ARCHIVES:
        raise table.error("unpack", "is not a known kind", f"one of: {', '.join(ARCHIVES)}")
    sha256 = table.text("sha256", "") or None
    if sha256 is not None:
        sha256 = check_sha256(sha256)
        if sha256 is None:
            raise table.error("sha256", "is not a SHA-256", "write 64 hexadecimal digits")
    file = ModelFile(
        url=url,
        name=name,
        size_octets=table.size("size_octets"),
        about_octets=table.size("about_octets"),
        sha256=sha256,
        unpack=unpack,
        source=table.text("source", ""),
    )
    table.done()
    return file


class _Table:
    """A TOML table that complains by file and key."""

    def __init__(self, path: Path, key: str, values: Mapping[str, Any]) -> None:
        self._path = path
        self._key = key
        self.values = values
        self._seen: set[str] = set()

    def error(self, key: str | None, problem: str, remedy: str) -> ManifestError:
        where = ".".join(part for part in (self._key, key) if part)
        return ManifestError(self._path, f"{where} {problem}" if where else problem, remedy)

    def _get(self, key: str, kind: type, words: str, default: Any = None) -> Any:
        self._seen.add(key)
        value = self.values.get(key, default)
        if value is None:
            raise self.error(key, "is missing", f"write {key} = {words}")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(key, f"= {value!r} is not {words}", f"write {words}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = str(self._get(key, str, "a text", default))
        if not value and default is None:
            raise self.error(key, "is empty", "write a text")
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
            raise self.error(key, "holds a control character", "write it on one line")
        return value

    def integer(self, key: str) -> int:
        return int(self._get(key, int, "a whole number"))

    def size(self, key: str) -> int | None:
        if key not in self.values:
            return None
        value = self.integer(key)
        if not 0 < value <= _LARGEST_OCTETS:
            raise self.error(key, f"= {value} is not a size", "write the number of octets")
        return value

    def flag(self, key: str) -> bool:
        return bool(self._get(key, bool, "true or false", False))

    def texts(self, key: str) -> tuple[str, ...]:
        values = self._get(key, list, "a list of texts", [])
        if not all(isinstance(value, str) and value for value in values):
            raise self.error(key, "is not a list of texts", 'write for example ["am/final.mdl"]')
        return tuple(values)

    def table(self, key: str) -> _Table:
        values = self._get(key, dict, "a table")
        return _Table(self._path, f"{self._key}.{key}" if self._key else key, values)

    def tables(self, key: str) -> list[_Table]:
        values = self._get(key, list, "a list of tables")
        if not values or not all(isinstance(value, dict) for value in values):
            raise self.error(key, "is not a list of tables", f"write [[{self._key}.{key}]]")
        return [
            _Table(self._path, f"{self._key}.{key}[{number}]", value)
            for number, value in enumerate(values)
        ]

    def done(self) -> None:
        """Refuse keys that nobody asked for: a misspelt one would be ignored in silence."""
        for key in self.values:
            if key not in self._seen:
                close = difflib.get_close_matches(key, self._seen, n=1)
                remedy = f"did you mean {close[0]}?" if close else "leave it out"
                raise self.error(key, "is not a known key", remedy)
