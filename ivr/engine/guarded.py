"""A speech engine behind its circuit breaker: one that fails again and again is left alone."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from time import monotonic

import structlog

from asr.recogniser import Partial
from ivr.engine.breaker import BreakerRules, BreakerState, CircuitBreaker, Permit
from ivr.engine.checked import HEARD_NOTHING
from ivr.engine.pooled import BUSY
from ivr.ports import Pcm, Recognised, Recognition, TurnListener, TurnRecogniser
from ivr.ports.recognition import LATE

_log = structlog.get_logger("wegwijs.engine")

SUSPENDED = "recogniser_suspended"
"""Code of a turn for which the engine was not asked, because its breaker is not closed."""


@unique
class Place(StrEnum):
    """Which of the two engines. The values are metric labels: never rename one."""

    FIRST = "first"
    """Listens while the caller speaks, and decides."""
    SECOND = "second"


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """An engine as ``/metrics`` and ``/readyz`` show it."""

    place: Place
    engine: str
    model: str
    state: BreakerState
    uses: Mapping[str, int]
    """Uses that are over, by result: ``done``, ``failed``, ``late``, ``abandoned``, ``refused``."""
    open_uses: int = 0
    """Uses that are begun and not over."""


class EngineGuard:
    """The breaker of one engine, and the count of its uses. Any thread.

    Args:
        place: First or second.
        engine: Its name.
        model: Its model.
        rules: Of the breaker.
        clock: Seconds, never going back.
    """

    def __init__(
        self,
        place: Place,
        engine: str,
        model: str,
        rules: BreakerRules,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.place = place
        self.engine = engine
        self.model = model
        self._breaker = CircuitBreaker(rules)
        self._clock = clock
        self._lock = threading.Lock()
        self._uses: Counter[str] = Counter()
        self._open_uses = 0

    def begin(self, *, counts: bool = True) -> Use | None:
        """Ask for one use; None while the breaker does not permit it.

        Args:
            counts: False for who asks again and again: a refusal is then not counted.
        """
        with self._lock:
            before = self._breaker.state(self._clock())
            permit = self._breaker.admit(self._clock())
            if permit is None:
                self._uses["refused"] += counts
                return None
            self._open_uses += 1
        if permit.is_probe:
            self._tell(before, "probed")
        return Use(self, permit)

    def health(self) -> EngineHealth:
        """The engine's state at this moment."""
        with self._lock:
            return EngineHealth(
                place=self.place,
                engine=self.engine,
                model=self.model,
                state=self._breaker.state(self._clock()),
                uses=dict(self._uses),
                open_uses=self._open_uses,
            )

    def ended(self, permit: Permit, result: str) -> None:
        """A use is over. Told by :class:`Use`, once."""
        with self._lock:
            now = self._clock()
            before = self._breaker.state(now)
            self._uses[result] += 1
            self._open_uses -= 1
            if result == "done":
                self._breaker.succeeded(permit)
            elif result == "abandoned":
                self._breaker.abandoned(permit)
            else:
                self._breaker.failed(permit, now)
            after = self._breaker.state(now)
        if after is not before:
            self._tell(after, result)

    def _tell(self, state: BreakerState, because: str) -> None:
        tell = _log.info if state is BreakerState.CLOSED else _log.warning
        tell(
            "recogniser_breaker",
            recogniser=self.place.value,
            engine=self.engine,
            model=self.model,
            state=state.value,
            because=because,
        )


class Use:
    """Leave to use an engine once, and how that ended: only the first verdict counts. Any thread.

    Made by :meth:`EngineGuard.begin`.
    """

    def __init__(self, guard: EngineGuard, permit: Permit) -> None:
        self._guard = guard
        self._permit = permit
        self._lock = threading.Lock()
        self._is_over = False

    def done(self) -> None:
        """It gave a transcript."""
        self._over("done")

    def failed(self) -> None:
        """It broke, or could not keep up."""
        self._over("failed")

    def late(self) -> None:
        """The deadline passed."""
        self._over("late")

    def abandoned(self) -> None:
        """Nobody waits any more; nothing was learned of the engine."""
        self._over("abandoned")

    def _over(self, result: str) -> None:
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
        self._guard.ended(self._permit, result)


class GuardedRecognition:
    """An engine that its breaker keeps from turns that it would only fail. Any thread.

    Args:
        inner: The engine.
        guard: Its breaker.
    """

    def __init__(self, inner: Recognition, guard: EngineGuard) -> None:
        self._inner = inner
        self._guard = guard

    @property
    def name(self) -> str:
        """The engine's."""
        return self._inner.name

    @property
    def model(self) -> str:
        """The engine's."""
        return self._inner.model

    @property
    def ask_early_seconds(self) -> float | None:
        """The engine's."""
        return self._inner.ask_early_seconds

    def open(self, listener: TurnListener) -> TurnRecogniser:
        """Begin a turn; the breaker is asked with its first audio."""
        return _GuardedTurn(self._inner, self._guard, listener)


class _GuardedTurn:
    """One turn: a :class:`TurnRecogniser`, and what listens to the engine.

    Every use that is begun has its verdict: none is begun once the turn is over, and what ends the
    turn sees the use of every sound that came before.
    """

    def __init__(self, inner: Recognition, guard: EngineGuard, listener: TurnListener) -> None:
        self._guard = guard
        self._listener = listener
        self._lock = threading.Lock()
        self._is_over = False
        self._use: Use | None = None
        self._is_refused = False
        self._turn = inner.open(self)

    def feed(self, pcm: Pcm) -> None:
        # The breaker is asked here, and not where the engine works: where its threads are all
        # stuck, it must learn that a turn came to nothing.
        with self._lock:
            if self._use is None and not (self._is_refused or self._is_over):
                self._use = self._guard.begin()
                self._is_refused = self._use is None
            if self._is_refused or self._is_over:
                return
        self._turn.feed(pcm)

    def finish(self) -> None:
        self._end()
        if self._is_refused:
            self._listener.recognised(Recognised(failure=SUSPENDED))
        else:
            self._turn.finish()

    def result_so_far(self) -> Recognised | None:
        return self._turn.result_so_far()

    def give_up(self) -> Recognised:
        use = self._end()
        if self._is_refused:
            return Recognised(failure=SUSPENDED)
        result = self._turn.give_up()
        words = result.transcript
        if use is not None and (
            result.failure == LATE or (words is not None and words.is_fallback)
        ):
            # Changes nothing where the engine was done in time, and only the news is late.
            use.late()
        return result

    def cancel(self) -> None:
        use = self._end()
        self._turn.cancel()
        if use is not None:
            use.abandoned()

    def _end(self) -> Use | None:
        """No use is begun from now on; the one there is."""
        with self._lock:
            self._is_over = True
            return self._use

    def partial(self, partial: Partial) -> None:
        self._listener.partial(partial)

    def provisional(self, result: Recognised) -> None:
        self._listener.provisional(result)

    def recognised(self, result: Recognised) -> None:
        use = self._use
        if use is not None:
            if not result.failure:
                use.done()
            elif result.failure in (BUSY, HEARD_NOTHING):
                use.abandoned()
            else:
                use.failed()
        self._listener.recognised(result)
