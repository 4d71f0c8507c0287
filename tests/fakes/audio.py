"""A stand-in for the audio core: callers speak on command, on the loop's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ivr.ports import (
    AudioEvent,
    InbandDigit,
    Pcm,
    SpeechStarted,
    UtteranceEnded,
)

CHUNK_SECONDS = 0.1


@dataclass(slots=True)
class Attending:
    """What a call last asked of the ears for a slot."""

    playing: bool
    pause_ms: int
    max_seconds: float
    sink: Callable[[Pcm], None] | None


@dataclass(slots=True)
class _Turn:
    started_at: float
    pcm: list[Pcm] = field(default_factory=list)
    last_energy_at: float = 0.0
    ending: asyncio.TimerHandle | None = None


class FakeEars:
    """The audio core's commands on the loop's clock, with callers that speak on command.

    Attributes:
        listener: Gets the events: :meth:`ivr.engine.engine.CallEngine.audio_event`.
        attending: By slot; absent while no turn may begin.
        pauses: Every pause that was asked for, in milliseconds, oldest first.
        changes: Those that were asked for in the middle of a turn.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.listener: Callable[[AudioEvent], None] = lambda event: None
        self.attending: dict[int, Attending] = {}
        self.opened: dict[int, float] = {}
        self.pauses: list[int] = []
        self.changes: list[int] = []
        self.take_error: Exception | None = None
        self.turns: dict[int, _Turn] = {}
        self._loop = loop
        self._utterances: dict[int, Pcm] = {}

    def open(self, slot_index: int) -> None:
        """See :class:`ivr.ports.Ears`."""
        self.close(slot_index)
        self.opened[slot_index] = self._loop.time()

    def close(self, slot_index: int) -> None:
        """See :class:`ivr.ports.Ears`."""
        self.ignore(slot_index)
        self.opened.pop(slot_index, None)
        self._utterances.pop(slot_index, None)

    def attend(
        self,
        slot_index: int,
        *,
        playing: bool,
        pause_ms: int,
        max_seconds: float,
        sink: Callable[[Pcm], None] | None = None,
    ) -> None:
        """See :class:`ivr.ports.Ears`."""
        self.attending[slot_index] = Attending(playing, pause_ms, max_seconds, sink)
        self.pauses.append(pause_ms)

    def ignore(self, slot_index: int) -> None:
        """See :class:`ivr.ports.Ears`."""
        self.attending.pop(slot_index, None)
        turn = self.turns.pop(slot_index, None)
        if turn is not None and turn.ending is not None:
            turn.ending.cancel()

    def set_pause(self, slot_index: int, pause_ms: int) -> None:
        """See :class:`ivr.ports.Ears`."""
        self.pauses.append(pause_ms)
        self.changes.append(pause_ms)
        if slot_index in self.attending:
            self.attending[slot_index].pause_ms = pause_ms

    def take_utterance(self, slot_index: int) -> Pcm:
        """See :class:`ivr.ports.Ears`."""
        if self.take_error is not None:
            raise self.take_error
        turn = self.turns.get(slot_index)
        if turn is not None:
            return np.concatenate(turn.pcm)
        return self._utterances.pop(slot_index, np.zeros(0, np.int16))

    def clock(self, slot_index: int) -> float:
        """See :class:`ivr.ports.Ears`."""
        return self._loop.time() - self.opened.get(slot_index, self._loop.time())

    def press(self, slot_index: int, digit: str) -> None:
        """A key is heard in the audio."""
        self.listener(InbandDigit(slot_index, digit))

    def speak(self, slot_index: int, seconds: float) -> None:
        """The caller of a slot begins to speak, for so long, if anybody attends."""
        if slot_index in self.attending and slot_index not in self.turns:
            self.turns[slot_index] = _Turn(self.clock(slot_index))
            self.listener(SpeechStarted(slot_index, self.clock(slot_index)))
            self._loop.call_soon(self._chunk, slot_index, seconds)

    def _chunk(self, slot: int, seconds_left: float) -> None:
        turn, attending = self.turns.get(slot), self.attending.get(slot)
        if turn is None or attending is None:
            return
        pcm = np.full(int(8000 * CHUNK_SECONDS), 1000, np.int16)
        turn.pcm.append(pcm)
        turn.last_energy_at = self.clock(slot)
        if attending.sink is not None:
            attending.sink(pcm)
        if self.clock(slot) - turn.started_at >= attending.max_seconds:
            self._end(slot, too_long=True)
        elif seconds_left > CHUNK_SECONDS:
            self._loop.call_later(CHUNK_SECONDS, self._chunk, slot, seconds_left - CHUNK_SECONDS)
        else:
            turn.ending = self._loop.call_later(0.02, self._pause, slot)

    def _pause(self, slot: int) -> None:
        turn, attending = self.turns.get(slot), self.attending.get(slot)
        if turn is None or attending is None:
            return
        if self.clock(slot) - turn.last_energy_at >= attending.pause_ms / 1000 - 1e-9:
            self._end(slot, too_long=False)
        else:
            turn.ending = self._loop.call_later(0.02, self._pause, slot)

    def _end(self, slot: int, *, too_long: bool) -> None:
        turn = self.turns.pop(slot)
        del self.attending[slot]
        self._utterances[slot] = np.concatenate(turn.pcm)
        self.listener(
            UtteranceEnded(
                slot,
                at_seconds=self.clock(slot),
                last_energy_seconds=turn.last_energy_at,
                voiced_seconds=len(turn.pcm) * CHUNK_SECONDS,
                too_long=too_long,
            )
        )
