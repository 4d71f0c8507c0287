"""The demo's user agents as processes, for tests."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Any, Self

WITHIN_SECONDS = 30.0


class Agent:
    """One agent process; a context manager that ends it.

    Args:
        module: ``caller_agent`` or ``contact_centre_agent``.
        arguments: Its own.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self._command = [sys.executable, "-m", f"ivr.demo.{module}", *arguments]
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self.process
        if process is None or process.stdin is None or process.stdout is None:
            return
        process.stdin.close()
        try:
            process.wait(timeout=2 if kind is None else 0.1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)
        if self._reader is not None:
            self._reader.join(10)
        process.stdout.close()

    def until(self, event: str, *, within_seconds: float = WITHIN_SECONDS) -> dict[str, Any]:
        """The first event of that name; others before it are skipped."""
        deadline = time.monotonic() + within_seconds
        while True:
            try:
                told = self._events.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"the agent did not tell {event!r} in time") from None
            if told["event"] == event:
                return told
            assert told["event"] != "error", told

    def command(self, **fields: object) -> None:
        """Send a command."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.write(json.dumps(fields) + "\n")
            self.process.stdin.flush()

    def code(self) -> int:
        """The exit code, when it has ended by itself."""
        assert self.process is not None
        return self.process.wait(timeout=WITHIN_SECONDS)

    def _read(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            for line in self.process.stdout:
                self._events.put(json.loads(line))
