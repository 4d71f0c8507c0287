"""All recognition of a phone process, joined: threads, breakers, and a second engine or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic

from asr.recogniser import SpeechEngine
from ivr.engine.breaker import BreakerRules
from ivr.engine.guarded import EngineGuard, EngineHealth, GuardedRecognition, Place
from ivr.engine.pooled import PooledRecognition, WaitingTurns
from ivr.engine.second_opinion import SecondOpinion, SecondRules
from ivr.engine.workers import Threads, Workers
from ivr.ports import Recognition

_WAITING_PER_WORKER = 2
"""More turns than this before ours, and a second engine's answer would come too late to matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognitionCounters:
    """What recognition has done so far, for ``/metrics``."""

    waiting: int = 0
    """Work items that wait for a recognition thread."""
    background_waiting: int = 0
    """Recordings that wait for the second engine."""
    engines: tuple[EngineHealth, ...] = ()
    second_passes: Mapping[str, int] = field(default_factory=dict)
    background_passes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondEngine:
    """An engine for what the first is unsure of.

    Attributes:
        engine: Loaded.
        rules: When it is asked.
        workers: Threads for callers who wait.
        threads: Runs the work instead of ``workers`` threads of our own.
    """

    engine: SpeechEngine
    rules: SecondRules
    workers: int = 1
    threads: Threads | None = None


class JoinedRecognition:
    """The speech engines of a process, as its calls and its monitoring see them. Any thread.

    Args:
        first: Loaded; listens while callers speak.
        workers: Its threads.
        threads: Runs the work instead of ``workers`` threads of our own; may start an item only
            after ``submit`` returned.
        breaker: Of each engine.
        second: None for a first engine that decides alone.
        clock: Of breakers and waits; seconds, never going back.
    """

    def __init__(
        self,
        first: SpeechEngine,
        *,
        workers: int,
        threads: Threads | None = None,
        breaker: BreakerRules | None = None,
        second: SecondEngine | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        rules = breaker or BreakerRules()
        self._waiting = WaitingTurns()
        self._first = PooledRecognition(
            first, threads or Workers(workers, "recognition"), self._waiting
        )
        guard = EngineGuard(Place.FIRST, first.name, first.model, rules, clock=clock)
        self._guards = [guard]
        self._second: PooledRecognition | None = None
        self._opinion: SecondOpinion | None = None
        self.recognition: Recognition = GuardedRecognition(self._first, guard)
        """What calls are given."""
        if second is not None:
            bound = second.workers * _WAITING_PER_WORKER
            self._second = PooledRecognition(
                second.engine,
                second.threads or Workers(second.workers, "second-pass", bound=bound),
                self._waiting,
                streams=False,
            )
            other = EngineGuard(
                Place.SECOND, second.engine.name, second.engine.model, rules, clock=clock
            )
            self._guards.append(other)
            self.recognition = self._opinion = SecondOpinion(
                self.recognition,
                GuardedRecognition(self._second, other),
                second.rules,
                clock=clock,
            )

    @property
    def second_guard(self) -> EngineGuard:
        """The second engine's breaker.

        Raises:
            IndexError: There is no second engine.
        """
        return self._guards[1]

    def waiting(self) -> int:
        """Work items that wait for a thread of the first engine."""
        return self._first.waiting()

    def is_quiet(self, timeout_seconds: float) -> bool:
        """Wait until no live turn wants a thread, at most so long; whether that came."""
        return self._waiting.is_quiet(timeout_seconds)

    def engines(self) -> tuple[EngineHealth, ...]:
        """The engines with their breakers, the first one first."""
        return tuple(guard.health() for guard in self._guards)

    def second_passes(self) -> Mapping[str, int]:
        """See :meth:`ivr.engine.second_opinion.SecondOpinion.results`; empty without one."""
        return {} if self._opinion is None else self._opinion.results()

    def stop(self) -> None:
        """Take nothing more; what runs comes to its end, or is left behind after seconds."""
        if self._second is not None:
            self._second.stop()
        self._first.stop()
