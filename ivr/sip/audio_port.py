"""Where received frames leave the media thread."""

from __future__ import annotations

from typing import Any, Final, Protocol

import pjsua2 as pj

from ivr.ports.audio import SAMPLE_RATE_HZ

FRAME_OCTETS: Final = 320
"""20 ms of 16-bit mono at :data:`SAMPLE_RATE_HZ`."""
_FRAME_MICROSECONDS: Final = 20_000
_SILENCE: Final = bytes(FRAME_OCTETS)


class FrameSlot(Protocol):
    """One leg's ring of frames; see :class:`ivr.audio.frames.FrameSlot`."""

    rows: tuple[memoryview, ...]
    """Of :data:`FRAME_OCTETS` each; frame ``n`` is in row ``n % len(rows)``."""
    count: int
    """Frames received so far, 50 a second, in silence too."""

    @property
    def index(self) -> int:
        """Row of the matrix, from 0."""


class FrameMatrix(Protocol):
    """The rings of all legs; see :class:`ivr.audio.frames.FrameMatrix`."""

    def claim(self) -> Any:
        """A free :class:`FrameSlot`; None when all are taken."""

    def release(self, slot: Any) -> None:
        """Give a slot back; its rows are the next leg's then."""


class FramePort(pj.AudioMediaPort):
    """Copies each received frame into a slot, and does nothing else.

    The conference bridge calls it every 20 ms, also while the peer sends nothing, so that the
    slot's count is a clock.
    """

    def __init__(self, slot: FrameSlot) -> None:
        super().__init__()
        self._slot = slot
        self._rows = slot.rows
        self._depth = len(slot.rows)
        form = pj.MediaFormatAudio()
        form.init(pj.PJMEDIA_FORMAT_PCM, SAMPLE_RATE_HZ, 1, _FRAME_MICROSECONDS, 16)
        self.createPort("frames", form)

    def onFrameReceived(self, frame: Any) -> None:
        """Take one frame of 20 ms, or one without samples. Media thread."""
        slot = self._slot
        count = slot.count
        row = self._rows[count % self._depth]
        # Without a source the bridge hands over an empty frame: silence, but time passes.
        if frame.size == FRAME_OCTETS:
            frame.buf.copy_to_bytearray(row)
        else:
            row[:] = _SILENCE
        slot.count = count + 1
