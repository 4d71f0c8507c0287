"""The contact register as the engine sees it: takes records and disk work, keeps numbers."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ivr.ports import records


class RecordSink(Protocol):
    """Takes records and disk work without ever making a call wait: the contact writer."""

    def submit(self, record: records.ContactRecord) -> None:
        """Hand over a record. Never blocks, never raises."""

    def submit_job(self, job: Callable[[], object]) -> bool:
        """Hand over work for the disk; False when too much waits."""


class CallerNumbers(Protocol):
    """How a caller's number may be kept."""

    def hash(self, number: str) -> str:
        """Keyed hash; empty for a withheld number."""

    def encrypt(self, number: str) -> bytes | None:
        """Encrypted; None for a withheld number."""


class RecordingFolder(Protocol):
    """Where recordings go: the home folder."""

    def recording_path(self, call_id: str, number: int, at: datetime.datetime) -> Path:
        """Path of utterance ``number`` of a call."""

    def recording_reference(self, path: Path) -> str:
        """What the record says instead of the path."""
