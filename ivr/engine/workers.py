"""Threads for work that may hang: a fixed number of them, and none that keeps a process alive."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

import structlog

_log = structlog.get_logger("wegwijs.engine")


class Threads(Protocol):
    """Runs work elsewhere; an item may start only after ``submit`` returned."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> object:
        """Queue a call.

        Raises:
            RuntimeError: Stopped, or too much waits.
        """

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more; with ``wait``, let what runs come to its end, within bounds."""


class Workers:
    """Daemon threads over one queue.

    A thread that is stuck in a library cannot be ended. When it has been busy with one item for
    ``stuck_seconds`` it no longer counts, and another takes its place: twice as many threads as
    asked for is the most there are.

    Args:
        count: Threads; each is started when there is work for it.
        name: Of the threads.
        bound: Items that may wait; None for any number.
        nice: Added to the threads' niceness, where the system has that for threads (Linux).
        stuck_seconds: Longer than any item that is not stuck.
        end_seconds: How long ``shutdown`` waits for what runs.
        clock: Seconds, never going back.
    """

    def __init__(
        self,
        count: int,
        name: str,
        *,
        bound: int | None = None,
        nice: int = 0,
        stuck_seconds: float = 60.0,
        end_seconds: float = 3.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._count = count
        self._name = name
        self._bound = bound
        self._nice = nice
        self._stuck_seconds = stuck_seconds
        self._end_seconds = end_seconds
        self._clock = clock
        self._changed = threading.Condition()
        self._items: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._alive = 0
        self._idle = 0
        self._began: dict[int, float] = {}
        """By thread, when it took the item that it is busy with."""
        self._stopped = False

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> None:
        """Queue a call; see :class:`Threads`."""
        with self._changed:
            if self._stopped:
                raise RuntimeError("the workers are stopped")
            if self._bound is not None and len(self._items) >= self._bound:
                raise RuntimeError("too much waits for the workers")
            self._items.append((fn, args))
            if self._idle < len(self._items) and self._may_grow():
                self._alive += 1
                threading.Thread(target=self._run, name=self._name, daemon=True).start()
            self._changed.notify()

    def waiting(self) -> int:
        """Items that no thread has taken."""
        return len(self._items)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more and drop what waits.

        What runs should end before Python does: a thread that comes back from a C++ library into
        an interpreter that is gone takes the process with it. A thread that hangs is not waited
        for any longer than ``end_seconds``.
        """
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()
            if wait:
                self._changed.wait_for(lambda: not self._began, self._end_seconds)

    def _may_grow(self) -> bool:
        """Whether one more thread may be started. Holding the lock."""
        return self._not_stuck() < self._count and self._alive < 2 * self._count

    def _not_stuck(self) -> int:
        """Threads that are not stuck. Holding the lock."""
        now = self._clock()
        return self._alive - sum(now - at > self._stuck_seconds for at in self._began.values())

    def _run(self) -> None:
        if self._nice:
            with contextlib.suppress(OSError, AttributeError):
                thread = threading.get_native_id()
                os.setpriority(os.PRIO_PROCESS, thread, os.nice(0) + self._nice)
        me = threading.get_ident()
        while True:
            with self._changed:
                self._began.pop(me, None)
                self._changed.notify_all()
                if self._not_stuck() > self._count:
                    # It was given up as stuck, and its place is taken.
                    self._alive -= 1
                    return
                self._idle += 1
                while not (self._items or self._stopped):
                    self._changed.wait()
                self._idle -= 1
                if self._stopped:
                    self._alive -= 1
                    return
                work, args = self._items.popleft()
                self._began[me] = self._clock()
            try:
                work(*args)
            except BaseException as error:
                # A library may raise anything, and its message may quote the caller.
                _log.error("worker_failed", worker=self._name, error=type(error).__name__)
            del work, args
