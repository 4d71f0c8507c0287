"""Model versions in a folder: list, show, promote, roll back, load.

Each version is a folder written by :func:`intent.training.train`. ``CURRENT`` names the promoted
one, its checksum and what was current before; it is replaced in one step, so a reader sees the
old or the new version, never half of one. Without a promoted version the embedded model is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from intent.catalogue import Catalogue
from intent.classifier import TrainedClassifier
from intent.errors import ModelError
from intent.storage import SUMS, read_card, read_whole

POINTER: Final = "CURRENT"
_VERSION: Final = re.compile(r"nl-[0-9a-f]{12}")
_HISTORY: Final = 20
"""Rollbacks that are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """One line of ``wegwijs models list``."""

    version: str
    current: bool
    embedded: bool
    top1: float | None
    """Share of the held-out rows that was right; None when none were held out."""
    damaged: bool


class Registry:
    """Versions under one folder, with the embedded model behind them.

    Args:
        root: The home folder's ``models/intent-nl``; may be absent.
        embedded: The read-only default model's folder.
    """

    def __init__(self, root: Path, embedded: Path) -> None:
        self._root = root
        self._embedded = embedded

    def current(self) -> Path:
        """Return the folder of the version in use.

        Raises:
            ModelError: The pointer is damaged, or the version it names is missing or changed.
        """
        pointer = self._pointer()
        if pointer is None:
            return self._embedded
        directory = self._root / str(pointer["current"])
        if not directory.is_dir():
            raise ModelError(
                directory, "missing", f"is named by {POINTER} but is not there",
                remedy="run 'wegwijs models rollback' or promote another version",
            )  # fmt: skip
        if _sum(directory) != pointer["sha256"]:
            raise ModelError(
                directory / SUMS, "damaged", "has changed since the version was promoted",
                remedy="run 'wegwijs models rollback' or train again",
            )  # fmt: skip
        return directory

    def load(self, catalogue: Catalogue | None = None) -> TrainedClassifier:
        """Load the version in use.

        Raises:
            ModelError: It cannot be used; nothing was replaced.
        """
        return TrainedClassifier.load(self.current(), catalogue)

    def versions(self) -> tuple[StoredVersion, ...]:
        """Return every version, the embedded one first, then by name.

        Raises:
            ModelError: The folder cannot be read.
        """
        damaged = False
        try:
            current: Path | None = self.current()
        except ModelError:
            # Still what the next start will ask for: the list shows both.
            current, damaged = self._promoted(), True
        found = [self._describe(self._embedded, current, embedded=True)]
        try:
            directories = [
                directory
                for directory in sorted(self._root.iterdir())
                if directory.is_dir() and _VERSION.fullmatch(directory.name)
            ]
        except (FileNotFoundError, NotADirectoryError):
            directories = []
        except OSError as error:
            raise _unreadable(self._root, error) from None
        found += [self._describe(directory, current, embedded=False) for directory in directories]
        return tuple(
            replace(version, damaged=True) if damaged and version.current else version
            for version in found
        )

    def show(self, version: str) -> dict[str, Any]:
        """Return the card of a version.

        Raises:
            ModelError: There is no such version, or it is damaged.
        """
        return read_card(self._find(version))

    def promote(self, version: str) -> Path:
        """Make ``version`` the one in use, after reading all of it.

        Raises:
            ModelError: It is unknown, damaged or of another format; the running one stays.
        """
        directory = self._find(version)
        read_whole(directory)
        if directory == self._embedded:
            previous = self._history()
            self._write(None, previous)
        else:
            self._write(directory, self._history())
        return directory

    def rollback(self) -> Path:
        """Return to what was in use before the last promotion.

        Raises:
            ModelError: There is nothing to return to.
        """
        pointer = self._pointer()
        history: list[str] = list(pointer["previous"]) if pointer is not None else []
        while history:
            name = history.pop()
            if name == "":
                self._write(None, history)
                return self._embedded
            directory = self._root / name
            if directory.is_dir():
                self._write(directory, history)
                return directory
        if pointer is None:
            raise ModelError(
                self._root, "unknown", "has no earlier version",
                remedy="promote one of 'wegwijs models list'",
            )  # fmt: skip
        self._write(None, [])
        return self._embedded

    def _history(self) -> list[str]:
        """Return what a rollback would step through, the version in use last."""
        pointer = self._pointer()
        if pointer is None:
            return [""]
        return [*pointer["previous"], pointer["current"]][-_HISTORY:]

    def _find(self, version: str) -> Path:
        if _VERSION.fullmatch(version) and (self._root / version).is_dir():
            return self._root / version
        if version == "embedded" or read_card(self._embedded)["version"] == version:
            return self._embedded
        raise ModelError(
            self._root, "unknown", f"has no version {version[:40]!r}",
            remedy="choose one of 'wegwijs models list'",
        )  # fmt: skip

    def _describe(self, directory: Path, current: Path | None, *, embedded: bool) -> StoredVersion:
        try:
            card = read_whole(directory)
        except ModelError:
            return StoredVersion(
                version=directory.name, current=directory == current, embedded=embedded,
                top1=None, damaged=True,
            )  # fmt: skip
        held_out = card.get("held_out") or {}
        return StoredVersion(
            version=str(card["version"]),
            current=directory == current,
            embedded=embedded,
            top1=held_out.get("top1"),
            damaged=False,
        )

    def _promoted(self) -> Path | None:
        """Return the folder that the pointer names, whatever its state; None when it is broken."""
        try:
            pointer = self._pointer()
        except ModelError:
            return None
        return self._embedded if pointer is None else self._root / str(pointer["current"])

    def _pointer(self) -> dict[str, Any] | None:
        """Return the pointer, None when the embedded model is in use and nothing came before."""
        file = self._root / POINTER
        try:
            pointer = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(file, error) from None
        except ValueError:
            raise ModelError(
                file, "damaged", "is not a pointer to a version",
                remedy="remove it: the embedded model is used until you promote a version",
            ) from None  # fmt: skip
        if (
            not isinstance(pointer, dict)
            or not _VERSION.fullmatch(str(pointer.get("current")))
            or not isinstance(pointer.get("sha256"), str)
            or not isinstance(pointer.get("previous"), list)
            or not all(p == "" or _VERSION.fullmatch(str(p)) for p in pointer["previous"])
        ):
            raise ModelError(
                file, "damaged", "is not a pointer to a version",
                remedy="remove it: the embedded model is used until you promote a version",
            )  # fmt: skip
        return pointer

    def _write(self, directory: Path | None, previous: list[str]) -> None:
        """Replace the pointer in one step; None points back to the embedded model."""
        self._root.mkdir(parents=True, exist_ok=True)
        target = self._root / POINTER
        if directory is None:
            target.unlink(missing_ok=True)
            return
        content = json.dumps(
            {"current": directory.name, "sha256": _sum(directory), "previous": previous}
        )
        descriptor, name = tempfile.mkstemp(dir=self._root, prefix=".current-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as draft:
            draft.write(content + "\n")
            draft.flush()
            os.fsync(draft.fileno())
        os.replace(name, target)


def _unreadable(path: Path, error: OSError) -> ModelError:
    """What is there may be well: nobody should remove it for this."""
    return ModelError(
        path, "unreadable", f"cannot be read ({error.strerror})",
        remedy="give the folder to this user, or name another home folder",
    )  # fmt: skip


def _sum(directory: Path) -> str:
    """Return SHA-256 of the version's sums, which cover all its files."""
    try:
        return hashlib.sha256((directory / SUMS).read_bytes()).hexdigest()
    except OSError:
        raise ModelError(
            directory, "missing", f"has no readable {SUMS}", remedy="train again"
        ) from None
