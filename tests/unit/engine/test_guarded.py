"""Whatever an engine does or returns, a use of it ends in one verdict and a fixed word."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from asr.errors import RecogniserFailedError
from asr.recogniser import Alternative, Partial, Transcript, Word
from ivr.engine.breaker import BreakerRules, BreakerState
from ivr.engine.guarded import (
    GuardedEngine,
    Place,
    UseFailedError,
    checked_partial,
    checked_transcript,
)
from tests.engine_fakes import FakeSpeechEngine, Said

PCM = np.zeros(160, np.int16)
GOOD = Transcript("een vraag", 0.9, (Word("een", 0.0, 0.2, 0.9),), (), "fake", "fake-1")


class Moments:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def guarded(speech: FakeSpeechEngine, **rules: Any) -> tuple[GuardedEngine, Moments]:
    clock = Moments()
    return GuardedEngine(speech, Place.FIRST, BreakerRules(**rules), clock=clock), clock


def fail(engine: GuardedEngine, speech: FakeSpeechEngine, said: Said) -> str:
    """One use that fails; its code."""
    speech.script.append(said)
    use = engine.begin()
    assert use is not None
    try:
        use.accept(PCM)
        use.finish()
    except UseFailedError as error:
        return error.code
    finally:
        use.close()
    raise AssertionError("it did not fail")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (Said(open_error=RuntimeError("geheim")), "recogniser_crashed"),
        (Said(accept_error=RecogniserFailedError("fake", "geheim")), "asr_recogniser_failed"),
        (Said(finish_error=MemoryError("geheim")), "recogniser_crashed"),
        (Said(returns="een vraag"), "recogniser_garbage"),
        (Said(returns=("een vraag", 0.9)), "recogniser_garbage"),
    ],
)
def test_failing_again_and_again_suspends_the_engine(said: Said, code: str) -> None:
    """
    After the third time it is not asked any more, until one probe succeeds.
    """
    speech = FakeSpeechEngine()
    engine, clock = guarded(speech, failures=3, cooldown_seconds=10.0)
    codes = [fail(engine, speech, said) for _ in range(3)]

    assert [code] * 3 == codes
    assert BreakerState.OPEN is engine.health().state
    assert engine.begin() is None
    clock.now = 10.0
    assert BreakerState.HALF_OPEN is engine.health().state
    probe = engine.begin()
    assert probe is not None
    assert engine.begin() is None
    probe.accept(PCM)
    probe.finish()
    assert BreakerState.CLOSED is engine.health().state
    assert {"failed": 3, "refused": 2, "done": 1} == engine.health().uses


def test_an_interrupt_in_a_library_is_a_failure_like_any_other() -> None:
    """
    Some libraries end the program; a use only ends itself.
    """
    speech = FakeSpeechEngine()
    engine, _ = guarded(speech)
    said = Said(finish_error=SystemExit(3))  # type: ignore[arg-type]

    assert "recogniser_crashed" == fail(engine, speech, said)


def test_only_the_first_verdict_counts() -> None:
    """
    A result that comes after the deadline does not make good for it.
    """
    speech = FakeSpeechEngine()
    engine, _ = guarded(speech, failures=1)
    use = engine.begin()
    assert use is not None
    use.accept(PCM)
    use.late()
    use.finish()
    use.abandoned()

    assert BreakerState.OPEN is engine.health().state
    assert {"late": 1} == engine.health().uses


def test_a_caller_who_hangs_up_is_no_verdict() -> None:
    """
    Not even for the probe: the next turn may be one.
    """
    speech = FakeSpeechEngine()
    engine, clock = guarded(speech, failures=1, cooldown_seconds=10.0)
    fail(engine, speech, Said(returns=1))
    clock.now = 10.0
    probe = engine.begin()
    assert probe is not None
    probe.abandoned()

    assert BreakerState.HALF_OPEN is engine.health().state
    assert engine.begin() is not None


def test_closing_breaks_nothing() -> None:
    """
    The transcript was given.
    """
    speech = FakeSpeechEngine()
    engine, _ = guarded(speech)
    speech.script.append(Said("een vraag", close_error=RuntimeError("geheim")))
    use = engine.begin()
    assert use is not None
    use.accept(PCM)

    assert "een vraag" == use.finish().text
    use.close()
    use.close()


def changed(**fields: Any) -> Transcript:
    values = {name: getattr(GOOD, name) for name in GOOD.__slots__}
    return Transcript(**(values | fields))


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        "een vraag",
        object(),
        changed(text=None),
        changed(text=b"een vraag"),
        changed(confidence="hoog"),
        changed(confidence=None),
        changed(confidence=math.nan),
        changed(confidence=math.inf),
        changed(confidence=10**400),
        changed(words=None),
        changed(words=[GOOD.words[0]]),
        changed(words=("een",)),
        changed(words=(Word("een", math.nan, 0.2, 0.9),)),
        changed(words=(Word(1, 0.0, 0.2, 0.9),)),  # type: ignore[arg-type]
        changed(alternatives=("een vraag",)),
        changed(alternatives=(Alternative("een", math.nan),)),
        changed(engine=None),
        changed(model=7),
    ],
)
def test_garbage_is_told_from_transcripts(garbage: object) -> None:
    """
    Whatever is not what the port promises goes no further.
    """
    with pytest.raises(UseFailedError, match="recogniser_garbage"):
        checked_transcript(garbage)


@pytest.mark.parametrize(
    "garbage",
    [
        "een",
        Partial(None, "", 0.5),  # type: ignore[arg-type]
        Partial("een", None, 0.5),  # type: ignore[arg-type]
        Partial("een", "een", math.nan),
        Partial("een", "een", 0.5, words=("een",)),  # type: ignore[arg-type]
    ],
)
def test_garbage_is_told_from_partials(garbage: object) -> None:
    """
    While the caller speaks, too.
    """
    with pytest.raises(UseFailedError, match="recogniser_garbage"):
        checked_partial(garbage)


@pytest.mark.parametrize("number", [np.float32, np.float64, float])
def test_numbers_of_any_kind_are_bounded(number: Callable[[float], Any]) -> None:
    """
    Rounding may leave 1.0000001, and NumPy's numbers are numbers.
    """
    transcript = checked_transcript(changed(confidence=number(1.0000001)))

    assert 1.0 == transcript.confidence
    assert GOOD == checked_transcript(GOOD)
    partial = checked_partial(Partial("een", "", number(-0.0001)))
    assert partial is not None
    assert 0.0 == partial.confidence
    assert checked_partial(None) is None
