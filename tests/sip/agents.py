"""The demo's user agents as processes, for tests."""

from __future__ import annotations

import queue
import signal
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from ivr.demo.processes import Child, Happening

WITHIN_SECONDS = 120.0


class Agent:
    """One agent process; a context manager that ends it, whatever became of it meanwhile.

    Args:
        module: ``caller_agent`` or ``contact_centre_agent``.
        arguments: Its own.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self._name = module
        self._command = [sys.executable, "-m", f"ivr.demo.{module}", *arguments]
        self._happenings: queue.Queue[Happening] = queue.Queue()
        self._child: Child | None = None

    def __enter__(self) -> Self:
        self._child = Child(self._name, self._command, self._happenings)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.stop()

    def until(self, event: str, *, within_seconds: float = WITHIN_SECONDS) -> Mapping[str, Any]:
        """The first event of that name; others before it are skipped."""
        deadline = time.monotonic() + within_seconds
        while True:
            try:
                told = self._happenings.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"the agent did not tell {event!r} in time") from None
            if told.event == event:
                return told.fields
            if told.event in ("error", "gone"):
                said = dict(told.fields), "\n".join(self._process.errors)
                raise AssertionError(f"no {event!r} of the agent, but {told.event}: {said}")

    def command(self, **fields: object) -> None:
        """Send a command; an agent that is gone takes none."""
        self._process.send(**fields)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.signal(number)

    def code(self) -> int:
        """The exit code, when it has ended by itself."""
        code = self._process.wait(WITHIN_SECONDS)
        assert code is not None, "the agent did not end in time"
        return code

    @property
    def _process(self) -> Child:
        assert self._child is not None, "the agent was not started"
        return self._child
