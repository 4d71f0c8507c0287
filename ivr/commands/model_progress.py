"""How far a download is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

_LINE_SECONDS = 10.0


class DownloadProgress:
    """Shows progress on standard error, so that standard output stays for results."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
                console=self._console,
                refresh_per_second=4,
            )
        self._tasks: dict[str, TaskID] = {}
        self._told: dict[str, tuple[float, int]] = {}
        """File to when its last line was printed, and with how many tenths."""

    def __enter__(self) -> DownloadProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, name: str, octets: int, total: int | None) -> None:
        """Show how much of a file has come.

        Args:
            name: Of the file.
            octets: How many have come.
            total: How many there are; None when the server does not say.
        """
        if self._bar is not None:
            if name not in self._tasks:
                # Not earlier: a question may be put to the user first. Idempotent.
                self._bar.start()
                self._tasks[name] = self._bar.add_task(name, total=total)
            self._bar.update(self._tasks[name], completed=octets, total=total)
            return
        now = time.monotonic()
        tenth = 10 * octets // total if total else 0
        then, told = self._told.get(name, (now - _LINE_SECONDS, -1))
        done = total is not None and octets >= total
        if (done and told < 10) or (tenth != told and now - then >= _LINE_SECONDS):
            self._told[name] = (now, tenth)
            share = f"{octets / total:4.0%} of {total / 1e6:.1f} MB" if total else ""
            print(f"{name}: {octets / 1e6:.1f} MB {share}".rstrip(), file=sys.stderr, flush=True)

    def say(self, words: str) -> None:
        """Print a step."""
        if self._bar is not None:
            self._bar.console.print(words, markup=False, highlight=False)
        else:
            print(words, file=sys.stderr, flush=True)
