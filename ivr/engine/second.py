"""The second engine: asked while an unsure caller waits, and afterwards, for those who label.

Its threads are its own: whatever it does, the first engine's turns go on.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ivr.engine.guarded import GuardedEngine, Use, UseFailedError
from ivr.engine.passes import Reading
from ivr.engine.workers import Threads, Workers

_PIECE_SAMPLES = 8000
"""A second of audio at a time: between two pieces a pass can be given up."""
_WAITING_PER_WORKER = 2
"""More turns than this before ours, and the answer would come too late to matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondRules:
    """When the second engine is asked."""

    unsure_below: float = 0.6
    """Confidence of the first engine, 0..1, below which the caller waits for the second."""
    deadline_seconds: float | None = None
    """From the end of a turn; None for the deadline of the turn itself."""


class SecondPass:
    """The second engine of all calls. Any thread.

    Args:
        guarded: The loaded engine and its breaker.
        rules: When it is asked.
        workers: Threads for callers who wait.
        threads: Runs the work instead of ``workers`` threads of our own.
    """

    def __init__(
        self,
        guarded: GuardedEngine,
        rules: SecondRules,
        *,
        workers: int = 1,
        threads: Threads | None = None,
    ) -> None:
        self.guarded = guarded
        self.rules = rules
        bound = workers * _WAITING_PER_WORKER
        self._threads = threads or Workers(workers, "second-pass", bound=bound)
        self._lock = threading.Lock()
        self._results: Counter[str] = Counter()
        self._waited_for = 0

    def ask(
        self,
        pcm: NDArray[np.int16],
        is_wanted: Callable[[], bool],
        done: Callable[[Reading], None],
    ) -> Use | None:
        """Transcribe a turn while its caller waits.

        Args:
            pcm: Shape ``(n,)``, 8000 Hz mono.
            is_wanted: Asked from time to time; once false, the pass is given up.
            done: Called with the reading on another thread, unless it was given up.

        Returns:
            The use, for a verdict when the caller waits no longer; None when the engine's breaker
            is not closed or all its threads are busy: ``done`` will not be called.
        """
        use = self.guarded.begin()
        if use is None:
            self.count("refused")
            return None
        with self._lock:
            self._waited_for += 1
        try:
            self._threads.submit(self._asked, use, pcm, is_wanted, done)
        except RuntimeError:
            use.abandoned()
            self.count("busy")
            with self._lock:
                self._waited_for -= 1
            return None
        return use

    def _asked(
        self,
        use: Use,
        pcm: NDArray[np.int16],
        is_wanted: Callable[[], bool],
        done: Callable[[Reading], None],
    ) -> None:
        try:
            reading = read(use, self.guarded, pcm, "second", is_wanted)
        finally:
            with self._lock:
                self._waited_for -= 1
        if reading is not None:
            done(reading)

    def is_waited_for(self) -> bool:
        """Whether a caller waits for it now."""
        return self._waited_for > 0

    def count(self, result: str) -> None:
        """A caller's second pass is over; ``result`` is a fixed word."""
        with self._lock:
            self._results[result] += 1

    def results(self) -> Mapping[str, int]:
        """How many second passes ended how.

        ``better``, ``not_better``, ``late``, ``failed``, ``refused`` (by the breaker) or ``busy``
        (no thread was free).
        """
        with self._lock:
            return dict(self._results)

    def stop(self) -> None:
        """Take nothing more; what runs comes to its end, or is left behind after seconds."""
        self._threads.shutdown(cancel_futures=True)


class Between(Protocol):
    """What is asked between two pieces of a pass."""

    def __call__(self) -> bool:
        """Whether to go on."""


def read(
    use: Use, guarded: GuardedEngine, pcm: NDArray[np.int16], heard_in: str, between: Between
) -> Reading | None:
    """Run a whole turn through an engine.

    Args:
        use: Of the engine; it has its verdict when this returns.
        guarded: The engine, for its name.
        pcm: Shape ``(n,)``, 8000 Hz mono.
        heard_in: For the reading.
        between: Whether to go on, asked before every second of audio and before the end.

    Returns:
        The reading, which says so when the engine failed; None when it was given up.
    """
    began = perf_counter()
    engine = guarded.engine
    try:
        for start in range(0, len(pcm), _PIECE_SAMPLES):
            if not between():
                use.abandoned()
                return None
            use.accept(pcm[start : start + _PIECE_SAMPLES])
        if not between():
            use.abandoned()
            return None
        transcript = use.finish()
    except UseFailedError as error:
        seconds = perf_counter() - began
        return Reading(heard_in, engine.name, engine.model, failure=error.code, seconds=seconds)
    finally:
        use.close()
    return Reading(heard_in, engine.name, engine.model, transcript, seconds=perf_counter() - began)
