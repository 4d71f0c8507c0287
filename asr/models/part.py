"""A part of a download on disk: what arrived, its hash, and which file it is a part of."""

from __future__ import annotations

import hashlib
import json
from email.message import Message
from pathlib import Path
from typing import IO

from asr.errors import ModelInstallError

_BLOCK_OCTETS = 1 << 18


class Part:
    """The octets so far, their hash, and a note on the file that they are of.

    Args:
        path: The part; made when it is not there.
        url: Address of the file, without user and password: of another one, the part is dropped.
        sha256: Of the whole file, None when unknown; likewise.

    Raises:
        ModelInstallError: It cannot be written.
    """

    def __init__(self, path: Path, url: str, sha256: str | None) -> None:
        self._note = path.with_name(f"{path.name}.json")
        self._about = {"url": url, "sha256": sha256}
        self._can_prove = sha256 is not None
        self._validator = ""
        self._digest = hashlib.sha256()
        self.octets = 0
        self.is_resumed = False
        """The octets came in more than one answer, so they may be of two files."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream: IO[bytes] = path.open("r+b" if path.is_file() else "x+b", buffering=0)
        except OSError as error:
            raise _no_room(path, error) from None
        self._path = path
        self._take_up()

    def _take_up(self) -> None:
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            same = {key: note[key] for key in self._about} == self._about
            validator = str(note["validator"])
        except (OSError, ValueError, TypeError, KeyError):
            same, validator = False, ""
        if not same or not (validator or self._can_prove):
            self.restart()
            return
        while block := self._stream.read(_BLOCK_OCTETS):
            self._digest.update(block)
            self.octets += len(block)
        self._validator = validator
        self.is_resumed = self.octets > 0

    def range_headers(self) -> dict[str, str]:
        """Return what asks for the rest, if the file is still the same."""
        if not self.octets or not (self._validator or self._can_prove):
            return {}
        headers = {"Range": f"bytes={self.octets}-"}
        if self._validator:
            headers["If-Range"] = self._validator
        return headers

    def is_same(self, headers: Message) -> bool:
        """Whether an answer is about the file that the part is of, as far as it says so."""
        return not self._validator or _validator(headers) in ("", self._validator)

    def note(self, headers: Message) -> None:
        """Write down which file this is, before its first octet.

        Raises:
            ModelInstallError: It cannot be written.
        """
        self._validator = _validator(headers) or self._validator
        text = json.dumps({**self._about, "validator": self._validator})
        try:
            self._note.write_text(text, encoding="utf-8")
        except OSError as error:
            raise _no_room(self._note, error) from None

    def append(self, block: bytes) -> None:
        """Add what arrived.

        Raises:
            ModelInstallError: It cannot be written.
        """
        view = memoryview(block)
        try:
            while view:
                view = view[self._stream.write(view) :]
        except OSError as error:
            raise _no_room(self._path, error) from None
        self._digest.update(block)
        self.octets += len(block)

    def restart(self) -> None:
        """Forget every octet."""
        self._stream.seek(0)
        self._stream.truncate()
        self._note.unlink(missing_ok=True)
        self._digest = hashlib.sha256()
        self._validator = ""
        self.octets = 0
        self.is_resumed = False

    def sha256(self) -> str:
        """Return the hash of what there is."""
        return self._digest.hexdigest()

    def __enter__(self) -> Part:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def _validator(headers: Message) -> str:
    """Return what names this state of the file for If-Range; weak tags may not be used there."""
    tag = str(headers.get("ETag", ""))
    if tag and not tag.startswith("W/"):
        return tag
    return str(headers.get("Last-Modified", ""))


def _no_room(path: Path, error: OSError) -> ModelInstallError:
    return ModelInstallError(
        str(path),
        f"cannot be written ({error.strerror})",
        "make room on the disk or name another folder with --models, then run the command again: "
        "it goes on where it stopped",
    )
