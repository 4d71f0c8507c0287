"""A speech engine behind its circuit breaker: whatever it does, a call gets a word for it.

The only place of the phone service where an engine's own code is called.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum, unique
from time import monotonic

import numpy as np
import structlog
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.recogniser import Alternative, Partial, Recogniser, SpeechEngine, Transcript, Word
from ivr.engine.breaker import BreakerRules, BreakerState, CircuitBreaker, Permit

_log = structlog.get_logger("wegwijs.recognition")

SUSPENDED = "recogniser_suspended"
"""Code of a turn for which the engine was not asked, because its breaker is not closed."""
LATE = "recogniser_late"
GARBAGE = "recogniser_garbage"
"""Code of an engine that returned what its port does not allow."""
_CRASHED = "recogniser_crashed"


@unique
class Place(StrEnum):
    """Which of the two engines. The values are metric labels: never rename one."""

    FIRST = "first"
    """Listens while the caller speaks, and decides."""
    SECOND = "second"


class UseFailedError(Exception):
    """A use of an engine failed.

    Attributes:
        code: A fixed word: an engine's own message may quote the caller.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """An engine as ``/metrics`` and ``/readyz`` show it."""

    place: Place
    engine: str
    model: str
    state: BreakerState
    uses: Mapping[str, int]
    """Uses that are over, by result: ``done``, ``failed``, ``late``, ``abandoned``, ``refused``."""


class GuardedEngine:
    """A loaded engine, its breaker and the count of its uses. Any thread.

    Args:
        engine: Loaded.
        place: First or second.
        rules: Of its breaker.
        clock: Seconds, never going back.
    """

    def __init__(
        self,
        engine: SpeechEngine,
        place: Place,
        rules: BreakerRules,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.engine = engine
        self.place = place
        self._breaker = CircuitBreaker(rules)
        self._clock = clock
        self._lock = threading.Lock()
        self._uses: Counter[str] = Counter()

    def begin(self, *, counts: bool = True) -> Use | None:
        """Ask for one use; None while the breaker does not permit it.

        Args:
            counts: False for who asks again and again: a refusal is then no news.
        """
        with self._lock:
            before = self._breaker.state(self._clock())
            permit = self._breaker.admit(self._clock())
            if permit is None:
                self._uses["refused"] += counts
                return None
        if permit.is_probe:
            self._tell(before, "probed")
        return Use(self, permit)

    def health(self) -> EngineHealth:
        """Its state at this moment."""
        with self._lock:
            return EngineHealth(
                place=self.place,
                engine=self.engine.name,
                model=self.engine.model,
                state=self._breaker.state(self._clock()),
                uses=dict(self._uses),
            )

    def ended(self, permit: Permit, result: str) -> None:
        """A use is over. Told by :class:`Use`, once."""
        with self._lock:
            now = self._clock()
            before = self._breaker.state(now)
            self._uses[result] += 1
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
            engine=self.engine.name,
            model=self.engine.model,
            state=state.value,
            because=because,
        )


class Use:
    """One turn of one caller with an engine. Made by :meth:`GuardedEngine.begin`.

    :meth:`accept`, :meth:`finish` and :meth:`close` on one thread at a time; the verdicts from
    any thread, and only the first counts.
    """

    def __init__(self, guarded: GuardedEngine, permit: Permit) -> None:
        self._guarded = guarded
        self._permit = permit
        self._lock = threading.Lock()
        self._is_over = False
        self._recogniser: Recogniser | None = None

    def accept(self, pcm: NDArray[np.int16]) -> Partial | None:
        """Hear the next samples, 8000 Hz mono; the first ones open the recogniser.

        Raises:
            UseFailedError: The engine broke.
        """
        try:
            if self._recogniser is None:
                self._recogniser = self._guarded.engine.open()
            return checked_partial(self._recogniser.accept(pcm))
        except BaseException as error:
            raise self._failed(error) from None

    def finish(self) -> Transcript:
        """End the utterance.

        Raises:
            UseFailedError: The engine broke, or heard no sample.
        """
        try:
            if self._recogniser is None:
                raise UseFailedError("recogniser_heard_nothing")
            transcript = checked_transcript(self._recogniser.finish())
        except BaseException as error:
            raise self._failed(error) from None
        self._over("done")
        return transcript

    def failed(self) -> None:
        """It could not keep up."""
        self._over("failed")

    def late(self) -> None:
        """The deadline passed."""
        self._over("late")

    def abandoned(self) -> None:
        """Nobody waits any more; nothing was learned of the engine."""
        self._over("abandoned")

    def close(self) -> None:
        """Give the recogniser back."""
        recogniser, self._recogniser = self._recogniser, None
        if recogniser is not None:
            try:
                recogniser.close()
            except BaseException:
                # It is given up either way; the result that it gave stands.
                return

    def _failed(self, error: BaseException) -> UseFailedError:
        self._over("failed")
        if isinstance(error, UseFailedError):
            return error
        # An error that has a code we know; the message of any other may quote the caller.
        return UseFailedError(error.code if isinstance(error, AsrError) else _CRASHED)

    def _over(self, result: str) -> None:
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
        self._guarded.ended(self._permit, result)


def checked_partial(value: object) -> Partial | None:
    """Return the partial as the port promises it.

    Raises:
        UseFailedError: It is something else.
    """
    if value is None:
        return None
    if not (
        isinstance(value, Partial)
        and isinstance(value.text, str)
        and isinstance(value.stable_text, str)
        and isinstance(value.words, tuple)
    ):
        raise UseFailedError(GARBAGE)
    return replace(
        value,
        confidence=_share(value.confidence),
        words=tuple(_word(word) for word in value.words),
    )


def checked_transcript(value: object) -> Transcript:
    """Return the transcript as the port promises it; confidences are bounded to 0..1.

    Raises:
        UseFailedError: It is something else.
    """
    if not (
        isinstance(value, Transcript)
        and isinstance(value.text, str)
        and isinstance(value.engine, str)
        and isinstance(value.model, str)
        and isinstance(value.words, tuple)
        and isinstance(value.alternatives, tuple)
    ):
        raise UseFailedError(GARBAGE)
    return replace(
        value,
        confidence=_share(value.confidence),
        words=tuple(_word(word) for word in value.words),
        alternatives=tuple(_alternative(reading) for reading in value.alternatives),
        is_fallback=bool(value.is_fallback),
    )


def _word(word: object) -> Word:
    if not (isinstance(word, Word) and isinstance(word.text, str)):
        raise UseFailedError(GARBAGE)
    start, end = _number(word.start_seconds), _number(word.end_seconds)
    return Word(word.text, start, end, _share(word.confidence))


def _alternative(reading: object) -> Alternative:
    if not (isinstance(reading, Alternative) and isinstance(reading.text, str)):
        raise UseFailedError(GARBAGE)
    return Alternative(reading.text, _share(reading.confidence))


def _share(value: object) -> float:
    return min(1.0, max(0.0, _number(value)))


def _number(value: object) -> float:
    # NumPy's scalars are no floats to Python, and a NaN is no number to anybody.
    if isinstance(value, bool | str) or value is None:
        raise UseFailedError(GARBAGE)
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise UseFailedError(GARBAGE) from None
    if not math.isfinite(number):
        raise UseFailedError(GARBAGE)
    return number
