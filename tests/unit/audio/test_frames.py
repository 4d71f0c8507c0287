"""The frame matrix: what the media thread writes is what the core gets."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from ivr.audio.frames import FRAME_OCTETS, FRAME_SAMPLES, FrameMatrix, FrameSlot


def claimed(matrix: FrameMatrix) -> FrameSlot:
    slot = matrix.claim()
    assert slot is not None
    return slot


def write(slot: FrameSlot, value: int) -> None:
    frame = np.full(FRAME_SAMPLES, value, dtype=np.int16)
    slot.rows[slot.count % len(slot.rows)][:] = frame.tobytes()
    slot.count += 1


def taken(matrix: FrameMatrix) -> list[tuple[int, int, int]]:
    """(slot, position, first sample) of every frame."""
    return [
        (int(slot), int(position), int(pcm[0]))
        for step in matrix.take().steps
        for slot, position, pcm in zip(step.slots, step.positions, step.pcm, strict=True)
    ]


def test_claims_end_when_every_slot_is_in_use() -> None:
    """
    A full matrix says so; it does not share a slot.
    """
    matrix = FrameMatrix(2)

    slots = [matrix.claim(), matrix.claim(), matrix.claim()]

    assert [0, 1, None] == [None if slot is None else slot.index for slot in slots]


def test_released_slot_starts_anew() -> None:
    """
    The next leg in a slot finds its clock at 0 and nothing of the one before.
    """
    matrix = FrameMatrix(1)
    first = claimed(matrix)
    write(first, 7)
    matrix.release(first)
    matrix.release(first)

    second = claimed(matrix)

    assert [] == taken(matrix)
    write(second, 8)
    assert [(0, 0, 8)] == taken(matrix)
    assert matrix.claim() is None


def test_slot_released_longest_ago_is_claimed_first() -> None:
    """
    A late write of an ended leg should meet an idle row.
    """
    matrix = FrameMatrix(3)
    first = claimed(matrix)
    matrix.release(first)

    assert 1 == claimed(matrix).index


def test_frames_come_in_order_for_all_slots() -> None:
    """
    A step has one frame of each slot that has one, oldest first.
    """
    matrix = FrameMatrix(3)
    one, two, three = claimed(matrix), claimed(matrix), claimed(matrix)
    for value in (10, 11):
        write(one, value)
    write(three, 30)

    assert [(0, 0, 10), (2, 0, 30), (0, 1, 11)] == taken(matrix)
    assert [] == taken(matrix)
    write(two, 20)
    write(one, 12)
    assert [(0, 2, 12), (1, 0, 20)] == taken(matrix)


def test_overrun_keeps_the_newest_and_counts_the_lost() -> None:
    """
    A core that fell behind loses the oldest frames of that slot only, and says how many.
    """
    matrix = FrameMatrix(2, depth=8)
    late, steady = claimed(matrix), claimed(matrix)
    for value in range(20):
        write(late, value)
    write(steady, 99)

    batch = matrix.take()

    assert {0: 13} == batch.dropped
    assert 13 == matrix.dropped_frames
    values = [int(step.pcm[0, 0]) for step in batch.steps]
    assert list(range(13, 20)) == values
    assert list(range(13, 20)) == [int(step.positions[0]) for step in batch.steps]


def test_rows_are_writable_octets() -> None:
    """
    The media thread copies a frame's octets into a row as they are.
    """
    slot = claimed(FrameMatrix(1, depth=4))

    assert 4 == len(slot.rows)
    assert {("B", FRAME_OCTETS, False)} == {
        (row.format, row.nbytes, row.readonly) for row in slot.rows
    }


@pytest.mark.parametrize(("slots", "depth"), [(0, 64), (1, 1), (-1, 64)])
def test_impossible_matrix_is_refused(slots: int, depth: int) -> None:
    """
    A ring of one row could never be read while it is written.
    """
    with pytest.raises(ValueError, match="need slots"):
        FrameMatrix(slots, depth)


def test_every_frame_of_a_running_media_thread_arrives_whole() -> None:
    """
    Taken while another thread writes, frames are complete, in order, and lost ones are counted.
    """
    matrix = FrameMatrix(1, depth=16)
    slot = claimed(matrix)
    done = threading.Event()
    pace = threading.Event()

    def media() -> None:
        for value in range(3000):
            write(slot, value)
            if value % 7 == 0:
                pace.wait(0.0005)
        done.set()

    thread = threading.Thread(target=media)
    thread.start()
    seen: list[int] = []
    lost = 0
    finished = False
    while not finished:
        finished = done.wait(0.001)
        batch = matrix.take()
        lost += batch.dropped.get(0, 0)
        for step in batch.steps:
            assert step.pcm.min() == step.pcm.max() == int(step.positions[0])
            seen.append(int(step.positions[0]))
    thread.join(timeout=10)

    assert seen == sorted(seen)
    assert 3000 == len(seen) + lost
