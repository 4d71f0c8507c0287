"""Turns on a pool of real threads: order, one result, and nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from asr.recogniser import Capabilities, Partial, Recogniser, Transcript
from ivr.engine.pooled import PooledRecognition, WaitingTurns
from ivr.engine.workers import Workers
from ivr.ports import Pcm, Recognised, TurnRecogniser
from tests.fakes.speech import FakeSpeechEngine, LoopThreads, Results, Said
from tests.virtual_time import VirtualLoop

WAIT_SECONDS = 100.0
"""Generous: what is waited for takes milliseconds on an idle machine."""


def chunk(number: int) -> Pcm:
    return np.full(80, number, np.int16)


class Gate:
    """A recogniser that writes down what it hears, and can be held up."""

    def __init__(self, engine: GateEngine) -> None:
        self._engine = engine
        self.heard: list[int] = []
        self.threads: set[int] = set()
        self.busy = threading.Lock()
        self.entered = threading.Event()
        self.finishing = threading.Event()
        self.closed = threading.Event()

    def accept(self, pcm: Pcm) -> Partial | None:
        assert self.busy.acquire(blocking=False), "two threads at once"
        try:
            self.entered.set()
            assert self._engine.gate.wait(WAIT_SECONDS)
            self.heard.append(int(pcm[0]))
            self.threads.add(threading.get_ident())
            return Partial("woord " * len(self.heard), "woord", 0.9)
        finally:
            self.busy.release()

    def finish(self) -> Transcript:
        self.finishing.set()
        assert self._engine.gate.wait(WAIT_SECONDS)
        text = " ".join(map(str, self.heard))
        return Transcript(text, 0.9, (), (), "gate", "gate-1")

    def close(self) -> None:
        assert not self.closed.is_set(), "closed twice"
        self.closed.set()


class GateEngine:
    """Makes gates; all of them stand open unless :attr:`gate` is cleared."""

    name = "gate"
    model = "gate-1"
    capabilities = Capabilities(
        streaming=True,
        word_confidence=False,
        alternatives=False,
        sample_rate_hz=8000,
        language="nl",
    )

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.opened: list[Gate] = []

    def open(self) -> Recogniser:
        made = Gate(self)
        self.opened.append(made)
        return made

    def close(self) -> None:
        return


@pytest.fixture
def engine() -> GateEngine:
    return GateEngine()


def pooled(engine: GateEngine, workers: int) -> PooledRecognition:
    return PooledRecognition(engine, Workers(workers, "recognition"), WaitingTurns())


@pytest.fixture
def pool(engine: GateEngine) -> Iterator[PooledRecognition]:
    made = pooled(engine, 3)
    yield made
    engine.gate.set()
    made.stop()


def test_audio_keeps_its_order_in_many_turns_at_once(
    pool: PooledRecognition, engine: GateEngine
) -> None:
    """
    Chunks of a turn are heard in order, by one thread at a time, and none is lost.
    """
    results = [Results() for _ in range(40)]
    turns = [pool.open(result) for result in results]
    barrier = threading.Barrier(4)

    def feed(mine: slice) -> None:
        barrier.wait(WAIT_SECONDS)
        for number in range(50):
            for turn in turns[mine]:
                turn.feed(chunk(number))
        for turn in turns[mine]:
            turn.finish()

    feeders = [threading.Thread(target=feed, args=(slice(i, None, 4),)) for i in range(4)]
    for feeder in feeders:
        feeder.start()
    for feeder in feeders:
        feeder.join(WAIT_SECONDS)
    in_order = " ".join(map(str, range(50)))

    for result in results:
        assert result.first.wait(WAIT_SECONDS)
    assert [[in_order]] * 40 == [
        [h.transcript.text for h in result.all if h.transcript] for result in results
    ]
    assert all(gate.closed.wait(WAIT_SECONDS) for gate in engine.opened)


def test_cancel_gives_the_recogniser_back(pool: PooledRecognition, engine: GateEngine) -> None:
    """
    Also while it is at work; and nothing is reported.
    """
    engine.gate.clear()
    result = Results()
    turn = pool.open(result)
    turn.feed(chunk(1))
    turn.feed(chunk(2))
    while not engine.opened or not engine.opened[0].entered.wait(0.01):
        assert pool.waiting() <= 1
    turn.cancel()
    turn.finish()
    turn.feed(chunk(3))
    engine.gate.set()

    assert engine.opened[0].closed.wait(WAIT_SECONDS)
    assert engine.opened[0].heard in ([1], [])
    assert [] == result.all


def test_cancel_without_audio_opens_nothing(pool: PooledRecognition, engine: GateEngine) -> None:
    """
    A caller who never spoke costs no recogniser.
    """
    turn = pool.open(Results())
    turn.cancel()
    turn.cancel()
    result = Results()
    other = pool.open(result)
    other.feed(chunk(1))
    other.finish()

    assert result.first.wait(WAIT_SECONDS)
    assert 1 == len(engine.opened)


def test_deadline_and_result_never_differ(pool: PooledRecognition, engine: GateEngine) -> None:
    """
    Two hundred races between the two: whoever wins, there is one result of a turn.
    """
    for _ in range(200):
        result = Results()
        turn = pool.open(result)
        turn.feed(chunk(1))
        start = threading.Barrier(2)
        given: list[Recognised] = []

        def deadline(
            turn: TurnRecogniser = turn,
            given: list[Recognised] = given,
            start: threading.Barrier = start,
        ) -> None:
            start.wait(WAIT_SECONDS)
            given.append(turn.give_up())

        thread = threading.Thread(target=deadline)
        thread.start()
        start.wait(WAIT_SECONDS)
        turn.finish()
        thread.join(WAIT_SECONDS)
        if given[0].transcript is not None and not given[0].transcript.is_fallback:
            assert result.first.wait(WAIT_SECONDS)

        assert result.all in ([], given)
        assert given[0] is turn.give_up() or not result.all
    assert all(gate.closed.wait(WAIT_SECONDS) for gate in engine.opened)
    assert 200 >= len(engine.opened)


def test_late_result_gives_the_last_stable_partial(engine: GateEngine) -> None:
    """
    The recogniser hangs at the end: what was stable counts, and it is freed when it wakes.
    """
    pool = pooled(engine, 1)
    result = Results()
    turn = pool.open(result)
    turn.feed(chunk(1))
    assert result.first_partial.wait(WAIT_SECONDS)
    engine.gate.clear()
    turn.finish()
    assert engine.opened[0].finishing.wait(WAIT_SECONDS)
    heard = turn.give_up()

    assert heard.transcript is not None
    assert ("woord", True, "gate") == (
        heard.transcript.text,
        heard.transcript.is_fallback,
        heard.transcript.engine,
    )
    engine.gate.set()
    assert engine.opened[0].closed.wait(WAIT_SECONDS)
    # The only worker takes the next turn when it is done with this one.
    later = Results()
    other = pool.open(later)
    other.feed(chunk(2))
    other.finish()
    assert later.first.wait(WAIT_SECONDS)
    assert [] == result.all
    pool.stop()


def test_late_without_stable_words_is_a_failure(
    pool: PooledRecognition, engine: GateEngine
) -> None:
    """
    Nothing is invented.
    """
    engine.gate.clear()
    turn = pool.open(Results())
    turn.feed(chunk(1))
    turn.finish()

    assert Recognised(failure="recogniser_late") == turn.give_up()


def test_recogniser_that_cannot_keep_up_is_bounded(
    pool: PooledRecognition, engine: GateEngine
) -> None:
    """
    More than 35 seconds of waiting audio is dropped and reported, not stored.
    """
    engine.gate.clear()
    result = Results()
    turn = pool.open(result)
    second = np.zeros(8000, np.int16)
    for _ in range(100):
        turn.feed(second)

    assert result.first.wait(WAIT_SECONDS)
    engine.gate.set()
    turn.finish()
    assert ["recogniser_overrun"] == [heard.failure for heard in result.all]
    assert all(gate.closed.wait(WAIT_SECONDS) for gate in engine.opened)
    # What waited is forgotten, and at most the piece in hand was still heard.
    assert [0.0, 1.0] >= [float(len(gate.heard)) for gate in engine.opened]


def test_all_workers_stuck_hold_up_nobody_else_than_recognition(
    pool: PooledRecognition, engine: GateEngine
) -> None:
    """
    Feeding, finishing and giving up return at once, however many turns wait for a thread.
    """
    engine.gate.clear()
    turns = [pool.open(Results()) for _ in range(20)]
    for turn in turns:
        turn.feed(chunk(1))
        turn.finish()
    heard = [turn.give_up() for turn in turns]

    assert ["recogniser_late"] * 20 == [h.failure for h in heard]
    assert pool.waiting() > 0
    engine.gate.set()
    result = Results()
    last = pool.open(result)
    last.feed(chunk(1))
    last.finish()
    assert result.first.wait(WAIT_SECONDS)
    assert 0 == pool.waiting()


def test_stopped_pool_takes_no_work(pool: PooledRecognition) -> None:
    """
    A turn that comes too late is told so at once, and the count of waiting work stays right.
    """
    pool.stop()
    result = Results()
    turn = pool.open(result)
    turn.feed(chunk(1))
    turn.finish()

    assert [Recognised(failure="recogniser_busy")] == result.all == [turn.give_up()]
    assert 0 == pool.waiting()


def test_finish_without_audio_is_reported(pool: PooledRecognition, engine: GateEngine) -> None:
    """
    There was a turn, and no chunk of it came.
    """
    result = Results()
    turn = pool.open(result)
    turn.finish()
    turn.finish()

    assert result.first.wait(WAIT_SECONDS)
    assert ["recogniser_heard_nothing"] == [heard.failure for heard in result.all]
    assert [] == engine.opened


@pytest.mark.parametrize("where", ["open_error", "accept_error", "finish_error", "close_error"])
def test_whatever_a_recogniser_raises_ends_in_one_result(where: str) -> None:
    """
    Never in a turn that is stuck, and the worker lives on.
    """
    loop = VirtualLoop()
    speech = FakeSpeechEngine()
    pool = PooledRecognition(speech, LoopThreads(loop), WaitingTurns())
    speech.script.append(Said("tekst"))
    setattr(speech.script[0], where, MemoryError("no room"))
    result = Results()
    turn = pool.open(result)
    turn.feed(chunk(1))
    loop.pass_seconds(1.0)
    turn.feed(chunk(2))
    turn.finish()
    loop.pass_seconds(1.0)
    loop.close()

    assert [] == loop.failures
    expected = "" if where == "close_error" else "recogniser_crashed"
    assert [expected] == [heard.failure for heard in result.all]


def test_a_partial_that_says_nothing_new_is_not_told() -> None:
    """
    Whoever follows the partials pays for news only.
    """
    loop = VirtualLoop()
    speech = FakeSpeechEngine()
    pool = PooledRecognition(speech, LoopThreads(loop), WaitingTurns())
    speech.script.append(Said("een vraag", partials=["een", "een", "", "een vraag"]))
    result = Results()
    turn = pool.open(result)
    for number in range(4):
        turn.feed(chunk(number))
        loop.pass_seconds(0.1)
    turn.cancel()
    loop.pass_seconds(0.1)
    loop.close()

    assert ["een", "een vraag"] == result.partials


def test_a_turn_that_is_handed_over_whole_is_waited_for_until_it_is_done() -> None:
    """
    Other work waits while a caller waits, and while work for one is queued.
    """
    loop = VirtualLoop()
    speech = FakeSpeechEngine()
    waiting = WaitingTurns()
    pool = PooledRecognition(speech, LoopThreads(loop, 0.5), waiting, streams=False)
    result = Results()
    turn = pool.open(result)
    turn.feed(np.zeros(20_000, np.int16))
    before = waiting.is_quiet(0.0)
    turn.finish()
    during = waiting.is_quiet(0.0)
    loop.pass_seconds(1.0)
    loop.close()

    assert (True, False, True) == (before, during, waiting.is_quiet(0.0))
    assert 20_000 == speech.opened[0].samples
    assert 1 == len(result.all)
