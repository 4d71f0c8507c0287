"""A speech engine on a bounded number of threads: each turn in order, on one thread at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from asr.recogniser import Partial, SpeechEngine, Transcript
from ivr.engine.checked import CheckedRecogniser, EngineFailedError
from ivr.engine.workers import Threads
from ivr.ports import Pcm, Recognised, TurnListener, TurnRecogniser
from ivr.ports.audio import SAMPLE_RATE_HZ
from ivr.ports.recognition import LATE

BUSY = "recogniser_busy"
"""Code of a turn that no thread could take."""
_OVERRUN = "recogniser_overrun"
_MOST_WAITING_SAMPLES = 35 * SAMPLE_RATE_HZ
"""A turn is shorter than this; more waiting audio means that the engine cannot keep up."""
_PIECE_SAMPLES = SAMPLE_RATE_HZ
"""A second of audio at a time: between two pieces a turn can be given up."""


class WaitingTurns:
    """Counts what live turns wait for, so that other work can wait. Any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def add(self) -> None:
        """One more waits."""
        with self._changed:
            self._count += 1

    def remove(self) -> None:
        """One waits no longer."""
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def is_quiet(self, timeout_seconds: float) -> bool:
        """Wait until nothing waits, at most so long; whether that came."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._count, timeout_seconds)


class PooledRecognition:
    """One engine for all calls. Any thread.

    Args:
        engine: Loaded; its recognisers release the GIL while they work.
        threads: Run the work; may start an item only after ``submit`` returned.
        waiting: Told of every turn that waits for a thread.
        streams: Whether the engine hears a turn while it lasts. One that does not is handed the
            whole turn at its end, and counts as waited for until it is done.
    """

    ask_early_seconds: float | None = None

    def __init__(
        self,
        engine: SpeechEngine,
        threads: Threads,
        waiting: WaitingTurns,
        *,
        streams: bool = True,
    ) -> None:
        self._engine = engine
        self._threads = threads
        self._all_waiting = waiting
        self._streams = streams
        self._lock = threading.Lock()
        self._waiting = 0

    @property
    def name(self) -> str:
        """The engine's."""
        return self._engine.name

    @property
    def model(self) -> str:
        """The engine's."""
        return self._engine.model

    def open(self, listener: TurnListener) -> TurnRecogniser:
        """Begin a turn."""
        recogniser = CheckedRecogniser(self._engine)
        return _PooledTurn(recogniser, self, listener, streams=self._streams)

    def waiting(self) -> int:
        """Work items that wait for a thread."""
        return self._waiting

    def submit(self, work: Callable[[], None]) -> bool:
        """Queue work of a turn; False when too much waits, or once stopped."""
        self._count(+1)
        self._all_waiting.add()
        try:
            self._threads.submit(self._run, work)
        except RuntimeError:
            self._count(-1)
            self._all_waiting.remove()
            return False
        return True

    def _run(self, work: Callable[[], None]) -> None:
        self._count(-1)
        if self._streams:
            self._all_waiting.remove()
            work()
            return
        try:
            work()
        finally:
            self._all_waiting.remove()

    def _count(self, change: int) -> None:
        with self._lock:
            self._waiting += change

    def stop(self) -> None:
        """Take nothing more; what runs comes to its end, or is left behind after seconds."""
        self._threads.shutdown(cancel_futures=True)


class _PooledTurn:
    """One turn: see :class:`ivr.ports.TurnRecogniser`."""

    def __init__(
        self,
        recogniser: CheckedRecogniser,
        pool: PooledRecognition,
        listener: TurnListener,
        *,
        streams: bool,
    ) -> None:
        self._recogniser = recogniser
        self._pool = pool
        self._listener = listener
        self._streams = streams
        self._lock = threading.Lock()
        self._pieces: deque[Pcm] = deque()
        self._samples = 0
        self._is_scheduled = False
        self._is_ending = False
        self._is_over = False
        self._result: Recognised | None = None
        self._last_partial: Partial | None = None

    def feed(self, pcm: Pcm) -> None:
        with self._lock:
            if self._is_over or self._is_ending:
                return
            overrun = self._samples > _MOST_WAITING_SAMPLES
            if not overrun:
                for start in range(0, len(pcm), _PIECE_SAMPLES):
                    self._pieces.append(pcm[start : start + _PIECE_SAMPLES])
                self._samples += len(pcm)
            accepted = not self._streams or self._schedule()
        if overrun:
            self._conclude(Recognised(failure=_OVERRUN))
        elif not accepted:
            self._conclude(Recognised(failure=BUSY))

    def finish(self) -> None:
        with self._lock:
            if self._is_over or self._is_ending:
                return
            self._is_ending = True
            accepted = self._schedule()
        if not accepted:
            self._conclude(Recognised(failure=BUSY))

    def result_so_far(self) -> Recognised | None:
        return self._result

    def give_up(self) -> Recognised:
        with self._lock:
            if self._result is not None:
                return self._result
            self._end()
            partial = self._last_partial
        if partial is None or not partial.stable_text:
            return Recognised(failure=LATE)
        return Recognised(transcript=self._stable(partial))

    def cancel(self) -> None:
        with self._lock:
            if not self._is_over:
                self._end()

    def _schedule(self) -> bool:
        """Ask for a thread, unless one is on its way. Holding the lock."""
        if not self._is_scheduled:
            self._is_scheduled = self._pool.submit(self._work)
        return self._is_scheduled

    def _end(self) -> None:
        """Forget what waits; a thread gives the recogniser back. Holding the lock."""
        self._is_over = True
        self._pieces.clear()
        self._schedule()

    def _conclude(self, result: Recognised) -> None:
        """Tell the result, unless nobody wants it any more."""
        with self._lock:
            if self._is_over:
                return
            self._result = result
            self._end()
        self._listener.recognised(result)

    def _work(self) -> None:
        while True:
            with self._lock:
                piece = self._pieces.popleft() if self._pieces else None
                if piece is not None:
                    self._samples -= len(piece)
                elif self._is_over or not self._is_ending:
                    # Under the lock: a turn that is over later gets a thread of its own for this.
                    self._is_scheduled, is_over = False, self._is_over
                    break
            if piece is None:
                self._conclude(self._finished())
            else:
                self._accept(piece)
        if is_over:
            self._recogniser.close()

    def _accept(self, piece: Pcm) -> None:
        try:
            partial = self._recogniser.accept(piece)
        except EngineFailedError as error:
            self._conclude(Recognised(failure=error.code))
            return
        if partial is None or not partial.text:
            return
        previous, self._last_partial = self._last_partial, partial
        is_news = previous is None or previous.text != partial.text
        if is_news and not (self._is_over or self._is_ending):
            self._listener.partial(partial)

    def _finished(self) -> Recognised:
        try:
            transcript = self._recogniser.finish()
        except EngineFailedError as error:
            return Recognised(failure=error.code)
        partial = self._last_partial
        if not transcript.text and partial is not None and partial.stable_text:
            transcript = self._stable(partial)
        return Recognised(transcript=transcript)

    def _stable(self, partial: Partial) -> Transcript:
        """The last stable partial, where the final is empty or late."""
        return Transcript(
            text=partial.stable_text,
            confidence=partial.confidence,
            words=(),
            alternatives=(),
            engine=self._pool.name,
            model=self._pool.model,
            is_fallback=True,
        )
