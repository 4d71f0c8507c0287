"""Stand-ins for what a call speaks with and writes to: prompts, records, folders, metrics."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ivr.call.prompts import Prompt, SpokenPrompt
from ivr.errors import PromptError
from ivr.ports.records import ContactRecord


class FakePrompts:
    """One file a prompt, named after it and what is filled in."""

    def __init__(self) -> None:
        self.missing: set[Prompt] = set()
        self.error: Exception | None = None

    def wavs(self, spoken: SpokenPrompt) -> Sequence[Path]:
        """See :class:`ivr.ports.Prompts`."""
        if self.error is not None:
            raise self.error
        if spoken.prompt in self.missing:
            raise PromptError(f"prompt {spoken.prompt.value!r} has no recording")
        filled = "-".join(
            part for part in (spoken.thema, spoken.group, *spoken.options) if part is not None
        )
        return (Path(f"{spoken.prompt.value}{'-' if filled else ''}{filled}.wav"),)


class FakeSink:
    """Records in memory, in order; disk jobs are done at once, or refused."""

    def __init__(self) -> None:
        self.records: list[ContactRecord] = []
        self.jobs: list[Callable[[], object]] = []
        self.takes_jobs = True

    def submit(self, record: ContactRecord) -> None:
        """See :class:`ivr.ports.RecordSink`."""
        self.records.append(record)

    def submit_job(self, job: Callable[[], object]) -> bool:
        """See :class:`ivr.ports.RecordSink`."""
        if self.takes_jobs:
            self.jobs.append(job)
        return self.takes_jobs

    def of(self, kind: type[Any]) -> list[Any]:
        """The records of one kind."""
        return [record for record in self.records if isinstance(record, kind)]


class FakeFolder:
    """Paths that nobody writes."""

    def recording_path(self, call_id: str, number: int, at: datetime.datetime) -> Path:
        """See :class:`ivr.ports.RecordingFolder`."""
        return Path("/nowhere") / f"{call_id}-{number}.flac"

    def recording_reference(self, path: Path) -> str:
        """See :class:`ivr.ports.RecordingFolder`."""
        return path.name


class FakeCallerNumbers:
    """Numbers that can be told apart and read back by a test alone."""

    def hash(self, number: str) -> str:
        """See :class:`ivr.ports.CallerNumbers`."""
        return f"hash-of-{len(number)}" if number.encode("utf-8") else ""

    def encrypt(self, number: str) -> bytes | None:
        """See :class:`ivr.ports.CallerNumbers`."""
        return number.encode("utf-8")[::-1] if number else None


class FakeObserver:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.states: list[tuple[str | None, str | None]] = []
        self.outcomes: list[tuple[str, str]] = []
        self.stages: list[tuple[str, float]] = []
        self.decisions: list[tuple[str, bool]] = []
        self.transfers: list[tuple[str, str, str]] = []
        self.dropped = 0
        self.failures: list[str] = []

    def state_changed(self, line: str, old: str | None, new: str | None) -> None:
        """See :class:`ivr.ports.observer.Observer`."""
        self.states.append((old, new))

    def call_ended(self, line: str, outcome: str, reason: str, seconds: float) -> None:
        """See :class:`ivr.ports.observer.Observer`."""
        self.outcomes.append((str(outcome), reason))

    def stage_measured(self, line: str, stage: str, seconds: float) -> None:
        """See :class:`ivr.ports.observer.Observer`."""
        self.stages.append((stage, seconds))

    def decided(self, line: str, action: str, applied: bool) -> None:
        """See :class:`ivr.ports.observer.Observer`."""
        self.decisions.append((str(action), applied))

    def transfer_ended(self, group: str, method: str, result: str, seconds: float) -> None:
        """See :class:`ivr.ports.observer.Observer`."""
        self.transfers.append((group, method, result))

    def frames_dropped(self, count: int) -> None:
        """See :class:`ivr.ports.observer.Observer`."""
        self.dropped += count

    def failed(self, what: str) -> None:
        """See :class:`ivr.ports.observer.Observer`."""
        self.failures.append(what)
