"""Threads over a queue: bounded, and nothing that hangs stops the rest."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from ivr.engine.workers import Workers

WAIT_SECONDS = 100.0


class Clock:
    """Seconds that pass on command."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Hold:
    """Work that lasts until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.ended = threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        assert self.go.wait(WAIT_SECONDS)
        self.ended.set()


@pytest.fixture
def holds() -> Iterator[list[Hold]]:
    made = [Hold() for _ in range(8)]
    yield made
    for hold in made:
        hold.go.set()


def test_work_is_done_in_order_by_one_thread() -> None:
    """
    Nothing is lost, however fast it comes.
    """
    workers = Workers(1, "test")
    done: list[int] = []
    last = threading.Event()
    for number in range(200):
        workers.submit(done.append, number)
    workers.submit(last.set)

    assert last.wait(WAIT_SECONDS)
    assert list(range(200)) == done
    workers.shutdown()


def test_no_more_threads_than_asked_for(holds: list[Hold]) -> None:
    """
    The third item waits while two are at work.
    """
    workers = Workers(2, "test")
    for hold in holds[:3]:
        workers.submit(hold)

    assert holds[0].begun.wait(WAIT_SECONDS)
    assert holds[1].begun.wait(WAIT_SECONDS)
    assert 1 == workers.waiting()
    assert not holds[2].begun.wait(0.05)
    holds[0].go.set()
    assert holds[2].begun.wait(WAIT_SECONDS)
    workers.shutdown()


def test_full_queue_refuses(holds: list[Hold]) -> None:
    """
    At once, and what was taken is done.
    """
    workers = Workers(1, "test", bound=1)
    workers.submit(holds[0])
    assert holds[0].begun.wait(WAIT_SECONDS)
    workers.submit(holds[1])

    with pytest.raises(RuntimeError, match="too much waits"):
        workers.submit(holds[2])
    holds[0].go.set()
    assert holds[1].begun.wait(WAIT_SECONDS)
    workers.shutdown()


def test_stopped_workers_take_nothing_and_drop_what_waits(holds: list[Hold]) -> None:
    """
    What runs ends by itself.
    """
    workers = Workers(1, "test")
    workers.submit(holds[0])
    assert holds[0].begun.wait(WAIT_SECONDS)
    workers.submit(holds[1])
    workers.shutdown(wait=False)

    with pytest.raises(RuntimeError, match="stopped"):
        workers.submit(holds[2])
    holds[0].go.set()
    assert holds[0].ended.wait(WAIT_SECONDS)
    assert not holds[1].begun.wait(0.05)


def test_shutdown_lets_what_runs_come_to_its_end(holds: list[Hold]) -> None:
    """
    But waits for nothing that hangs.
    """
    workers = Workers(1, "test", end_seconds=WAIT_SECONDS)
    workers.submit(holds[0])
    assert holds[0].begun.wait(WAIT_SECONDS)
    letting_go = threading.Timer(0.1, holds[0].go.set)
    letting_go.start()
    workers.shutdown()

    assert holds[0].ended.is_set()
    letting_go.join()
    stuck = Workers(1, "test", end_seconds=0.05)
    stuck.submit(holds[1])
    assert holds[1].begun.wait(WAIT_SECONDS)
    stuck.shutdown()
    assert not holds[1].ended.is_set()


@pytest.mark.parametrize("error", [RuntimeError("broke"), SystemExit(3), MemoryError()])
def test_whatever_work_raises_the_thread_goes_on(error: BaseException) -> None:
    """
    Also what ends a program otherwise.
    """

    def breaks() -> None:
        raise error

    workers = Workers(1, "test")
    fine = threading.Event()
    workers.submit(breaks)
    workers.submit(fine.set)

    assert fine.wait(WAIT_SECONDS)
    workers.shutdown()


def test_stuck_threads_are_replaced_and_no_more_than_as_many(holds: list[Hold]) -> None:
    """
    Two hang: after the time that only a stuck item takes, two others take their places; when these
    hang too, that is all. Who wakes up again and is one too many ends.
    """
    clock = Clock()
    workers = Workers(2, "test", stuck_seconds=60.0, clock=clock)
    for hold in holds[:2]:
        workers.submit(hold)
    for hold in holds[:2]:
        assert hold.begun.wait(WAIT_SECONDS)
    workers.submit(holds[2])
    clock.now = 59.0
    workers.submit(holds[3])
    assert not holds[2].begun.wait(0.05)
    clock.now = 61.0
    workers.submit(holds[4])
    workers.submit(holds[5])

    assert holds[2].begun.wait(WAIT_SECONDS)
    assert holds[3].begun.wait(WAIT_SECONDS)
    clock.now = 200.0
    workers.submit(holds[6])
    assert not holds[4].begun.wait(0.05)
    holds[0].go.set()
    assert holds[4].begun.wait(WAIT_SECONDS)
    workers.shutdown()


def test_hanging_work_does_not_keep_a_process_alive() -> None:
    """
    A library that never returns must not turn a restart into a kill.
    """
    program = (
        "import threading\n"
        "from ivr.engine.workers import Workers\n"
        "begun = threading.Event()\n"
        "def hang():\n"
        "    begun.set()\n"
        "    threading.Event().wait(600)\n"
        "Workers(1, 'test').submit(hang)\n"
        "assert begun.wait(100)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=200, check=False)

    assert 0 == done.returncode


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")
def test_nice_threads_leave_the_others_alone() -> None:
    """
    The thread that works in the background yields; who submitted keeps its priority.
    """
    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    theirs: list[int] = []
    told = threading.Event()

    def tell() -> None:
        theirs.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        told.set()

    workers = Workers(1, "test", nice=19)
    workers.submit(tell)

    assert told.wait(WAIT_SECONDS)
    assert [min(19, mine + 19)] == theirs
    assert mine == os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    workers.shutdown()
