"""The home folder: everything that a running service writes (``--home``).

::

    HOME/                       0700, made at start
    ├── contacts.sqlite         contact register, unless the configuration names another URL
    ├── recordings/YYYY/MM/DD/<call_id>-<n>.flac
    ├── models/                 trained model versions and installed recognisers
    ├── secrets/                keys, 0600
    ├── certificates/
    ├── cache/                  can be deleted at any time
    └── spool/                  records that wait for a register that is down, 0600
"""

from __future__ import annotations

import fcntl
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from ivr.errors import ConfigError
from ivr.files.writable import why_unwritable

_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


class HomeLock:
    """Held by the one phone process of a home folder; the kernel frees it when that dies."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let another process have the folder. Idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> HomeLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


@dataclass(frozen=True, slots=True)
class Home:
    """Paths inside one home folder; :meth:`create` makes the folders."""

    path: Path

    @property
    def database_url(self) -> str:
        """URL of the contact register when the configuration names none."""
        return f"sqlite:///{(self.path / 'contacts.sqlite').absolute()}"

    @property
    def recordings(self) -> Path:
        """Root of the recorded utterances; references in the register are relative to it."""
        return self.path / "recordings"

    @property
    def models(self) -> Path:
        """Trained model versions and installed recognisers."""
        return self.path / "models"

    @property
    def recognisers(self) -> Path:
        """Installed models for speech recognition, unless they are kept elsewhere."""
        return self.models / "asr"

    @property
    def secrets(self) -> Path:
        """Keys. Without them, hashes of callers cannot be compared, nor numbers read."""
        return self.path / "secrets"

    @property
    def certificates(self) -> Path:
        """TLS keys and certificates."""
        return self.path / "certificates"

    @property
    def cache(self) -> Path:
        """Converted and concatenated prompts; can be deleted at any time."""
        return self.path / "cache"

    @property
    def spool(self) -> Path:
        """Records waiting for a register that is down."""
        return self.path / "spool"

    def create(self) -> Home:
        """Make the folders that are missing, readable by their owner only.

        Raises:
            ConfigError: A folder cannot be made or written.
        """
        for folder in self._folders:
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise self._unusable(f"{folder}: {error.strerror}") from None
        self.check()
        return self

    def check(self) -> None:
        """Find out whether :meth:`create` and :meth:`lock` may work; nothing is made.

        Raises:
            ConfigError: A folder can neither be made nor written, or the lock is another user's.
        """
        for folder in self._folders:
            if problem := why_unwritable(folder):
                raise self._unusable(problem)
        if self._lock.exists() and not os.access(self._lock, os.R_OK | os.W_OK):
            raise self._unusable(f"{self._lock} is another user's")

    @property
    def _folders(self) -> tuple[Path, ...]:
        return (
            self.path,
            self.recordings,
            self.models,
            self.secrets,
            self.certificates,
            self.cache,
            self.spool,
        )

    @property
    def _lock(self) -> Path:
        return self.path / "phone.lock"

    def _unusable(self, problem: str) -> ConfigError:
        return ConfigError(
            None,
            "home",
            str(self.path),
            f"cannot be used: {problem}",
            remedy="give the folder, with all that is in it, to this user (chown), or name another "
            "one (--home or WEGWIJS_HOME)",
        )

    def lock(self) -> HomeLock:
        """Take the folder for this phone process.

        Raises:
            ConfigError: Another phone process holds it, or the lock cannot be opened.
        """
        return self._locked(os.O_RDWR | os.O_CREAT)

    def is_in_use(self) -> bool:
        """Whether a phone process holds the folder, as far as this user may know."""
        try:
            self._locked(os.O_RDONLY).release()
        except FileNotFoundError:
            return False
        except ConfigError:
            return True
        return False

    def _locked(self, flags: int) -> HomeLock:
        try:
            descriptor = os.open(self._lock, flags, 0o600)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unusable(f"{self._lock}: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise ConfigError(
                None,
                "home",
                str(self.path),
                "is in use by another phone process",
                remedy="stop that process, or give this one its own folder with --home",
            ) from None
        return HomeLock(descriptor)

    def recording_path(self, call_id: str, number: int, at: datetime) -> Path:
        """Where an utterance is recorded; its folder is not made here.

        Args:
            call_id: Our own.
            number: Of the utterance in its call.
            at: When it began, aware; its day in UTC names the folder.

        Raises:
            ValueError: ``call_id`` is not one of ours and could leave the folder.
        """
        if not _CALL_ID.fullmatch(call_id):
            raise ValueError("call_id may hold letters, digits, '-' and '_' only")
        day = at.astimezone(UTC).strftime("%Y/%m/%d")
        return self.recordings / day / f"{call_id}-{number}.flac"

    def recording_reference(self, path: Path) -> str:
        """The reference to store for a path from :meth:`recording_path`: relative, with '/'."""
        return path.relative_to(self.recordings).as_posix()
