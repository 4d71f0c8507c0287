"""When a caller's turn begins and ends, for all calls at once.

Time is counted in frames of the slot's own audio, never read from a clock, so the same audio
gives the same turns whatever the machine is doing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_IDLE: Final = 0
_ATTENDING: Final = 1
_TURN: Final = 2

_TAIL_FRAMES: Final = 10
"""Unvoiced sound that joins a voiced frame belongs to the turn for at most 200 ms (a final s);
without a bound, noise after the caller's last word would hold the turn open."""
_ONSET_FRAMES: Final = 10
"""Unvoiced sound before the first voiced frame that still belongs to the word, 200 ms."""
_LEAST_VOICED_FRAMES: Final = 1
"""Some noise is nearly periodic for seconds; without a clearly voiced frame it is no voice."""
_LONG_AGO: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class TurnStart:
    """Speech counts. Frame numbers are positions on the slot's audio clock."""

    slot: int
    start: int
    """First frame of the voiced stretch, with the unvoiced sound that leads into it."""


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """The turn is over."""

    slot: int
    start: int
    end: int
    """One past the frame at which the end was declared."""
    last_voiced_end: int
    """One past the caller's last frame of speech."""
    voiced_frames: int
    too_long: bool


class TurnLogic:
    """Turns of ``slots`` calls. Speech counts after a minimum of voiced frames; a pause ends it.

    A slot is idle, attending (a turn may begin) or in a turn. A turn ends once: after it the
    slot is idle until the next :meth:`attend`.
    """

    def __init__(self, slots: int) -> None:
        self._state = np.zeros(slots, dtype=np.int8)
        self._voiced_bits = np.zeros(slots, dtype=np.uint64)
        self._likely_bits = np.zeros(slots, dtype=np.uint64)
        self._active_bits = np.zeros(slots, dtype=np.uint64)
        self._window_mask = np.zeros(slots, dtype=np.uint64)
        self._needed = np.zeros(slots, dtype=np.uint8)
        self._pause = np.full(slots, _LONG_AGO, dtype=np.int64)
        self._limit = np.full(slots, _LONG_AGO, dtype=np.int64)
        self._start = np.zeros(slots, dtype=np.int64)
        self._last_end = np.zeros(slots, dtype=np.int64)
        self._lost = np.zeros(slots, dtype=np.int64)
        self._tail = np.full(slots, _LONG_AGO, dtype=np.int64)
        self._voiced = np.zeros(slots, dtype=np.int64)

    def reset(self, slot: int) -> None:
        """Forget a slot's past: a new call begins, idle."""
        self._state[slot] = _IDLE
        self._voiced_bits[slot] = 0
        self._likely_bits[slot] = 0
        self._active_bits[slot] = 0

    def attend(
        self, slot: int, *, needed_frames: int, pause_frames: int, limit_frames: int
    ) -> None:
        """Let a turn begin, or change the parameters of the one under way.

        Args:
            slot: Row of the frame matrix.
            needed_frames: Voiced frames, within a window of 2.5 times as many, after which
                speech counts; two likely frames are worth a voiced one.
            pause_frames: Trailing frames without speech that end the turn.
            limit_frames: Length that ends the turn whatever is said.
        """
        if self._state[slot] == _IDLE:
            self._voiced_bits[slot] = 0
            self._likely_bits[slot] = 0
            self._state[slot] = _ATTENDING
        window = min(48, needed_frames * 5 // 2)
        self._needed[slot] = needed_frames
        self._window_mask[slot] = np.uint64((1 << window) - 1)
        self._limit[slot] = limit_frames
        self.set_pause(slot, pause_frames)

    def ignore(self, slot: int) -> None:
        """No turn may begin, and the one under way is forgotten."""
        self._state[slot] = _IDLE

    def set_pause(self, slot: int, pause_frames: int) -> None:
        """Change the pause that ends the turn; the pause already running counts.

        Args:
            slot: Row of the frame matrix.
            pause_frames: Of 20 ms, without speech; less than one is one.
        """
        self._pause[slot] = max(1, pause_frames)

    def skip(self, slot: int, frames: int) -> None:
        """Frames were lost: they are neither speech nor pause, but they are time.

        Args:
            slot: Row of the frame matrix.
            frames: How many, of 20 ms.
        """
        self._lost[slot] += frames

    def in_turn(self, slots: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether each slot's caller is in a turn; shape ``(n,)``.

        Args:
            slots: Rows of the frame matrix, shape ``(n,)``.
        """
        inside: NDArray[np.bool_] = self._state[slots] == _TURN
        return inside

    def speaking(self, slots: NDArray[np.intp], positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each slot's caller is in a turn and spoke within the last 200 ms.

        Args:
            slots: Rows of the frame matrix, shape ``(n,)``.
            positions: Number of the newest frame on each slot's audio clock, in frames of 20 ms.

        Returns:
            Shape ``(n,)``.
        """
        recent: NDArray[np.bool_] = positions - self._last_end[slots] < _TAIL_FRAMES
        return recent & self.in_turn(slots)

    def advance(
        self,
        slots: NDArray[np.intp],
        positions: NDArray[np.int64],
        voiced: NDArray[np.bool_],
        likely: NDArray[np.bool_],
        active: NDArray[np.bool_],
    ) -> tuple[list[TurnStart], list[TurnEnd]]:
        """Take one frame of each of ``n`` slots; every array has shape ``(n,)``.

        Args:
            slots: No slot twice.
            positions: Number of the frame on its slot's audio clock, in frames of 20 ms.
            voiced: Whether the frame is a voice.
            likely: Whether it nearly is one.
            active: Whether it is loud enough for speech.

        Returns:
            Turns that begin and turns that end with this frame; one that does both (a limit of
            one frame) is in both lists.
        """
        one = np.uint64(1)
        bits = (self._voiced_bits[slots] << one) | voiced
        likelies = (self._likely_bits[slots] << one) | (likely | voiced)
        actives = (self._active_bits[slots] << one) | (active | voiced)
        self._voiced_bits[slots] = bits
        self._likely_bits[slots] = likelies
        self._active_bits[slots] = actives
        state = self._state[slots]
        if not state.any():
            return [], []
        ends = positions + 1

        starts = []
        window = self._window_mask[slots]
        # A voiced frame is in both: it counts two, one that is only likely counts one.
        sure = np.bitwise_count(bits & window)
        enough = sure + np.bitwise_count(likelies & window) >= 2 * self._needed[slots]
        enough &= sure >= _LEAST_VOICED_FRAMES
        starting = np.flatnonzero((state == _ATTENDING) & (voiced | likely) & enough)
        for i in starting:
            starts.append(self._begin(int(slots[i]), int(positions[i])))
        if len(starting):
            state = self._state[slots]

        # A lone periodic frame in a pause is an accident: speech needs two of three.
        spoken = voiced & ((bits & np.uint64(6)) != 0)
        tail = np.where(active, np.minimum(self._tail[slots] + 1, _LONG_AGO), _LONG_AGO)
        tail[spoken] = 0
        self._tail[slots] = tail
        last_end = self._last_end[slots]
        extended = tail <= _TAIL_FRAMES
        last_end = np.where(extended, ends, last_end)
        self._last_end[slots] = last_end
        lost = np.where(extended, 0, self._lost[slots])
        self._lost[slots] = lost
        self._voiced[slots] += voiced

        paused = ends - last_end - lost >= self._pause[slots]
        too_long = ends - self._start[slots] >= self._limit[slots]
        ending = np.flatnonzero((state == _TURN) & (paused | too_long))
        finished = [
            self._finish(int(slots[i]), int(ends[i]), too_long=not paused[i]) for i in ending
        ]
        return starts, finished

    def _begin(self, slot: int, position: int) -> TurnStart:
        stretch = int(self._likely_bits[slot] & self._window_mask[slot])
        first = stretch.bit_length() - 1
        lead_in = int(self._active_bits[slot]) >> (first + 1)
        onset = 0
        while onset < _ONSET_FRAMES and lead_in >> onset & 1:
            onset += 1
        start = max(0, position - first - onset)
        self._state[slot] = _TURN
        self._start[slot] = start
        self._last_end[slot] = position + 1
        self._lost[slot] = 0
        # Without the frame at hand, which advance() counts.
        before = self._voiced_bits[slot] & self._window_mask[slot] & ~np.uint64(1)
        self._voiced[slot] = int(before).bit_count()
        return TurnStart(slot, start)

    def _finish(self, slot: int, end: int, *, too_long: bool) -> TurnEnd:
        self._state[slot] = _IDLE
        return TurnEnd(
            slot=slot,
            start=int(self._start[slot]),
            end=end,
            last_voiced_end=int(self._last_end[slot]),
            voiced_frames=int(self._voiced[slot]),
            too_long=too_long,
        )
