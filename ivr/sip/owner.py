"""The thread that owns pjsua2, with its queue of commands and its timers."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

import structlog

_log = structlog.get_logger("wegwijs.sip")

POLL_MS: Final = 5
"""Longest wait for SIP: a queued command waits for this at most."""
_START_SECONDS: Final = 20.0
_LINGER_SECONDS: Final = 1.0


class Polled(Protocol):
    """What the thread keeps turning: a pjsua2 endpoint."""

    def open(self) -> None:
        """Start; called once, first."""

    def poll(self, wait_ms: int) -> None:
        """Handle what arrived, waiting up to ``wait_ms`` for it."""

    def close(self) -> None:
        """End; called once, last."""


def destroy(thing: Any) -> None:
    """Destroy the C++ object behind ``thing`` now, while Python still holds its shell.

    Left to the last reference, the object's C++ destructor could wait for a callback that runs
    on an object which Python is taking apart. Owner's thread only.
    """
    if thing is not None and thing.thisown:
        type(thing).__swig_destroy__(thing)


class Timer:
    """A call due later; see :meth:`OwnerThread.call_later`."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """Let it not happen. Owner's thread only; idempotent."""
        self.action = None


class OwnerThread:
    """Runs an endpoint, commands from other threads, and timers, all on one thread."""

    def __init__(self, endpoint: Polled, name: str) -> None:
        self._endpoint = endpoint
        self._commands: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._to_destroy: list[tuple[float, Any, Callable[[], bool]]] = []
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._turned_at = 0.0

    def start(self) -> None:
        """Open the endpoint on the new thread and return when it stands.

        Raises:
            Exception: What ``endpoint.open`` raised.
            TimeoutError: It did not come up in time.
        """
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            raise TimeoutError("the telephony thread did not start in time")
        if self._failure is not None:
            self._thread.join(_START_SECONDS)
            raise self._failure

    def stop(self, timeout_seconds: float) -> bool:
        """Close the endpoint and end the thread. Idempotent.

        Args:
            timeout_seconds: Longest wait.

        Returns:
            Whether it ended in time.
        """
        self._stopping.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def submit(self, command: Callable[[], None]) -> None:
        """Run ``command`` on the thread, within 5 ms when idle. Any thread; returns at once.

        What it raises is contained by :func:`guarded`, as with timers.
        """
        self._commands.append(command)

    def call_later(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Run ``action`` on the thread in ``seconds``. Owner's thread only."""
        timer = Timer(action)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), timer))
        return timer

    def destroy_later(self, thing: Any, may_go: Callable[[], bool] = lambda: True) -> None:
        """Destroy ``thing`` in a second, and not before ``may_go``. Owner's thread only.

        A call must not go inside one of its own callbacks, and a player's end-of-file notice
        may still travel on another thread of the library.
        """
        self._to_destroy.append((time.monotonic() + _LINGER_SECONDS, thing, may_go))

    def destroy_due(self, until: float = math.inf) -> None:
        """Destroy what :meth:`destroy_later` put off. Owner's thread only.

        Args:
            until: Only what is due then, on the monotonic clock in seconds; all by default.
        """
        if not self._to_destroy or self._to_destroy[0][0] > until:
            return
        due = [entry for entry in self._to_destroy if entry[0] <= until]
        self._to_destroy = [entry for entry in self._to_destroy if entry[0] > until]
        for _, thing, may_go in due:
            if may_go():
                guarded(partial(destroy, thing))
            else:
                self.destroy_later(thing, may_go)

    def seconds_since_turn(self) -> float:
        """Seconds since the thread's last turn began; infinite when it does not run. Any thread."""
        if not self._thread.is_alive() or not self._ready.is_set():
            return float("inf")
        return time.monotonic() - self._turned_at

    def _run(self) -> None:
        try:
            self._endpoint.open()
        except BaseException as error:
            self._failure = error
            self._close()
            self._ready.set()
            return
        self._turned_at = time.monotonic()
        self._ready.set()
        while not self._stopping.is_set():
            self.turn()
        self._close()

    def turn(self) -> None:
        """One turn: commands, due timers, SIP for up to 5 ms. Owner's thread only."""
        while self._commands:
            guarded(self._commands.popleft())
        now = self._turned_at = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            action = heapq.heappop(self._timers)[2].action
            if action is not None:
                guarded(action)
        self.destroy_due(now)
        self._endpoint.poll(POLL_MS)

    def _close(self) -> None:
        guarded(self._endpoint.close)


def guarded(action: Callable[[], None]) -> None:
    """Run ``action``; whatever it raises is logged by its type and goes no further.

    The text of an exception may hold a SIP message, and with it a caller's number.
    """
    try:
        action()
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        _log.error(
            "telephony_thread_failed",
            error=type(error).__name__,
            file=trace.tb_frame.f_code.co_filename if trace else "",
            line_number=trace.tb_lineno if trace else 0,
        )
