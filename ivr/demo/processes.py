"""The demo's child processes: started, read line by line, stopped by force if need be."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final

_KEPT_LINES: Final = 20_000
"""Of what a child writes to standard error; older lines are forgotten."""
_TERM_SECONDS: Final = 12.0
_KILL_SECONDS: Final = 5.0
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One JSON object a child wrote, or its end."""

    source: str
    """Name of the child."""
    pid: int
    """Its process; one that was started again has another."""
    event: str
    """``event`` of the object; ``ready`` for the phone's first line; ``gone`` at the end."""
    time: float
    """Wall clock, in seconds."""
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Child:
    """One process whose JSON lines, of standard output and error, come as happenings.

    It runs in a session of its own, so that a key in the terminal reaches only the parent,
    which ends its children in order.

    Args:
        name: Source of its happenings.
        command: Program and arguments.
        happenings: Gets them, in order.
        environment: Added to this process's.

    Raises:
        OSError: The program cannot be started.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        happenings: queue.Queue[Happening],
        environment: Mapping[str, str] = _NOTHING,
    ) -> None:
        self.name = name
        self.began = 0
        """How many happenings were known when it started."""
        self._happenings = happenings
        self.errors: deque[str] = deque(maxlen=_KEPT_LINES)
        """What it wrote to standard error last, line by line."""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **_import_path(), **environment},
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._read, args=(stream, kept), daemon=True, name=name)
            for stream, kept in ((self._process.stdout, False), (self._process.stderr, True))
        ]
        for reader in self._readers:
            reader.start()
        threading.Thread(target=self._await_end, daemon=True, name=f"{name}-end").start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def complaint(self) -> str:
        """Its last message for people; else the last error it logged; empty when silent."""
        plain = [line for line in self.errors if line.strip() and not line.startswith("{")]
        if plain:
            return plain[-1].removeprefix("wegwijs: ")
        logged = [line for line in self.errors if '"level": "error"' in line]
        return logged[-1] if logged else ""

    def send(self, **command: object) -> None:
        """Give a command; a process that is gone takes none."""
        stdin = self._process.stdin
        if stdin is None:
            return
        try:
            stdin.write(json.dumps(command) + "\n")
            stdin.flush()
        except (OSError, ValueError):
            return

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; a process that is gone gets none."""
        if self.running:
            self._process.send_signal(number)

    def wait(self, seconds: float) -> int | None:
        """Wait for the end; the exit code, or None when the process still runs."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, seconds: float = _TERM_SECONDS) -> None:
        """End the process, by force after ``seconds``. Idempotent."""
        self.signal(signal.SIGTERM)
        if self.wait(seconds) is None:
            self.signal(signal.SIGKILL)
            self.wait(_KILL_SECONDS)
        for reader in self._readers:
            reader.join(_KILL_SECONDS)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    # What was still to be written has no reader any more.
                    continue

    def _read(self, stream: IO[str] | None, kept: bool) -> None:
        if stream is None:
            return
        try:
            for line in stream:
                if kept:
                    self.errors.append(line.rstrip("\n"))
                self._tell(line)
        except ValueError:
            # The stream was closed under us: the process is being stopped.
            return

    def _tell(self, line: str) -> None:
        if not line.startswith("{"):
            return
        try:
            fields = json.loads(line)
        except ValueError:
            return
        event = "ready" if fields.get("ready") is True else str(fields.get("event", ""))
        at = fields.get("time")
        self._happenings.put(
            Happening(
                source=self.name,
                pid=self.pid,
                event=event,
                time=at if isinstance(at, float) else time.time(),
                fields=fields,
            )
        )

    def _await_end(self) -> None:
        code = self._process.wait()
        for reader in self._readers:
            reader.join(_KILL_SECONDS)
        self._happenings.put(
            Happening(
                source=self.name,
                pid=self.pid,
                event="gone",
                time=time.time(),
                fields={"code": code},
            )
        )


def _import_path() -> dict[str, str]:
    """In a checkout that is not installed, children must find our packages from any folder."""
    root = Path(__file__).resolve().parent.parent.parent
    if root.name in ("site-packages", "dist-packages"):
        return {}
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}
