"""Keys heard in the audio itself, for all calls at once.

Telephones behind old exchanges send keys as tones only, and PJSIP does not detect them.
Eight Goertzel filters over one frame of every call are one matrix product. A key counts when
two tones, one of each group, hold nearly all energy of a frame and a neighbouring frame agrees:
40 ms of tone always fill one frame and half of the next, 20 ms never do. Speech does not put
60 % of its energy into two such lines; that is the talk-off guard.

Source: ITU-T Q.23 (frequencies), Q.24 (accept from 40 ms, reject below 20 ms, twist).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ivr.audio.frames import FRAME_SAMPLES
from ivr.audio.levels import FULL_SCALE
from ivr.audio.products import one_thread_product
from ivr.ports.audio import SAMPLE_RATE_HZ

KEYS: Final = ("123A", "456B", "789C", "*0#D")
ROW_HZ: Final = (697.0, 770.0, 852.0, 941.0)
COLUMN_HZ: Final = (1209.0, 1336.0, 1477.0, 1633.0)

_MINIMUM_LEVEL_DBFS: Final = -42.0
_SURE_SHARE: Final = 0.60
_LIKELY_SHARE: Final = 0.35
_FORWARD_TWIST: Final = 10 ** (8.0 / 10)
"""Column louder than row by at most 8 dB."""
_REVERSE_TWIST: Final = 10 ** (10.0 / 10)
"""Row louder than column by at most 10 dB."""
_NEXT_BEST: Final = 2.5
"""Power ratio between the best and the second best tone of a group."""
_NONE: Final = -1


class DtmfDetector:
    """Inband keys of ``slots`` calls; one digit per key press, when it is certain.

    Args:
        slots: Rows of the frame matrix.
    """

    def __init__(self, slots: int) -> None:
        time = np.arange(FRAME_SAMPLES) / SAMPLE_RATE_HZ
        waves = [
            wave(2 * np.pi * hz * time) for wave in (np.cos, np.sin) for hz in (*ROW_HZ, *COLUMN_HZ)
        ]
        self._filters = np.array(waves, dtype=np.float32).T.copy()
        self._likely = np.full(slots, _NONE, dtype=np.int64)
        self._sure = np.zeros(slots, dtype=np.bool_)
        self._held = np.full(slots, _NONE, dtype=np.int64)

    def reset(self, slot: int) -> None:
        """Forget a slot's past: a new call begins."""
        self._likely[slot] = _NONE
        self._sure[slot] = False
        self._held[slot] = _NONE

    def detect(
        self, slots: NDArray[np.intp], frames: NDArray[np.float32]
    ) -> tuple[list[tuple[int, str]], NDArray[np.bool_]]:
        """Take one frame of each of ``n`` slots.

        Args:
            slots: Shape ``(n,)``, no slot twice.
            frames: Shape ``(n, 160)``, int16 scale, 8000 Hz.

        Returns:
            ``(slot, digit)`` for every key that became certain with this frame, and, shape
            ``(n,)``, whether the frame holds a key's tones: it is no speech.
        """
        parts = one_thread_product(frames, self._filters)
        parts *= parts
        power = parts[:, :8] + parts[:, 8:]
        energy = np.einsum("ij,ij->i", frames, frames)
        # A sine of amplitude a has energy N a^2 / 2 and filter power (N a / 2)^2.
        share_scale = np.float32(2.0 / FRAME_SAMPLES)
        rows, columns = power[:, :4], power[:, 4:]
        each = np.arange(len(slots))
        row, column = rows.argmax(axis=1), columns.argmax(axis=1)
        best_row, best_column = rows[each, row], columns[each, column]
        share = share_scale * (best_row + best_column) / (energy + np.float32(1.0))
        loud = energy > np.float32(FRAME_SAMPLES * FULL_SCALE**2 * 10 ** (_MINIMUM_LEVEL_DBFS / 10))
        likely = (
            loud
            & (share > np.float32(_LIKELY_SHARE))
            & (best_column < np.float32(_FORWARD_TWIST) * best_row)
            & (best_row < np.float32(_REVERSE_TWIST) * best_column)
        )
        previous, previous_sure = self._likely[slots], self._sure[slots]
        held = self._held[slots]
        if not (likely.any() or (previous >= 0).any() or (held >= 0).any()):
            return [], likely
        clear = (rows * np.float32(_NEXT_BEST) > best_row[:, None]).sum(axis=1) == 1
        clear &= (columns * np.float32(_NEXT_BEST) > best_column[:, None]).sum(axis=1) == 1
        sure = likely & clear & (share > np.float32(_SURE_SHARE))
        key = np.where(likely, 4 * row + column, _NONE)
        agreed = (key == previous) & (key >= 0) & (sure | previous_sure)
        fresh = agreed & (held != key)
        self._likely[slots] = key
        self._sure[slots] = sure
        # A key is held until a frame without it: its pause is at least 40 ms.
        self._held[slots] = np.where(agreed, key, np.where(key == held, held, _NONE))
        digits = [
            (int(slots[i]), KEYS[int(key[i]) // 4][int(key[i]) % 4]) for i in np.flatnonzero(fresh)
        ]
        return digits, likely
