"""Recognition beside the calls: a bounded pool of threads, one session per caller turn.

Audio goes in while the caller speaks; partial transcripts are classified as they come, so that
the pause which ends the turn can fit the certainty reached. The result is awaited by callback,
with a deadline: when the final is late, the last stable partial is taken instead.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.recogniser import Engine as SpeechEngine
from asr.recogniser import Partial, Recogniser, Transcript
from intent.classifier import Classification, Classifier

_MOST_WAITING_SAMPLES = 8000 * 35
"""A turn is shorter than this; more waiting audio means that the pool cannot keep up."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one turn."""

    transcript: Transcript | None
    """None when the recogniser failed or was late without a stable partial."""
    classification: Classification | None = field(repr=False)
    """None when nothing was understood, or the classifier failed."""
    failure: str = ""
    """Code of the failure; empty when there was none."""
    recognition_seconds: float = 0.0
    """From the end of the turn to the transcript."""
    classification_seconds: float = 0.0


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
        self._recogniser: Recogniser | None = None
        self._last_partial: Partial | None = None

    def feed(self, pcm: NDArray[np.int16]) -> None:
        """Take the next samples, 8000 Hz mono; returns at once."""
        with self._lock:
            if self._closed or self._finish_asked_at is not None:
                return
            if self._waiting_samples > _MOST_WAITING_SAMPLES:
                self._failure = self._failure or "recogniser_overrun"
                return
            self._waiting.append(pcm)
            self._waiting_samples += len(pcm)
            self._schedule()

    def finish(self, done: Callable[[Heard], None]) -> None:
        """End the turn; ``done`` is called once, on a pool thread, unless cancelled before."""
        with self._lock:
            if self._closed or self._finish_asked_at is not None:
                return
            self._done = done
            self._finish_asked_at = perf_counter()
            self._schedule()

    def late(self) -> Heard | None:
        """The deadline passed: return the last stable partial and forget the rest.

        Returns:
            None when the result was faster after all: ``done`` is being called with it, or the
            turn was cancelled.
        """
        with self._lock:
            if self._closed:
                return None
            self._closed = True
            partial = self._last_partial
            asked_at = self._finish_asked_at
            self._schedule()
        seconds = perf_counter() - asked_at if asked_at is not None else 0.0
        if partial is None or not partial.stable_text:
            return Heard(None, None, failure="recogniser_late", recognition_seconds=seconds)
        transcript = Transcript(
            text=partial.stable_text,
            confidence=partial.confidence,
            words=(),
            alternatives=(),
            engine=self._pool.engine.name,
            model=self._pool.engine.model,
            is_fallback=True,
        )
        heard = self._pool.classified(transcript) if self._classify else Heard(transcript, None)
        return replace(heard, recognition_seconds=seconds)

    def cancel(self) -> None:
        """Forget the turn; ``done`` will not be called."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._schedule()

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
            self._release()
            with self._lock:
                # Once, whoever comes first: this result, the deadline or a cancellation.
                done = None if self._closed else self._done
                self._closed = True
                self._waiting.clear()
            if heard is not None and done is not None:
                done(heard)
            return

    def _accept(self, chunk: NDArray[np.int16]) -> None:
        if self._failure:
            return
        try:
            if self._recogniser is None:
                self._recogniser = self._pool.engine.open()
            partial = self._recogniser.accept(chunk)
        except Exception as error:
            self._failure = _code(error)
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
        assert self._finish_asked_at is not None
        if self._failure or self._recogniser is None:
            return Heard(None, None, failure=self._failure or "recogniser_heard_nothing")
        try:
            transcript = self._recogniser.finish()
        except Exception as error:
            return Heard(None, None, failure=_code(error))
        seconds = perf_counter() - self._finish_asked_at
        heard = self._pool.classified(transcript) if self._classify else Heard(transcript, None)
        return replace(heard, recognition_seconds=seconds)

    def _release(self) -> None:
        recogniser, self._recogniser = self._recogniser, None
        if recogniser is not None:
            try:
                recogniser.close()
            except Exception:
                # It is given up either way; the result that it gave stands.
                return


def _code(error: Exception) -> str:
    """The failure in a fixed word: a message, of a library too, may quote the caller."""
    return error.code if isinstance(error, AsrError) else "recogniser_crashed"


class RecognitionPool:
    """The speech engine and the classifier, shared by all calls.

    Args:
        engine: Loaded speech engine; its recognisers release the GIL while they work.
        classifier: Returns the classifier of the moment, so that a promoted model is taken by
            the next turn without a lost call.
        workers: Threads.
        threads: Runs the work instead of ``workers`` threads of our own; may start an item only
            after ``submit`` returned.
    """

    def __init__(
        self,
        engine: SpeechEngine,
        classifier: Callable[[], Classifier],
        *,
        workers: int,
        threads: Executor | None = None,
    ) -> None:
        self.engine = engine
        self._classifier = classifier
        self._threads = threads or ThreadPoolExecutor(workers, thread_name_prefix="recognition")
        self._counting = threading.Lock()
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
        work()

    def classify_partial(self, partial: Partial) -> Classification | None:
        """Classify what was heard so far; None when the classifier failed."""
        return self.classified(
            Transcript(partial.text, partial.confidence, (), (), self.engine.name, "")
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

    def stop(self) -> None:
        """Take nothing more; what runs ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
