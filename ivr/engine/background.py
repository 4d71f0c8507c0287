"""Transcribes recordings once more after their calls, for those who label. Whenever nobody waits.

One thread of the lowest priority takes one recording at a time from a bounded queue, and only
while no live turn waits for a thread. What is queued is a place on the disk, not a voice: a
recording that retention has deleted meanwhile is not heard again.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from time import perf_counter

from asr.recogniser import SpeechEngine, Transcript
from ivr.audio import recording
from ivr.engine.checked import CheckedRecogniser, EngineFailedError
from ivr.engine.guarded import EngineGuard, Use
from ivr.engine.register import Recorded
from ivr.engine.workers import Threads, Workers
from ivr.errors import AudioFormatError
from ivr.ports import EngineReading, Pcm
from ivr.ports.audio import SAMPLE_RATE_HZ

_LOWEST_PRIORITY = 19
_LOOK_SECONDS = 1.0
"""How often a pass that waits for its chance looks whether the process ends."""
_PIECE_SAMPLES = SAMPLE_RATE_HZ
"""A second of audio at a time: between two pieces a pass can be given up."""
_STUCK_SECONDS = 600.0
"""At the lowest priority a busy machine may take minutes over half a minute of speech."""


class BackgroundPass:
    """The queue and its thread. Any thread.

    Args:
        engine: Loaded.
        guard: Its breaker, which counts what happens while callers wait, too.
        heard: Told each reading, on the background thread.
        share_of_calls: 0..1.
        most_waiting: Further recordings are dropped and counted.
        is_quiet: Waits until no live turn wants a thread, at most so many seconds; whether that
            came.
        threads: Runs the work instead of a thread of our own.
    """

    def __init__(
        self,
        engine: SpeechEngine,
        guard: EngineGuard,
        heard: Callable[[Recorded, EngineReading], None],
        *,
        share_of_calls: float,
        most_waiting: int,
        is_quiet: Callable[[float], bool],
        threads: Threads | None = None,
    ) -> None:
        self._engine = engine
        self._guard = guard
        self._heard = heard
        self._share_of_calls = share_of_calls
        self._most_waiting = most_waiting
        self._is_quiet = is_quiet
        self._threads = threads or Workers(
            1, "background-pass", nice=_LOWEST_PRIORITY, stuck_seconds=_STUCK_SECONDS
        )
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._waiting = 0
        self._results: Counter[str] = Counter()

    def wants(self, call_id: str) -> bool:
        """Whether recordings of this call are among those to transcribe: all of a call, or none.

        Args:
            call_id: Random hexadecimal digits.
        """
        return int(call_id, 16) / 16.0 ** len(call_id) < self._share_of_calls

    def offer(self, recorded: Recorded) -> None:
        """Queue a recording; returns at once."""
        with self._lock:
            if self._waiting >= self._most_waiting:
                self._results["dropped"] += 1
                return
            self._waiting += 1
        try:
            self._threads.submit(self._transcribe, recorded)
        except RuntimeError:
            with self._lock:
                self._waiting -= 1
                self._results["dropped"] += 1

    def waiting(self) -> int:
        """Recordings that wait."""
        return self._waiting

    def results(self) -> Mapping[str, int]:
        """How many recordings ended how.

        ``done``, ``failed``, ``dropped`` (the queue was full, or the process ended) or ``gone``
        (the recording was not there any more).
        """
        with self._lock:
            return dict(self._results)

    def stop(self) -> None:
        """Take nothing more; what runs ends at the next second of its audio."""
        self._stopped.set()
        self._threads.shutdown(cancel_futures=True)
        with self._lock:
            self._results["dropped"] += self._waiting
            self._waiting = 0

    def _transcribe(self, recorded: Recorded) -> None:
        use = self._use() if self._may_go_on() else None
        with self._lock:
            if self._stopped.is_set():
                if use is not None:
                    use.abandoned()
                return
            self._waiting -= 1
        if use is None:
            return
        try:
            pcm = recording.read(recorded.path)
        except AudioFormatError:
            use.abandoned()
            self._count("gone")
            return
        reading = self._read(use, pcm)
        if reading is None:
            self._count("dropped")
            return
        self._count("failed" if reading.transcript is None else "done")
        self._heard(recorded, reading)

    def _read(self, use: Use, pcm: Pcm) -> EngineReading | None:
        """Run a whole turn through the engine; None when it was given up."""
        began = perf_counter()
        engine, recogniser = self._engine, CheckedRecogniser(self._engine)
        transcript: Transcript | None = None
        failure = ""
        try:
            for start in range(0, len(pcm), _PIECE_SAMPLES):
                if not self._may_go_on():
                    use.abandoned()
                    return None
                recogniser.accept(pcm[start : start + _PIECE_SAMPLES])
            if not self._may_go_on():
                use.abandoned()
                return None
            transcript = recogniser.finish()
            use.done()
        except EngineFailedError as error:
            failure = error.code
            use.failed()
        finally:
            recogniser.close()
        seconds = perf_counter() - began
        return EngineReading("background", engine.name, engine.model, transcript, failure, seconds)

    def _use(self) -> Use | None:
        """Wait until the engine's breaker permits it; None when the process ends before."""
        while not self._stopped.is_set():
            use = self._guard.begin(counts=False)
            if use is not None:
                return use
            self._stopped.wait(_LOOK_SECONDS)
        return None

    def _may_go_on(self) -> bool:
        """Wait until no call would be slowed down; False when the process ends before."""
        while not self._stopped.is_set():
            if self._is_quiet(_LOOK_SECONDS):
                return True
        return False

    def _count(self, result: str) -> None:
        with self._lock:
            self._results[result] += 1
