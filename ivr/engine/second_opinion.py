"""Two engines as one: the second hears the whole turn when the first is unsure or broke.

Its threads are its own: whatever it does, the first engine's turns go on.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import monotonic

import numpy as np

from asr.recogniser import Partial, Transcript
from ivr.engine.guarded import SUSPENDED
from ivr.engine.pooled import BUSY
from ivr.engine.readings import believes_second, is_unsure, merged
from ivr.ports import EngineReading, Pcm, Recognised, Recognition, TurnListener, TurnRecogniser
from ivr.ports.recognition import LATE

_NOT_ASKED = {SUSPENDED: "refused", BUSY: "busy"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondRules:
    """When the second engine is asked."""

    unsure_below: float = 0.6
    """Confidence of the first engine, 0..1, below which the caller waits for the second."""
    deadline_seconds: float | None = None
    """From the end of a turn; None for the deadline of the turn itself."""


class SecondOpinion:
    """A first engine, and a second one for what it is unsure of. Any thread.

    Args:
        first: Listens while the caller speaks.
        second: Handed the whole turn, when it is asked.
        rules: When it is asked.
        clock: Seconds, never going back.
    """

    def __init__(
        self,
        first: Recognition,
        second: Recognition,
        rules: SecondRules,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.first = first
        self.second = second
        self.rules = rules
        self.clock = clock
        self._lock = threading.Lock()
        self._results: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """The first engine's."""
        return self.first.name

    @property
    def model(self) -> str:
        """The first engine's."""
        return self.first.model

    @property
    def ask_early_seconds(self) -> float | None:
        """How long the second engine may be waited for, from the end of a turn."""
        return self.rules.deadline_seconds

    def open(self, listener: TurnListener) -> TurnRecogniser:
        """Begin a turn."""
        return _TwoReadings(self, listener)

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


class _FirstListener:
    """Hears the first engine for a turn of two."""

    def __init__(self, turn: _TwoReadings) -> None:
        self._turn = turn

    def partial(self, partial: Partial) -> None:
        self._turn.partial(partial)

    def provisional(self, result: Recognised) -> None:
        """Ignored: whether a result stands is decided here."""

    def recognised(self, result: Recognised) -> None:
        self._turn.first_recognised(result)


class _SecondListener:
    """Hears the second engine for a turn of two."""

    def __init__(self, turn: _TwoReadings) -> None:
        self._turn = turn

    def partial(self, partial: Partial) -> None:
        """Ignored: it hears the whole turn at once."""

    def provisional(self, result: Recognised) -> None:
        """Ignored, likewise."""

    def recognised(self, result: Recognised) -> None:
        self._turn.second_recognised(result)


class _TwoReadings:
    """One turn: see :class:`ivr.ports.TurnRecogniser`."""

    def __init__(self, engines: SecondOpinion, listener: TurnListener) -> None:
        self._engines = engines
        self._listener = listener
        self._lock = threading.Lock()
        self._turn: list[Pcm] = []
        self._first = engines.first.open(_FirstListener(self))
        self._first_result: Recognised | None = None
        self._second: TurnRecogniser | None = None
        self._ended_at: float | None = None
        self._first_seconds = 0.0
        self._asked_at = 0.0
        self._result: Recognised | None = None
        self._is_over = False

    def feed(self, pcm: Pcm) -> None:
        with self._lock:
            if self._is_over or self._ended_at is not None:
                return
            self._turn.append(pcm)
        self._first.feed(pcm)

    def finish(self) -> None:
        with self._lock:
            if self._is_over or self._ended_at is not None:
                return
            self._ended_at = self._engines.clock()
            broke = self._first_result
        if broke is not None:
            self._consider(broke)
        else:
            self._first.finish()

    def result_so_far(self) -> Recognised | None:
        with self._lock:
            if self._result is not None or self._is_over or self._second is None:
                return self._result
            self._is_over = True
            self._turn.clear()
        return self._without_second()

    def give_up(self) -> Recognised:
        with self._lock:
            if self._result is not None:
                return self._result
            self._is_over = True
            self._turn.clear()
            first, second = self._first_result, self._second
        if second is not None:
            return self._without_second()
        # It may have become done this moment, with the second not asked yet.
        return self._first.give_up() if first is None else first

    def cancel(self) -> None:
        with self._lock:
            self._is_over = True
            self._turn.clear()
            second = self._second
        self._first.cancel()
        if second is not None:
            second.cancel()

    def partial(self, partial: Partial) -> None:
        """The first engine has news."""
        self._listener.partial(partial)

    def first_recognised(self, result: Recognised) -> None:
        """The first engine is done, on one of its threads."""
        with self._lock:
            self._first_result = result
            if self._ended_at is None:
                # It broke; how sure it would have been is settled at the end of the turn.
                return
        self._consider(result)

    def _consider(self, first: Recognised) -> None:
        """The first engine is done: that is the result, unless the second must be asked."""
        engines = self._engines
        self._first_seconds = self._seconds()
        if not is_unsure(first.transcript, engines.rules.unsure_below):
            self._conclude(first)
            return
        second = engines.second.open(_SecondListener(self))
        with self._lock:
            if self._is_over:
                return
            turn = list(self._turn)
            if turn:
                self._asked_at = engines.clock()
                self._second = second
        if not turn:
            self._conclude(first)
            return
        second.feed(np.concatenate(turn))
        second.finish()
        # After the second was set to work: it may be told what this one takes a moment over.
        self._listener.provisional(first)

    def second_recognised(self, result: Recognised) -> None:
        """The second engine is done, on one of its threads."""
        engines, first = self._engines, self._first_result
        assert first is not None
        if self._is_over:
            return
        if result.failure in _NOT_ASKED:
            if self._conclude(first):
                engines.count(_NOT_ASKED[result.failure])
            return
        waited = engines.clock() - self._asked_at
        words = result.transcript
        reading = self._reading("second", engines.second, result, waited)
        if words is None:
            heard, ending = replace(first, other=reading), "failed"
        else:
            better = believes_second(first.transcript, words)
            ending = "better" if better else "not_better"
            other = self._reading("first", engines.first, first, self._first_seconds)
            heard = Recognised(
                transcript=merged(first.transcript, words), other=other if better else reading
            )
        if self._conclude(replace(heard, second_pass_seconds=waited)):
            engines.count(ending)

    def _without_second(self) -> Recognised:
        """The second engine was asked, and did not answer in time."""
        engines, first, second = self._engines, self._first_result, self._second
        assert first is not None
        assert second is not None
        waited = engines.clock() - self._asked_at
        # A second engine that was asked at the last moment is not to blame.
        if waited >= self._seconds() / 2:
            second.give_up()
        else:
            second.cancel()
        engines.count("late")
        late = self._reading("second", engines.second, Recognised(failure=LATE), waited)
        self._result = replace(first, other=late, second_pass_seconds=waited)
        return self._result

    @staticmethod
    def _reading(
        heard_in: str, engine: Recognition, result: Recognised, seconds: float
    ) -> EngineReading:
        words: Transcript | None = result.transcript
        failure = result.failure if words is None else ""
        return EngineReading(heard_in, engine.name, engine.model, words, failure, seconds)

    def _conclude(self, result: Recognised) -> bool:
        """Tell the result; False when the turn was over already."""
        with self._lock:
            if self._is_over:
                return False
            self._is_over = True
            self._result = result
            self._turn.clear()
        self._listener.recognised(result)
        return True

    def _seconds(self) -> float:
        """Since the end of the turn."""
        assert self._ended_at is not None
        return self._engines.clock() - self._ended_at
