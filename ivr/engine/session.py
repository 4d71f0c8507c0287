"""One caller turn in recognition: the first engine listens, the second is asked when it is unsure.

Whoever comes first ends the turn, once: the result, the deadline or a cancellation.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asr.recogniser import Partial, Transcript
from intent.classifier import Classification
from ivr.engine.guarded import LATE, SUSPENDED, Use, UseFailedError
from ivr.engine.passes import Reading, believes_second, is_unsure, merged

if TYPE_CHECKING:
    from ivr.engine.recognition import RecognitionPool

_MOST_WAITING_SAMPLES = 8000 * 35
"""A turn is shorter than this; more waiting audio means that the pool cannot keep up."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one turn."""

    transcript: Transcript | None
    """None when no recogniser gave one, and there was no stable partial."""
    classification: Classification | None = field(repr=False)
    """None when nothing was understood, or the classifier failed."""
    failure: str = ""
    """Code of the failure; empty when there was none."""
    recognition_seconds: float = 0.0
    """From the end of the turn to the transcript, a second pass included."""
    classification_seconds: float = 0.0
    second_pass_seconds: float | None = None
    """What of ``recognition_seconds`` the second engine was waited for; None: it was not asked."""
    other: Reading | None = None
    """What the engine heard that was not believed; None when only one was asked."""

    @property
    def second_heard(self) -> bool:
        """Whether the second engine has given a reading of the turn."""
        other = self.other
        return other is not None and not (other.heard_in == "second" and other.failure)


class Session:
    """One caller turn. ``feed`` from the audio thread, the rest from the loop's thread."""

    def __init__(
        self,
        pool: RecognitionPool,
        on_partial: Callable[[Partial, Classification], None] | None,
        classify_result: bool = True,
    ) -> None:
        self._pool = pool
        self._on_partial = on_partial
        self._classify = classify_result
        self._lock = threading.Lock()
        self._waiting: deque[NDArray[np.int16]] = deque()
        self._waiting_samples = 0
        self._scheduled = False
        self._done: Callable[[Heard], None] | None = None
        self._finish_asked_at: float | None = None
        self._closed = False
        self._failure = ""
        self._use: Use | None = None
        """Of the first engine; begun with the first audio."""
        self._is_refused = False
        self._last_partial: Partial | None = None
        self._pcm: NDArray[np.int16] | None = None
        self._first: Heard | None = None
        """The first engine's result, while the second is asked."""
        self._second_use: Use | None = None
        self._second_asked_at = 0.0

    def feed(self, pcm: NDArray[np.int16]) -> None:
        """Take the next samples, 8000 Hz mono; returns at once."""
        with self._lock:
            if self._closed or self._finish_asked_at is not None or self._is_refused:
                return
            if self._use is None:
                # Here and not on a pool thread: where all of these are stuck, too, the breaker
                # must learn that a turn came to nothing.
                self._use = self._pool.first.begin()
                if self._use is None:
                    self._is_refused = True
                    return
            if self._waiting_samples > _MOST_WAITING_SAMPLES:
                self._failure = self._failure or "recogniser_overrun"
                return
            self._waiting.append(pcm)
            self._waiting_samples += len(pcm)
            self._schedule()

    def finish(
        self, done: Callable[[Heard], None], utterance: NDArray[np.int16] | None = None
    ) -> None:
        """End the turn; ``done`` is called once, on any thread, unless cancelled before.

        Args:
            done: Told what came of the turn.
            utterance: The whole turn for a second pass, shape ``(n,)``, 8000 Hz mono; None when
                there must be none.
        """
        with self._lock:
            if self._closed or self._finish_asked_at is not None:
                return
            self._done = done
            self._pcm = utterance
            self._finish_asked_at = self._pool.clock()
            if not self._is_refused:
                self._schedule()
                return
        # The pool's threads may be what is stuck: nothing of this waits for one of them.
        self._settle_first(Heard(None, None, failure=SUSPENDED))

    def give_up_second(self) -> Heard | None:
        """The second engine's own deadline passed: return what the first gave.

        Returns:
            None when the second is not what is waited for.
        """
        with self._lock:
            if self._closed or self._first is None:
                return None
            self._closed = True
            first = self._first
        return self._without_second(first)

    def late(self) -> Heard | None:
        """The deadline passed: return what there is, or the last stable partial.

        Returns:
            None when the result was faster after all: ``done`` is being called with it, or the
            turn was cancelled.
        """
        with self._lock:
            if self._closed:
                return None
            self._closed = True
            first, partial = self._first, self._last_partial
            self._schedule()
        if first is not None:
            return self._without_second(first)
        if self._use is not None:
            self._use.late()
        seconds = self._seconds()
        if partial is None or not partial.stable_text:
            return Heard(None, None, failure=LATE, recognition_seconds=seconds)
        return replace(self._heard(self._stable(partial)), recognition_seconds=seconds)

    def cancel(self) -> None:
        """Forget the turn; ``done`` will not be called."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._schedule()
        for use in (self._use, self._second_use):
            if use is not None:
                use.abandoned()

    # --- the first engine -----------------------------------------------------------------------

    def _schedule(self) -> None:
        # Holding the lock. One pool thread at a time works on a session, in order.
        if not self._scheduled:
            self._scheduled = self._pool.submit(self._work)

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._closed:
                    chunk, finishing = None, False
                elif self._waiting:
                    chunk, finishing = self._waiting.popleft(), False
                    self._waiting_samples -= len(chunk)
                elif self._finish_asked_at is not None:
                    chunk, finishing = None, True
                else:
                    self._scheduled = False
                    return
            if chunk is not None:
                self._accept(chunk)
                continue
            heard = self._finished() if finishing else None
            if self._use is not None:
                self._use.close()
            if heard is None:
                self._conclude(None)
            else:
                self._settle_first(heard)
            return

    def _accept(self, chunk: NDArray[np.int16]) -> None:
        if self._failure or self._use is None:
            return
        try:
            partial = self._use.accept(chunk)
        except UseFailedError as error:
            self._failure = error.code
            return
        if partial is None or not partial.text:
            return
        previous, self._last_partial = self._last_partial, partial
        if self._on_partial is None or (previous is not None and previous.text == partial.text):
            return
        # After the turn nobody waits for a partial any more, and its pause would be the next
        # turn's.
        if self._closed or self._finish_asked_at is not None:
            return
        classification = self._pool.classify_partial(partial)
        if classification is None:
            return
        try:
            self._on_partial(partial, classification)
        except Exception:
            # The turn then ends after the usual pause.
            self._pool.count_partial_failure()

    def _finished(self) -> Heard:
        if self._use is None:
            return Heard(None, None, failure="recogniser_heard_nothing")
        if self._failure:
            self._use.failed()
            return Heard(None, None, failure=self._failure)
        try:
            transcript = self._use.finish()
        except UseFailedError as error:
            return Heard(None, None, failure=error.code)
        seconds = self._seconds()
        partial = self._last_partial
        if not transcript.text and partial is not None and partial.stable_text:
            transcript = self._stable(partial)
        return replace(self._heard(transcript), recognition_seconds=seconds)

    def _stable(self, partial: Partial) -> Transcript:
        """The last stable partial, where the final is empty or late."""
        engine = self._pool.first.engine
        return Transcript(
            text=partial.stable_text,
            confidence=partial.confidence,
            words=(),
            alternatives=(),
            engine=engine.name,
            model=engine.model,
            is_fallback=True,
        )

    # --- the second engine ----------------------------------------------------------------------

    def _settle_first(self, first: Heard) -> None:
        """The first engine is done: that is the result, unless the second must be asked."""
        second, pcm = self._pool.second, self._pcm
        if (
            second is None
            or pcm is None
            or not len(pcm)
            or not is_unsure(first.transcript, second.rules.unsure_below)
        ):
            self._conclude(first)
            return
        with self._lock:
            if self._closed:
                return
            self._first = first
            self._second_asked_at = self._pool.clock()
        use = second.ask(pcm, self._is_wanted, self._second_heard)
        if use is None:
            self._conclude(first)
            return
        with self._lock:
            self._second_use = use
        if not self._is_wanted():
            # The deadline passed meanwhile; or it was heard already, and this changes nothing.
            use.abandoned()

    def _is_wanted(self) -> bool:
        return not self._closed

    def _second_heard(self, reading: Reading) -> None:
        """The second engine is done, on one of its threads."""
        first, second = self._first, self._pool.second
        if first is None or second is None or self._closed:
            return
        waited = self._pool.clock() - self._second_asked_at
        if reading.transcript is None:
            heard = replace(first, other=reading)
            result = "failed"
        elif believes_second(first.transcript, reading.transcript):
            heard = self._heard(merged(first.transcript, reading.transcript))
            heard = replace(heard, other=self._first_reading(first))
            result = "better"
        else:
            heard = self._heard(merged(first.transcript, reading.transcript))
            heard = replace(heard, other=reading)
            result = "not_better"
        heard = replace(heard, recognition_seconds=self._seconds(), second_pass_seconds=waited)
        if self._conclude(heard):
            second.count(result)

    def _without_second(self, first: Heard) -> Heard:
        """The second engine was asked, and did not answer in time."""
        second = self._pool.second
        assert second is not None
        waited = self._pool.clock() - self._second_asked_at
        use = self._second_use
        if use is not None:
            # A second engine that was asked at the last moment is not to blame.
            if waited >= self._seconds() / 2:
                use.late()
            else:
                use.abandoned()
        second.count("late")
        engine = second.guarded.engine
        late = Reading("second", engine.name, engine.model, failure=LATE, seconds=waited)
        return replace(
            first, other=late, recognition_seconds=self._seconds(), second_pass_seconds=waited
        )

    def _first_reading(self, first: Heard) -> Reading:
        engine = self._pool.first.engine
        return Reading(
            "first",
            engine.name,
            engine.model,
            first.transcript,
            first.failure if first.transcript is None else "",
            first.recognition_seconds,
        )

    # --- the end --------------------------------------------------------------------------------

    def _conclude(self, heard: Heard | None) -> bool:
        """End the turn with this result; False when it was over already."""
        with self._lock:
            done = None if self._closed else self._done
            self._closed = True
            self._waiting.clear()
        if heard is None or done is None:
            return False
        done(heard)
        return True

    def _heard(self, transcript: Transcript) -> Heard:
        return self._pool.classified(transcript) if self._classify else Heard(transcript, None)

    def _seconds(self) -> float:
        """Since the end of the turn; 0 before it."""
        asked_at = self._finish_asked_at
        return self._pool.clock() - asked_at if asked_at is not None else 0.0
