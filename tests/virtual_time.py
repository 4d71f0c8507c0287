"""An asyncio loop whose clock jumps to the next timer: a call of minutes takes milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")


class _Clock(selectors.SelectSelector):
    """Instead of waiting, moves the clock; what is ready already is still found."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def skip(self, seconds: float) -> None:
        """Move on, whatever is due."""
        self.now += seconds

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("nothing will ever happen: no timer runs, and the test waits")
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Single-threaded and deterministic. Exceptions in callbacks are kept, for :meth:`close`.

    Other threads must not be waited for: their work is seen only when the loop runs next.
    """

    def __init__(self) -> None:
        self._virtual = _Clock()
        self._made: list[asyncio.TimerHandle] = []
        self.failures: list[dict[str, Any]] = []
        """What the loop's exception handler was told: each of them is a bug."""
        super().__init__(self._virtual)
        self.set_exception_handler(lambda loop, context: self.failures.append(context))

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._virtual.now

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """See :meth:`asyncio.loop.call_at`."""
        handle = super().call_at(when, callback, *args, context=context)
        self._made.append(handle)
        return handle

    def timers(self) -> list[float]:
        """Moments of the timers that still run."""
        return [h.when() for h in self._made if not h.cancelled() and h.when() > self.time()]

    def pass_seconds(self, seconds: float) -> None:
        """Let so much time pass, and everything happen that falls into it."""
        self.run_until_complete(asyncio.sleep(seconds))

    def stand_still(self, seconds: float) -> None:
        """Let so much time pass in which nothing runs, as on a machine that is held up."""
        self.call_soon(self._virtual.skip, seconds)
        self.pass_seconds(0.0)

    def run(self, work: Coroutine[Any, Any, _Result] | asyncio.Future[_Result]) -> _Result:
        """Run to its end and return what it returns."""
        return self.run_until_complete(work)
