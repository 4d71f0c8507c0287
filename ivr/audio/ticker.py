"""Calls some work every 20 ms on a thread of its own, and measures how long it takes."""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import structlog

from ivr.audio.frames import FRAME_SECONDS

TICK_BUCKETS_SECONDS: Final = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
_RESYNC_SECONDS: Final = 0.5
"""After a tick that is later than this, the missed ticks are not made up for."""
_ALIVE_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 2.0

_log = structlog.get_logger("wegwijs.audio")


@dataclass(frozen=True, slots=True)
class TickCounters:
    """What was ticked since the start."""

    ticks: int
    late_ticks: int
    """Ticks that began more than one frame after their time."""
    failed_ticks: int
    """Ticks that ended in an exception: a bug of ours."""
    tick_seconds_sum: float
    tick_seconds_buckets: tuple[tuple[float, int], ...]
    """Cumulative: (upper bound in seconds, ticks no longer than it). ``ticks`` is +Inf."""


class Ticker:
    """The audio core's clock.

    Args:
        work: One tick. An exception of it is counted and logged, and the next tick comes.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._ticks = 0
        self._late_ticks = 0
        self._failed_ticks = 0
        self._seconds_sum = 0.0
        self._buckets = [0] * (len(TICK_BUCKETS_SECONDS) + 1)
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._last_tick_at = 0.0

    def start(self) -> None:
        """Tick from now on.

        Raises:
            RuntimeError: It ticks already.
        """
        if self._thread is not None:
            raise RuntimeError("the audio core is already started")
        self._stopping.clear()
        self._last_tick_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="audio-core", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, within two seconds. Idempotent."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=_STOP_SECONDS)
            self._thread = None

    def is_alive(self) -> bool:
        """Whether the thread ticked within the last second."""
        return (
            self._thread is not None
            and self._thread.is_alive()
            and time.monotonic() - self._last_tick_at < _ALIVE_SECONDS
        )

    def counters(self) -> TickCounters:
        """Numbers for the metrics page; any thread."""
        cumulative = accumulate(self._buckets[: len(TICK_BUCKETS_SECONDS)])
        return TickCounters(
            ticks=self._ticks,
            late_ticks=self._late_ticks,
            failed_ticks=self._failed_ticks,
            tick_seconds_sum=self._seconds_sum,
            tick_seconds_buckets=tuple(zip(TICK_BUCKETS_SECONDS, cumulative, strict=True)),
        )

    def _run(self) -> None:
        """Tick every 20 ms until stopped; a late tick does not shift the next ones."""
        due = time.monotonic()
        while True:
            due += FRAME_SECONDS
            if self._stopping.wait(max(0.0, due - time.monotonic())):
                return
            began = time.monotonic()
            if began - due > FRAME_SECONDS:
                self._late_ticks += 1
                if began - due > _RESYNC_SECONDS:
                    due = began
            try:
                self._work()
            except Exception:
                # One bad frame must not deafen every call.
                self._failed_ticks += 1
                # At the first, second, fourth, ...: fifty a second would fill the disk.
                if self._failed_ticks & (self._failed_ticks - 1) == 0:
                    _log.exception("tick_failed", failed_ticks=self._failed_ticks)
            self._last_tick_at = time.monotonic()
            seconds = self._last_tick_at - began
            self._ticks += 1
            self._seconds_sum += seconds
            self._buckets[bisect.bisect_left(TICK_BUCKETS_SECONDS, seconds)] += 1
