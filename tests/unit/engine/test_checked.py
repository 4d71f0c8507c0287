"""Whatever an engine does or returns, its caller gets what the port promises or a fixed word."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from asr.errors import RecogniserFailedError
from asr.recogniser import Alternative, Partial, Transcript, Word
from ivr.engine.checked import (
    CheckedRecogniser,
    EngineFailedError,
    checked_partial,
    checked_transcript,
)
from tests.fakes.speech import FakeSpeechEngine, Said

PCM = np.zeros(160, np.int16)
GOOD = Transcript("een vraag", 0.9, (Word("een", 0.0, 0.2, 0.9),), (), "fake", "fake-1")


def one_utterance(said: Said) -> Transcript:
    speech = FakeSpeechEngine()
    speech.script.append(said)
    recogniser = CheckedRecogniser(speech)
    try:
        recogniser.accept(PCM)
        return recogniser.finish()
    finally:
        recogniser.close()
        recogniser.close()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (Said(open_error=RuntimeError("geheim")), "recogniser_crashed"),
        (Said(accept_error=RecogniserFailedError("fake", "geheim")), "asr_recogniser_failed"),
        (Said(finish_error=MemoryError("geheim")), "recogniser_crashed"),
        (Said(finish_error=SystemExit(3)), "recogniser_crashed"),  # type: ignore[arg-type]
        (Said(returns="een vraag"), "recogniser_garbage"),
        (Said(returns=("een vraag", 0.9)), "recogniser_garbage"),
    ],
)
def test_whatever_an_engine_raises_becomes_a_fixed_word(said: Said, code: str) -> None:
    """
    Some libraries end the program; an engine's own message may quote the caller.
    """
    with pytest.raises(EngineFailedError) as caught:
        one_utterance(said)

    assert (code, code) == (caught.value.code, str(caught.value))


def test_closing_breaks_nothing() -> None:
    """
    The transcript was given; closing twice is harmless.
    """
    said = Said("een vraag", close_error=RuntimeError("geheim"))

    assert "een vraag" == one_utterance(said).text


def test_an_utterance_without_a_sample_is_a_failure() -> None:
    """
    No recogniser is opened for it.
    """
    speech = FakeSpeechEngine()
    with pytest.raises(EngineFailedError, match="recogniser_heard_nothing"):
        CheckedRecogniser(speech).finish()

    assert [] == speech.opened


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
    with pytest.raises(EngineFailedError, match="recogniser_garbage"):
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
    with pytest.raises(EngineFailedError, match="recogniser_garbage"):
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
