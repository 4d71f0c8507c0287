"""Recognition beside the calls: a bounded pool of threads, one session per caller turn.

Audio goes in while the caller speaks; partial transcripts are classified as they come, so that
the pause which ends the turn can fit the certainty reached. The result is awaited by callback,
with a deadline: when the final is late, the last stable partial is taken instead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic, perf_counter

from asr.recogniser import Partial, SpeechEngine, Transcript
from intent.classifier import Classification, Classifier
from ivr.engine.breaker import BreakerRules
from ivr.engine.guarded import EngineHealth, GuardedEngine, Place
from ivr.engine.second import SecondPass
from ivr.engine.session import Heard, Session
from ivr.engine.workers import Threads, Workers


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


class RecognitionPool:
    """The speech engines and the classifier, shared by all calls.

    Args:
        engine: Loaded speech engine; its recognisers release the GIL while they work.
        classifier: Returns the classifier of the moment, so that a promoted model is taken by
            the next turn without a lost call.
        workers: Threads.
        threads: Runs the work instead of ``workers`` threads of our own; may start an item only
            after ``submit`` returned.
        breaker: Of the engine.
        second: Asked when the engine is unsure, or its breaker is not closed.
        clock: Of the turns and the breaker; seconds, never going back.
    """

    def __init__(
        self,
        engine: SpeechEngine,
        classifier: Callable[[], Classifier],
        *,
        workers: int,
        threads: Threads | None = None,
        breaker: BreakerRules | None = None,
        second: SecondPass | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.first = GuardedEngine(engine, Place.FIRST, breaker or BreakerRules(), clock=clock)
        self.second = second
        self.clock = clock
        self._classifier = classifier
        self._threads = threads or Workers(workers, "recognition")
        self._counting = threading.Condition()
        self._waiting = 0
        self.classifier_failures = 0
        self.partial_failures = 0

    def open(
        self,
        on_partial: Callable[[Partial, Classification], None] | None = None,
        *,
        classify_result: bool = True,
    ) -> Session:
        """Begin a turn.

        Args:
            on_partial: Called on a pool thread with each new partial and what it is about.
            classify_result: False for a yes or no.
        """
        return Session(self, on_partial, classify_result)

    def submit(self, work: Callable[[], None]) -> bool:
        """Queue work of a session; False once stopped."""
        with self._counting:
            self._waiting += 1
        try:
            self._threads.submit(self._run, work)
        except RuntimeError:
            with self._counting:
                self._waiting -= 1
            return False
        return True

    def _run(self, work: Callable[[], None]) -> None:
        with self._counting:
            self._waiting -= 1
            self._counting.notify_all()
        work()

    def classify_partial(self, partial: Partial) -> Classification | None:
        """Classify what was heard so far; None when the classifier failed."""
        return self.classified(
            Transcript(partial.text, partial.confidence, (), (), self.first.engine.name, "")
        ).classification

    def classified(self, transcript: Transcript) -> Heard:
        """Classify a transcript."""
        if not transcript.text:
            return Heard(transcript, None)
        began = perf_counter()
        try:
            classification = self._classifier().classify(
                transcript.text,
                confidence=transcript.confidence,
                alternatives=tuple((a.text, a.confidence) for a in transcript.alternatives),
            )
        except Exception:
            # Whatever breaks in there must cost a menu, not the call. Its message may quote
            # the caller, so only the count is kept.
            with self._counting:
                self.classifier_failures += 1
            return Heard(transcript, None, failure="classifier_failed")
        return Heard(transcript, classification, classification_seconds=perf_counter() - began)

    def count_partial_failure(self) -> None:
        """What follows the partials broke; the turn goes on without it."""
        with self._counting:
            self.partial_failures += 1

    def waiting(self) -> int:
        """Work items that wait for a thread."""
        return self._waiting

    def is_quiet(self, timeout_seconds: float) -> bool:
        """Wait until no live turn wants a thread, at most so long; whether that came."""
        second = self.second
        with self._counting:
            return self._counting.wait_for(
                lambda: not (self._waiting or (second is not None and second.is_waited_for())),
                timeout_seconds,
            )

    def engines(self) -> tuple[EngineHealth, ...]:
        """The engines with their breakers, the first one first."""
        first = self.first.health()
        return (first,) if self.second is None else (first, self.second.guarded.health())

    def stop(self) -> None:
        """Take nothing more; what runs comes to its end, or is left behind after seconds."""
        if self.second is not None:
            self.second.stop()
        self._threads.shutdown(cancel_futures=True)
