"""An engine behind its breaker: what suspends it, what does not, and what its turns are told."""

from __future__ import annotations

import random
import threading
from typing import Any

import numpy as np
import pytest

from asr.errors import RecogniserFailedError
from ivr.engine.breaker import BreakerRules, BreakerState
from ivr.engine.guarded import EngineGuard, GuardedRecognition, Place
from ivr.engine.pooled import PooledRecognition, WaitingTurns
from ivr.engine.workers import Workers
from ivr.ports import Recognised, TurnRecogniser
from tests.fakes.speech import FakeSpeechEngine, LoopThreads, Results, Said
from tests.virtual_time import VirtualLoop

PCM = np.zeros(160, np.int16)


class Guarded:
    """One engine behind its breaker, on virtual time; its work is done at once."""

    def __init__(self, *, seconds: float = 0.0, **rules: Any) -> None:
        self.loop = VirtualLoop()
        self.speech = FakeSpeechEngine()
        self.guard = EngineGuard(
            Place.FIRST, "fake", "fake-1", BreakerRules(**rules), clock=self.loop.time
        )
        self.threads = LoopThreads(self.loop, seconds)
        inner = PooledRecognition(self.speech, self.threads, WaitingTurns())
        self.recognition = GuardedRecognition(inner, self.guard)

    def begin(self, said: Said | None = None) -> tuple[TurnRecogniser, Results]:
        """A turn with its first audio."""
        self.speech.script.append(said or Said("een vraag"))
        results = Results()
        turn = self.recognition.open(results)
        turn.feed(PCM)
        return turn, results

    def whole(self, said: Said | None = None) -> str:
        """A turn from its first audio to its result; the failure, if any."""
        turn, results = self.begin(said)
        turn.finish()
        self.loop.pass_seconds(0.01)
        (result,) = results.all
        if result.failure == "recogniser_suspended":
            self.speech.script.clear()
        return result.failure

    def state(self) -> BreakerState:
        return self.guard.health().state

    def uses(self) -> dict[str, int]:
        return dict(self.guard.health().uses)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (Said(open_error=RuntimeError("geheim")), "recogniser_crashed"),
        (Said(accept_error=RecogniserFailedError("fake", "geheim")), "asr_recogniser_failed"),
        (Said(finish_error=MemoryError("geheim")), "recogniser_crashed"),
        (Said(returns="een vraag"), "recogniser_garbage"),
    ],
)
def test_failing_again_and_again_suspends_the_engine(said: Said, code: str) -> None:
    """
    After the third time it is not asked any more, until one probe succeeds.
    """
    engine = Guarded(failures=3, cooldown_seconds=10.0)
    codes = [engine.whole(said) for _ in range(3)]

    assert [code] * 3 == codes
    assert BreakerState.OPEN is engine.state()
    assert "recogniser_suspended" == engine.whole()
    engine.loop.pass_seconds(10.0)
    assert BreakerState.HALF_OPEN is engine.state()
    probe, results = engine.begin()
    assert "recogniser_suspended" == engine.whole()
    probe.finish()
    engine.loop.pass_seconds(0.01)
    assert [""] == [result.failure for result in results.all]
    assert BreakerState.CLOSED is engine.state()
    assert {"failed": 3, "refused": 2, "done": 1} == engine.uses()
    engine.loop.close()


def test_a_suspended_engine_hears_nothing() -> None:
    """
    Its turn has its failure at once, from whoever asks first.
    """
    engine = Guarded(failures=1)
    engine.whole(Said(returns=1))
    turn, results = engine.begin()

    assert Recognised(failure="recogniser_suspended") == turn.give_up()
    turn.finish()
    assert [Recognised(failure="recogniser_suspended")] == results.all
    assert 1 == len(engine.speech.opened)
    engine.loop.close()


def test_only_the_first_verdict_counts() -> None:
    """
    A result that comes after the deadline does not make good for it.
    """
    engine = Guarded(failures=1, seconds=5.0)
    turn, results = engine.begin()
    turn.finish()
    turn.give_up()
    turn.cancel()
    engine.loop.pass_seconds(10.0)

    assert BreakerState.OPEN is engine.state()
    assert {"late": 1} == engine.uses()
    assert [] == results.all
    engine.loop.close()


def test_a_deadline_after_the_result_blames_nobody() -> None:
    """
    The engine was in time, and only the news of it is late.
    """
    engine = Guarded(failures=1)
    turn, results = engine.begin()
    turn.finish()
    engine.loop.pass_seconds(0.01)

    assert results.all == [turn.give_up()]
    assert {"done": 1} == engine.uses()
    engine.loop.close()


def test_a_caller_who_hangs_up_is_no_verdict() -> None:
    """
    Not even for the probe: the next turn may be one.
    """
    engine = Guarded(failures=1, cooldown_seconds=10.0)
    engine.whole(Said(returns=1))
    engine.loop.pass_seconds(10.0)
    probe, _ = engine.begin()
    probe.cancel()

    assert BreakerState.HALF_OPEN is engine.state()
    assert "" == engine.whole()
    assert BreakerState.CLOSED is engine.state()
    engine.loop.close()


def test_work_that_no_thread_takes_is_not_the_engines_fault() -> None:
    """
    The turn is told at once, and the breaker learns nothing.
    """
    engine = Guarded(failures=1)
    engine.threads.shutdown()

    assert "recogniser_busy" == engine.whole()
    assert BreakerState.CLOSED is engine.state()
    assert {"abandoned": 1} == engine.uses()
    engine.loop.close()


@pytest.mark.parametrize("end", ["cancel", "finish", "give_up"])
def test_sound_after_the_end_begins_no_use(end: str) -> None:
    """
    The audio core may still hand some over; a probe that nobody judges would suspend the engine.
    """
    engine = Guarded(failures=1, cooldown_seconds=10.0)
    engine.whole(Said(returns=1))
    engine.loop.pass_seconds(10.0)
    turn = engine.recognition.open(Results())
    getattr(turn, end)()
    turn.feed(PCM)
    engine.loop.pass_seconds(0.01)

    assert "" == engine.whole()
    assert {"failed": 1, "done": 1} == engine.uses()
    engine.loop.close()


def test_every_use_has_its_verdict_whatever_races() -> None:
    """
    Two thousand turns whose sound, end and deadline come from three threads at once.
    """
    speech = FakeSpeechEngine()
    threads = Workers(2, "recognition")
    guard = EngineGuard(Place.FIRST, "fake", "fake-1", BreakerRules(failures=10**6))
    recognition = GuardedRecognition(PooledRecognition(speech, threads, WaitingTurns()), guard)
    order = random.Random(7)
    for _ in range(2000):
        turn = recognition.open(Results())
        ends = [turn.finish, turn.give_up, turn.cancel]
        order.shuffle(ends)
        feeder = threading.Thread(target=lambda turn=turn: [turn.feed(PCM) for _ in range(3)])
        ender = threading.Thread(target=ends[0])
        for thread in (feeder, ender):
            thread.start()
        ends[1]()
        for thread in (feeder, ender):
            thread.join(30.0)
        turn.cancel()
    threads.shutdown()

    assert guard.health().open_uses == 0
