"""Sessions on a pool of real threads: order, once, and nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from asr.recogniser import Capabilities, Partial, Recogniser, Transcript
from intent.classifier import Classification
from ivr.engine.breaker import BreakerRules
from ivr.engine.recognition import RecognitionPool
from ivr.engine.session import Heard, Session
from ivr.ports import Pcm
from tests.engine_fakes import FakeClassifier, FakeSpeechEngine, LoopThreads, Said
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


class Results:
    """Takes results from any thread, and counts them."""

    def __init__(self) -> None:
        self.all: list[Heard] = []
        self.first = threading.Event()

    def __call__(self, heard: Heard) -> None:
        self.all.append(heard)
        self.first.set()


@pytest.fixture
def engine() -> GateEngine:
    return GateEngine()


@pytest.fixture
def pool(engine: GateEngine) -> Iterator[RecognitionPool]:
    made = RecognitionPool(engine, FakeClassifier, workers=3, breaker=BreakerRules(failures=1000))
    yield made
    engine.gate.set()
    made.stop()


def test_audio_keeps_its_order_in_many_sessions_at_once(
    pool: RecognitionPool, engine: GateEngine
) -> None:
    """
    Chunks of a session are heard in order, by one thread at a time, and none is lost.
    """
    sessions = [pool.open() for _ in range(40)]
    results = [Results() for _ in sessions]
    barrier = threading.Barrier(4)

    def feed(mine: slice) -> None:
        barrier.wait(WAIT_SECONDS)
        for number in range(50):
            for session in sessions[mine]:
                session.feed(chunk(number))
        for session, result in zip(sessions[mine], results[mine], strict=True):
            session.finish(result)

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


def test_cancel_gives_the_recogniser_back(pool: RecognitionPool, engine: GateEngine) -> None:
    """
    Also while it is at work; and nothing is reported.
    """
    engine.gate.clear()
    session, result = pool.open(), Results()
    session.feed(chunk(1))
    session.feed(chunk(2))
    while not engine.opened or not engine.opened[0].entered.wait(0.01):
        assert pool.waiting() <= 1
    session.cancel()
    session.finish(result)
    session.feed(chunk(3))
    engine.gate.set()

    assert engine.opened[0].closed.wait(WAIT_SECONDS)
    assert engine.opened[0].heard in ([1], [])
    assert [] == result.all


def test_cancel_without_audio_opens_nothing(pool: RecognitionPool, engine: GateEngine) -> None:
    """
    A caller who never spoke costs no recogniser.
    """
    session = pool.open()
    session.cancel()
    session.cancel()
    other, result = pool.open(), Results()
    other.feed(chunk(1))
    other.finish(result)

    assert result.first.wait(WAIT_SECONDS)
    assert 1 == len(engine.opened)


def test_late_and_done_never_both_give_a_result(pool: RecognitionPool, engine: GateEngine) -> None:
    """
    Two hundred races between the deadline and the result: each has exactly one winner.
    """
    for _ in range(200):
        session, result = pool.open(), Results()
        session.feed(chunk(1))
        start = threading.Barrier(2)
        late: list[Heard | None] = []

        def deadline(
            session: Session = session,
            late: list[Heard | None] = late,
            start: threading.Barrier = start,
        ) -> None:
            start.wait(WAIT_SECONDS)
            late.append(session.late())

        thread = threading.Thread(target=deadline)
        thread.start()
        start.wait(WAIT_SECONDS)
        session.finish(result)
        thread.join(WAIT_SECONDS)
        if late[0] is None:
            assert result.first.wait(WAIT_SECONDS)
        winners = len(result.all) + (late[0] is not None)

        assert 1 == winners
    assert all(gate.closed.wait(WAIT_SECONDS) for gate in engine.opened)
    assert 200 >= len(engine.opened)


def test_late_result_gives_the_last_stable_partial(engine: GateEngine) -> None:
    """
    The recogniser hangs at the end: what was stable counts, and it is freed when it wakes.
    """
    partials: list[str] = []
    told = threading.Event()

    def on_partial(partial: Partial, _: Classification) -> None:
        partials.append(partial.text)
        told.set()

    pool = RecognitionPool(engine, FakeClassifier, workers=1)
    session, result = pool.open(on_partial), Results()
    session.feed(chunk(1))
    assert told.wait(WAIT_SECONDS)
    engine.gate.clear()
    session.finish(result)
    assert engine.opened[0].finishing.wait(WAIT_SECONDS)
    heard = session.late()

    assert heard is not None
    assert heard.transcript is not None
    assert ("woord", True, "gate") == (
        heard.transcript.text,
        heard.transcript.is_fallback,
        heard.transcript.engine,
    )
    assert heard.classification is not None
    engine.gate.set()
    assert engine.opened[0].closed.wait(WAIT_SECONDS)
    # The only worker takes the next turn when it is done with this one.
    other, later = pool.open(), Results()
    other.feed(chunk(2))
    other.finish(later)
    assert later.first.wait(WAIT_SECONDS)
    assert [] == result.all
    assert session.late() is None
    pool.stop()


def test_late_without_stable_words_is_a_failure(pool: RecognitionPool, engine: GateEngine) -> None:
    """
    Nothing is invented.
    """
    engine.gate.clear()
    session = pool.open()
    session.feed(chunk(1))
    session.finish(Results())
    heard = session.late()

    assert heard is not None
    assert (None, "recogniser_late") == (heard.transcript, heard.failure)


def test_recogniser_that_cannot_keep_up_is_bounded(
    pool: RecognitionPool, engine: GateEngine
) -> None:
    """
    More than 35 seconds of waiting audio is dropped and reported, not stored.
    """
    engine.gate.clear()
    session, result = pool.open(), Results()
    second = np.zeros(8000, np.int16)
    for _ in range(100):
        session.feed(second)

    assert session._waiting_samples <= 8000 * 37
    engine.gate.set()
    session.finish(result)
    assert result.first.wait(WAIT_SECONDS)
    assert ["recogniser_overrun"] == [heard.failure for heard in result.all]
    assert all(gate.closed.wait(WAIT_SECONDS) for gate in engine.opened)


def test_all_workers_stuck_hold_up_nobody_else_than_recognition(
    pool: RecognitionPool, engine: GateEngine
) -> None:
    """
    Feeding, finishing and giving up return at once, however many turns wait for a thread.
    """
    engine.gate.clear()
    sessions = [pool.open() for _ in range(20)]
    for session in sessions:
        session.feed(chunk(1))
        session.finish(Results())
    heard = [session.late() for session in sessions]

    assert ["recogniser_late"] * 20 == [h.failure for h in heard if h is not None]
    assert pool.waiting() > 0
    engine.gate.set()
    last, result = pool.open(), Results()
    last.feed(chunk(1))
    last.finish(result)
    assert result.first.wait(WAIT_SECONDS)
    assert 0 == pool.waiting()


def test_stopped_pool_takes_no_work(pool: RecognitionPool) -> None:
    """
    A turn that comes too late gets its deadline, and the count of waiting work stays right.
    """
    pool.stop()
    session, result = pool.open(), Results()
    session.feed(chunk(1))
    session.finish(result)
    heard = session.late()

    assert heard is not None
    assert "recogniser_late" == heard.failure
    assert 0 == pool.waiting()


def test_finish_without_audio_is_reported(pool: RecognitionPool, engine: GateEngine) -> None:
    """
    There was a turn, and no chunk of it came.
    """
    session, result = pool.open(), Results()
    session.finish(result)
    session.finish(result)

    assert result.first.wait(WAIT_SECONDS)
    assert ["recogniser_heard_nothing"] == [heard.failure for heard in result.all]
    assert [] == engine.opened


@pytest.mark.parametrize("where", ["open_error", "accept_error", "finish_error", "close_error"])
def test_whatever_a_recogniser_raises_ends_in_one_result(where: str) -> None:
    """
    Never in a session that is stuck, and the worker lives on.
    """
    loop = VirtualLoop()
    speech = FakeSpeechEngine()
    pool = RecognitionPool(speech, FakeClassifier, workers=1, threads=LoopThreads(loop))
    speech.script.append(Said("tekst"))
    setattr(speech.script[0], where, MemoryError("no room"))
    session, result = pool.open(), Results()
    session.feed(chunk(1))
    loop.pass_seconds(1.0)
    session.feed(chunk(2))
    session.finish(result)
    loop.pass_seconds(1.0)
    loop.close()

    assert [] == loop.failures
    expected = "" if where == "close_error" else "recogniser_crashed"
    assert [expected] == [heard.failure for heard in result.all]


def test_partials_are_classified_once_each() -> None:
    """
    A partial that says nothing new costs nothing.
    """
    loop = VirtualLoop()
    speech, classifier = FakeSpeechEngine(), FakeClassifier()
    pool = RecognitionPool(speech, lambda: classifier, workers=1, threads=LoopThreads(loop))
    speech.script.append(Said("een vraag", partials=["een", "een", "", "een vraag"]))
    told: list[str] = []
    session = pool.open(lambda partial, _: told.append(partial.text))
    for number in range(4):
        session.feed(chunk(number))
        loop.pass_seconds(0.1)
    session.cancel()
    loop.pass_seconds(0.1)
    loop.close()

    assert ["een", "een vraag"] == told == classifier.asked


def test_promoted_classifier_is_used_by_the_next_turn() -> None:
    """
    Whoever is speaking now is not disturbed.
    """
    loop = VirtualLoop()
    speech = FakeSpeechEngine()
    models = [FakeClassifier(), FakeClassifier()]
    pool = RecognitionPool(speech, lambda: models[0], workers=1, threads=LoopThreads(loop))
    speech.script.extend([Said("een"), Said("twee")])
    for _ in range(2):
        session = pool.open()
        session.feed(chunk(1))
        session.finish(Results())
        loop.pass_seconds(1.0)
        models.reverse()
    loop.close()

    assert [["een"], ["twee"]] == [models[0].asked, models[1].asked]
