"""Received frames of all calls in one matrix, handed over without a lock.

The media thread owns a slot's ``count`` and the row it writes; the core's thread owns what it
has taken. A row is copied first and counted after, so a counted row is complete; under the
GIL no further barrier is needed. Nothing else is shared between the two.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.ports.audio import SAMPLE_RATE_HZ

FRAME_SAMPLES: Final = 160
FRAME_OCTETS: Final = 2 * FRAME_SAMPLES
FRAME_SECONDS: Final = FRAME_SAMPLES / SAMPLE_RATE_HZ

_TAKE_ATTEMPTS: Final = 3


class FrameSlot:
    """One leg's ring of received frames.

    The media thread writes a frame like this, and does nothing else::

        row = slot.rows[slot.count % len(slot.rows)]
        frame.buf.copy_to_bytearray(row)
        slot.count += 1

    Attributes:
        index: Row of the matrix; the ``slot`` of every audio event.
        rows: ``depth`` writable memoryviews of format ``B``, 320 octets each: 160 samples of
            16-bit little-endian mono at 8000 Hz.
        count: Frames received since the claim. Written only by the media thread, after its copy.
        taken: Frames taken since the claim. Written only by the core's thread.
    """

    __slots__ = ("count", "index", "rows", "taken")

    def __init__(self, index: int, rows: tuple[memoryview, ...]) -> None:
        self.index = index
        self.rows = rows
        self.count = 0
        self.taken = 0


@dataclass(frozen=True, slots=True, eq=False)
class FrameStep:
    """One frame of each of several slots. A slot appears at most once in a step."""

    slots: NDArray[np.intp]
    """Shape ``(n,)``, ascending."""
    positions: NDArray[np.int64]
    """Shape ``(n,)``: number of the frame on its slot's audio clock, from 0 at the claim."""
    pcm: NDArray[np.int16]
    """Shape ``(n, 160)``: a copy, the caller may keep it."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameBatch:
    """All that arrived since the last take: steps in order of arrival, and what was lost."""

    steps: tuple[FrameStep, ...]
    dropped: dict[int, int]
    """Frames lost to overrun per slot since the last take; they lie before the steps."""


class FrameMatrix:
    """Rings for ``slots`` concurrent legs in one int16 array of shape ``(slots, depth, 160)``.

    Args:
        slots: Legs at once.
        depth: Frames a ring holds; the core may fall ``depth - 1`` frames behind unharmed.

    Raises:
        ValueError: There are no slots, or a ring could not hold two frames.
    """

    def __init__(self, slots: int, depth: int = 64) -> None:
        if slots < 1 or depth < 2:
            raise ValueError(f"slots = {slots}, depth = {depth}: need slots >= 1 and depth >= 2")
        self.slots = slots
        self.depth = depth
        self.dropped_frames = 0
        """Frames lost to overruns over the life of the matrix."""
        self._pcm = np.zeros((slots, depth, FRAME_SAMPLES), dtype=np.int16)
        self._rows = tuple(
            tuple(memoryview(self._pcm[slot, row]).cast("B") for row in range(depth))
            for slot in range(slots)
        )
        self._lock = threading.Lock()
        # The slot released longest ago is claimed first: a late write of an ended leg then
        # meets an idle row.
        self._free: deque[int] = deque(range(slots))
        self._live: dict[int, FrameSlot] = {}
        # Replaced, never changed: take() iterates over it without the lock.
        self._taking: tuple[FrameSlot, ...] = ()

    def claim(self) -> FrameSlot | None:
        """Reserve a slot for a leg, with its audio clock at 0. Any thread.

        Returns:
            None when every slot is in use.
        """
        with self._lock:
            if not self._free:
                return None
            index = self._free.popleft()
            slot = FrameSlot(index, self._rows[index])
            self._live[index] = slot
            self._publish()
        return slot

    def release(self, slot: FrameSlot) -> None:
        """Give a slot back, once the media thread writes to it no more. Any thread; idempotent."""
        with self._lock:
            if self._live.get(slot.index) is not slot:
                return
            del self._live[slot.index]
            self._free.append(slot.index)
            self._publish()

    def take(self) -> FrameBatch:
        """All frames that arrived since the last take, for all live slots. Core's thread only."""
        for _ in range(_TAKE_ATTEMPTS):
            live = self._taking
            counts = [slot.count for slot in live]
            starts = [
                max(slot.taken, count - (self.depth - 1))
                for slot, count in zip(live, counts, strict=True)
            ]
            steps = self._copy(live, starts, counts)
            # The media thread may have lapped a row while it was copied: then copy again.
            if all(
                slot.count - start < self.depth for slot, start in zip(live, starts, strict=True)
            ):
                break
        dropped: dict[int, int] = {}
        for slot, start, count in zip(live, starts, counts, strict=True):
            if start > slot.taken:
                lost = start - slot.taken
                dropped[slot.index] = lost
                self.dropped_frames += lost
            slot.taken = count
        return FrameBatch(steps, dropped)

    def _copy(
        self, live: tuple[FrameSlot, ...], starts: list[int], counts: list[int]
    ) -> tuple[FrameStep, ...]:
        if not live:
            return ()
        indices = np.array([slot.index for slot in live], dtype=np.intp)
        first = np.array(starts, dtype=np.int64)
        pending = np.array(counts, dtype=np.int64) - first
        steps = []
        for step in range(int(pending.max())):
            chosen = pending > step
            slots = indices[chosen]
            positions = first[chosen] + step
            steps.append(FrameStep(slots, positions, self._pcm[slots, positions % self.depth]))
        return tuple(steps)

    def _publish(self) -> None:
        self._taking = tuple(self._live[index] for index in sorted(self._live))
