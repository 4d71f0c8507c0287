"""The audio core: frames of all calls in, events of callers out, every 20 ms.

Threads. :meth:`AudioCore.tick` runs on one thread, the core's own after :meth:`AudioCore.start`.
Commands may come from any thread: they are put on a queue and take effect at the beginning of
the next tick, in order, so no lock is held while audio is processed and a command never waits.
The listener and the sinks are called on the core's thread and must return at once. An event
that was on its way when its command was given may still arrive after it.

Time. :meth:`AudioCore.tick` reads no clock: the time of a slot is the number of frames it
received, times 0.02 s. If frames stop, the slot's time stops; the engine's timers bound that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from ivr.audio.activity import VoiceActivity
from ivr.audio.dtmf import DtmfDetector
from ivr.audio.endpointing import TurnEnd, TurnLogic, TurnStart
from ivr.audio.frames import FRAME_SAMPLES, FRAME_SECONDS, FrameMatrix
from ivr.audio.settings import AudioSettings
from ivr.audio.ticker import TickCounters, Ticker
from ivr.ports import (
    AudioEvent,
    FramesDropped,
    InbandDigit,
    SpeechStarted,
    UtteranceEnded,
)

__all__ = ["AudioCore", "AudioCounters", "AudioSettings", "Sink"]

Sink = Callable[[NDArray[np.int16]], None]

_FRAME_MS: Final = 20
_HISTORY_FRAMES: Final = 64
"""Holds pre-roll, lead-in and the window in which voiced time is counted."""
_BLOCK_SLOTS: Final = 100
"""Calls computed together. Larger arrays leave the caches and are given back to the system
and faulted in again at every tick: 500 at once took eight times as long as five times 100."""
_log = structlog.get_logger("wegwijs.audio")


@dataclass(frozen=True, slots=True)
class AudioCounters:
    """What the core did since its start, ready for a metrics page."""

    frames: int
    """20 ms frames processed, of open slots."""
    dropped_frames: int
    """Frames lost to ring overruns."""
    failed_calls_out: int
    """Exceptions out of listeners and sinks."""
    ticks: TickCounters


class _TurnSound:
    """Audio of one turn: all of it, and how much of it the sink has."""

    __slots__ = ("octets", "sent", "sink")

    def __init__(self, octets: bytes, sink: Sink | None) -> None:
        self.octets = bytearray(octets)
        self.sent = 0
        self.sink = sink


class AudioCore:
    """Voice activity, turns, utterances and inband keys of every slot of a frame matrix.

    Args:
        matrix: Where the media thread leaves its frames.
        listener: Called with every event on the core's thread; must return at once.
        settings: Thresholds.
    """

    def __init__(
        self,
        matrix: FrameMatrix,
        listener: Callable[[AudioEvent], None],
        settings: AudioSettings | None = None,
    ) -> None:
        self._matrix = matrix
        self._listener = listener
        self._settings = settings or AudioSettings()
        slots = matrix.slots
        self._commands: deque[Callable[[], None]] = deque()
        self._activity = VoiceActivity(slots, self._settings)
        self._dtmf = DtmfDetector(slots)
        self._turns = TurnLogic(slots)
        self._open = np.zeros(slots, dtype=np.bool_)
        self._playing = np.zeros(slots, dtype=np.bool_)
        self._first = np.zeros(slots, dtype=np.int64)
        self._heard = np.zeros(slots, dtype=np.int64)
        self._history = np.zeros((slots, _HISTORY_FRAMES, FRAME_SAMPLES), dtype=np.int16)
        self._sinks: dict[int, Sink | None] = {}
        self._turn: dict[int, _TurnSound] = {}
        self._utterances: dict[int, bytes] = {}
        self._chunk_octets = self._settings.chunk_ms // _FRAME_MS * 2 * FRAME_SAMPLES

        self._frames = 0
        self._failed_calls_out = 0
        self._ticker = Ticker(self.tick)

    # Commands: any thread.

    def open(self, slot_index: int) -> None:
        """Media of a claimed slot starts: listen for keys, learn the noise floor."""
        self._commands.append(lambda: self._do_open(slot_index))

    def close(self, slot_index: int) -> None:
        """Media of a slot ended: forget everything of it, without further events."""
        self._commands.append(lambda: self._do_close(slot_index))

    def attend(
        self,
        slot_index: int,
        *,
        playing: bool,
        pause_ms: int,
        max_seconds: float,
        sink: Sink | None = None,
    ) -> None:
        """From now a caller turn may begin; one turn, then the next ``attend`` is needed.

        While a turn is under way it only changes that turn's parameters.

        Args:
            slot_index: An open slot; others are ignored (the caller just hung up).
            playing: Our prompt is sounding: speech must be longer and louder to count.
            pause_ms: Trailing silence that ends the turn.
            max_seconds: Longest turn, from the start of the voiced stretch.
            sink: Gets the turn's PCM, 8000 Hz mono, in chunks of about 100 ms, from the
                pre-roll to the endpoint. A sink that replaces another in the middle of a
                turn gets the turn from its beginning. One that raises is called no more.

        Raises:
            ValueError: ``pause_ms`` or ``max_seconds`` is not positive.
        """
        if pause_ms <= 0 or max_seconds <= 0:
            raise ValueError(
                f"pause_ms = {pause_ms}, max_seconds = {max_seconds}: both must be positive"
            )
        limit = max(1, round(max_seconds / FRAME_SECONDS))
        self._commands.append(
            lambda: self._do_attend(slot_index, playing, _frames(pause_ms), limit, sink)
        )

    def ignore(self, slot_index: int) -> None:
        """No turn may begin, and one under way is forgotten; keys are still heard."""
        self._commands.append(lambda: self._do_ignore(slot_index))

    def set_pause(self, slot_index: int, pause_ms: int) -> None:
        """Change the pause that ends the turn, including the pause already running."""
        frames = _frames(pause_ms)
        self._commands.append(lambda: self._turns.set_pause(slot_index, frames))

    # Questions: any thread. Each reads one object that the core replaces or only extends.

    def take_utterance(self, slot_index: int) -> NDArray[np.int16]:
        """The turn from pre-roll to endpoint; of a turn under way, what was heard so far.

        A finished turn can be taken once, until the slot's next turn or ``close``.

        Returns:
            Mono 8000 Hz, shape ``(samples,)``; empty when there is none.
        """
        turn = self._turn.get(slot_index)
        # bytes(bytearray) is one step under the GIL, so a growing turn is copied whole.
        octets = self._utterances.pop(slot_index, b"") if turn is None else bytes(turn.octets)
        return np.frombuffer(octets, dtype=np.int16).copy()

    def clock(self, slot_index: int) -> float:
        """Seconds on the slot's audio clock: frames received and processed x 0.02."""
        return float(self._heard[slot_index]) * FRAME_SECONDS

    def counters(self) -> AudioCounters:
        """Numbers for the metrics page."""
        return AudioCounters(
            frames=self._frames,
            dropped_frames=self._matrix.dropped_frames,
            failed_calls_out=self._failed_calls_out,
            ticks=self._ticker.counters(),
        )

    # The thread.

    def start(self) -> None:
        """Tick every 20 ms on a thread of our own.

        Raises:
            RuntimeError: It is started already.
        """
        self._ticker.start()

    def stop(self) -> None:
        """End the thread, within two seconds. Idempotent."""
        self._ticker.stop()

    def is_alive(self) -> bool:
        """Whether the core's thread ticked within the last second."""
        return self._ticker.is_alive()

    # The work: core's thread only.

    def tick(self) -> None:
        """Carry out the waiting commands, then process whatever arrived. Reads no clock."""
        commands = self._commands
        # A bound: commands that arrive meanwhile wait for the next tick.
        for _ in range(len(commands)):
            commands.popleft()()
        batch = self._matrix.take()
        for slot, count in batch.dropped.items():
            if self._open[slot]:
                self._lose(slot, count)
        for step in batch.steps:
            for first in range(0, len(step.slots), _BLOCK_SLOTS):
                block = slice(first, first + _BLOCK_SLOTS)
                self._process(step.slots[block], step.positions[block], step.pcm[block])

    def _process(
        self, slots: NDArray[np.intp], positions: NDArray[np.int64], pcm: NDArray[np.int16]
    ) -> None:
        self._heard[slots] = positions + 1
        is_open = self._open[slots]
        if not is_open.all():
            if not is_open.any():
                return
            slots, positions, pcm = slots[is_open], positions[is_open], pcm[is_open]
        self._frames += len(slots)
        self._history[slots, positions % _HISTORY_FRAMES] = pcm
        frames = pcm.astype(np.float32)
        activity = self._activity.measure(
            slots,
            frames,
            playing=self._playing[slots] & ~self._turns.in_turn(slots),
            speaking=self._turns.speaking(slots, positions),
        )
        voiced, likely = activity.voiced, activity.likely
        if self._settings.inband_digits:
            digits, keyed = self._dtmf.detect(slots, frames)
            for slot, digit in digits:
                self._emit(InbandDigit(slot, digit))
            voiced, likely = voiced & ~keyed, likely & ~keyed
        starts, ends = self._turns.advance(slots, positions, voiced, likely, activity.active)
        if self._turn:
            self._record(slots, pcm)
        for start in starts:
            self._begin(start)
        for end in ends:
            self._finish(end)

    def _record(self, slots: NDArray[np.intp], pcm: NDArray[np.int16]) -> None:
        turns = self._turn
        for slot, row in zip(slots.tolist(), pcm, strict=True):
            turn = turns.get(slot)
            if turn is not None:
                turn.octets += row.data
                if len(turn.octets) - turn.sent >= self._chunk_octets:
                    self._flush(turn)

    def _begin(self, start: TurnStart) -> None:
        slot = start.slot
        now = int(self._heard[slot])
        preroll = self._settings.preroll_ms // _FRAME_MS
        first = max(start.start - preroll, now - _HISTORY_FRAMES, int(self._first[slot]))
        rows = np.arange(first, now) % _HISTORY_FRAMES
        turn = _TurnSound(self._history[slot, rows].tobytes(), self._sinks.get(slot))
        self._utterances.pop(slot, None)
        self._turn[slot] = turn
        self._emit(SpeechStarted(slot, start.start * FRAME_SECONDS))
        self._flush(turn)

    def _finish(self, end: TurnEnd) -> None:
        turn = self._turn[end.slot]
        self._flush(turn)
        self._utterances[end.slot] = bytes(turn.octets)
        del self._turn[end.slot]
        self._sinks.pop(end.slot, None)
        self._emit(
            UtteranceEnded(
                slot=end.slot,
                at_seconds=end.end * FRAME_SECONDS,
                last_energy_seconds=end.last_voiced_end * FRAME_SECONDS,
                voiced_seconds=end.voiced_frames * FRAME_SECONDS,
                too_long=end.too_long,
            )
        )

    def _flush(self, turn: _TurnSound) -> None:
        if turn.sink is None or turn.sent == len(turn.octets):
            return
        chunk = np.frombuffer(bytes(memoryview(turn.octets)[turn.sent :]), dtype=np.int16)
        turn.sent = len(turn.octets)
        try:
            turn.sink(chunk)
        except Exception as error:
            turn.sink = None
            self._failed(error, "sink")

    def _emit(self, event: AudioEvent) -> None:
        try:
            self._listener(event)
        except Exception as error:
            self._failed(error, "listener")

    def _failed(self, error: Exception, who: str) -> None:
        # The type alone: a message may carry what the caller said.
        self._failed_calls_out += 1
        _log.error("audio_receiver_failed", whose=who, error=type(error).__name__)

    def _lose(self, slot: int, count: int) -> None:
        lost_from = int(self._heard[slot])
        rows = np.arange(lost_from, lost_from + min(count, _HISTORY_FRAMES)) % _HISTORY_FRAMES
        self._history[slot, rows] = 0
        self._turns.skip(slot, count)
        self._emit(FramesDropped(slot, count))

    def _do_open(self, slot: int) -> None:
        self._forget(slot)
        self._activity.reset(slot)
        self._dtmf.reset(slot)
        self._playing[slot] = False
        self._open[slot] = True

    def _do_close(self, slot: int) -> None:
        self._forget(slot)
        self._open[slot] = False

    def _forget(self, slot: int) -> None:
        self._turns.reset(slot)
        self._turn.pop(slot, None)
        self._sinks.pop(slot, None)
        self._utterances.pop(slot, None)
        # A caller's voice does not stay in memory after the call.
        self._history[slot] = 0
        self._first[slot] = 0

    def _do_attend(
        self, slot: int, playing: bool, pause_frames: int, limit_frames: int, sink: Sink | None
    ) -> None:
        if not self._open[slot]:
            return
        settings = self._settings
        needed = _frames(settings.barge_in_ms if playing else settings.start_voiced_ms)
        self._playing[slot] = playing
        self._turns.attend(
            slot, needed_frames=needed, pause_frames=pause_frames, limit_frames=limit_frames
        )
        self._sinks[slot] = sink
        turn = self._turn.get(slot)
        # Equality, not identity: a bound method is a new object each time it is named.
        if turn is not None and turn.sink != sink:
            turn.sink = sink
            turn.sent = 0
            self._flush(turn)

    def _do_ignore(self, slot: int) -> None:
        self._turns.ignore(slot)
        self._turn.pop(slot, None)
        self._sinks.pop(slot, None)


def _frames(milliseconds: int) -> int:
    """Whole frames that cover a duration; at least one."""
    return max(1, -(-milliseconds // _FRAME_MS))
