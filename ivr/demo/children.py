"""The processes of one demonstration, in a temporary folder; all gone at the end."""

from __future__ import annotations

import importlib.util
import queue
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ivr.demo.errors import DemoError
from ivr.demo.processes import Child, Happening
from ivr.files.embedded import set_up_command

ADDRESS: Final = "127.0.0.1"
_START_SECONDS: Final = 120.0
"""A loaded machine may take so long to load the models."""


class Children:
    """Starts processes, reads what they all write, and ends them all.

    Use it as a context: whatever happens inside, every process is gone afterwards and the
    folder is removed.
    """

    def __init__(self) -> None:
        self.happenings: list[Happening] = []
        """Everything that was heard, in order."""
        self.folder = Path(tempfile.mkdtemp(prefix="wegwijs-demo-"))
        self._queue: queue.Queue[Happening] = queue.Queue()
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in reversed(self._children):
            child.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_caller(
        self, to: str, *options: str, name: str = "caller", bind: str = ADDRESS
    ) -> Child:
        """Start a caller that dials at once.

        Args:
            to: SIP URI.
            options: More arguments of :mod:`ivr.demo.caller_agent`.
            name: Source of its happenings.
            bind: Own address of the caller.

        Raises:
            DemoError: The program cannot be started.
        """
        command = [sys.executable, "-m", "ivr.demo.caller_agent", "--to", to, "--bind", bind]
        return self.start(name, [*command, *options])

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> Child:
        """Start one more process.

        Args:
            name: Source of its happenings.
            command: Program and arguments.
            environment: Added to this process's.

        Raises:
            DemoError: The program cannot be started.
        """
        try:
            child = Child(name, command, self._queue, environment or {})
        except OSError as error:
            raise DemoError(
                f"the {name} cannot be started: {error.strerror}; look whether {command[0]} may "
                "be run"
            ) from None
        child.began = len(self.happenings)
        self._children.append(child)
        return child

    def next(self, seconds: float) -> Happening | None:
        """The next thing that happens; None when nothing does for so long."""
        try:
            happening = self._queue.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return None
        self.happenings.append(happening)
        return happening

    def wait_for(self, wanted: Callable[[Happening], bool], seconds: float, what: str) -> Happening:
        """Wait for something that has not happened yet.

        Args:
            wanted: Whether a happening is it.
            seconds: The longest wait.
            what: Its name, for the message.

        Raises:
            DemoError: It does not happen in time.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            happening = self.next(left)
            if happening is not None and wanted(happening):
                return happening
        raise DemoError(
            f"{what} did not happen within {seconds:.0f} s; try again on a calmer machine"
        )

    def wait_ready(self, child: Child) -> Happening:
        """Wait until a child that was just started is ready.

        Raises:
            DemoError: It ends, or takes too long.
        """

        def decides(happening: Happening) -> bool:
            # Log lines have a level, and may have any event.
            mine = happening.pid == child.pid and "level" not in happening.fields
            return mine and happening.event in ("ready", "gone", "error")

        # It may have become ready while another child was waited for.
        earlier = [h for h in self.happenings[child.began :] if decides(h)]
        what = f"the start of the {child.name}"
        happening = earlier[0] if earlier else self.wait_for(decides, _START_SECONDS, what)
        if happening.event == "ready":
            return happening
        text = str(happening.fields.get("text", "")) or child.complaint()
        raise DemoError(f"the {child.name} did not start: {text or 'it gave no reason'}")


def require_pjsua2() -> None:
    """Refuse to go on without the SIP library.

    Raises:
        DemoError: It is not installed.
    """
    if importlib.util.find_spec("pjsua2") is None:
        raise DemoError(
            f"pjsua2 is not installed, and calls need it; to build it, run: {set_up_command()}"
        )


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does: in order, with every process stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
