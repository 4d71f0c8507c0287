"""A marker word spoken in a call appears in no log line, metric, repr or exception."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from asr.errors import RecogniserFailedError
from ivr.call.actions import Purpose
from ivr.engine.breaker import BreakerRules
from ivr.engine.second_opinion import SecondRules
from ivr.engine.turn import Heard
from ivr.files.home import Home
from ivr.monitoring.log import configure_logging
from ivr.ports import DigitPressed
from ivr.ports.records import UtteranceHeard
from tests.fakes.speech import Said, ranking
from tests.unit.engine.stage import Stage, stage

WORD = "kwispelmarter"
SENTENCE = f"mijn {WORD} is kapot"
NUMBER = "+32470112358"


@pytest.fixture
def logged(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What is logged in production, and whatever else went to standard error and output."""
    root = logging.getLogger()
    handlers, level, raises = list(root.handlers), root.level, logging.raiseExceptions
    configure_logging("json", level=logging.DEBUG)
    log = io.StringIO()
    ours = root.handlers[0]
    assert isinstance(ours, logging.StreamHandler)
    ours.setStream(log)
    yield lambda: log.getvalue() + "".join(capfd.readouterr())
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raises
    structlog.reset_defaults()


def seen(s: Stage, text: str) -> str:
    """Everything that an operator or a programmer may see of the calls."""
    pieces: list[Any] = [text, s.observer.__dict__, s.loop.failures, s.engine.live()]
    pieces += [repr(record) for record in s.sink.records]
    pieces += [repr(call) for call in s.engine.live()]
    return "\n".join(str(piece) for piece in pieces)


def breaks(error_at: str) -> dict[str, Any]:
    """A recogniser that quotes the caller when it breaks."""
    return {error_at: RuntimeError(f"cannot decode {SENTENCE}")}


@pytest.mark.parametrize(
    "how",
    [
        {},
        breaks("open_error"),
        breaks("accept_error"),
        breaks("finish_error"),
        breaks("close_error"),
        {"finish_error": RecogniserFailedError("fake", SENTENCE)},
    ],
    ids=["understood", "open", "accept", "finish", "close", "known"],
)
def test_spoken_words_are_nowhere_but_in_the_record(
    how: dict[str, Any], logged: Callable[[], str]
) -> None:
    """
    Recognised, misunderstood, or broken in every place of the way.
    """
    with stage() as s:
        s.classifier.known[SENTENCE] = ranking("energie", 0.97)
        leg = s.incoming(caller=NUMBER)
        s.say(leg, SENTENCE, partials=(SENTENCE,), **how)
        s.hang_up(leg)
        text = seen(s, logged())

        assert WORD not in text
        assert NUMBER[3:] not in text
        assert "call_offered" in text
        if not how:
            assert SENTENCE == s.records(UtteranceHeard)[0].transcript


@pytest.mark.parametrize("where", ["open_error", "accept_error", "finish_error", "close_error"])
def test_second_engine_that_quotes_the_caller(
    where: str, logged: Callable[[], str], tmp_path: Path
) -> None:
    """
    Asked while the caller waits and after the call; its breaker opens, and says so without words.
    """
    with stage(
        second=SecondRules(),
        breaker=BreakerRules(failures=1, cooldown_seconds=0.01),
        share_of_calls=1.0,
        folder=Home(tmp_path),
    ) as s:
        leg = s.incoming(caller=NUMBER)
        s.say_unclearly(leg, Said(SENTENCE, 0.1), Said(SENTENCE, 0.9, **breaks(where)))
        s.hang_up(leg)
        s.write_recordings()
        text = seen(s, logged()) + repr(s.engines.engines())

        assert WORD not in text
        assert NUMBER[3:] not in text
        if where != "close_error":
            assert "recogniser_breaker" in text


def test_classifier_that_quotes_the_caller(logged: Callable[[], str]) -> None:
    """
    Its exception goes no further than its count.
    """
    with stage() as s:
        s.classifier.error = ValueError(f"no features in {SENTENCE}")
        leg = s.incoming(caller=NUMBER)
        s.say(leg, SENTENCE, partials=(SENTENCE,))
        s.hang_up(leg)

        assert WORD not in seen(s, logged())
        assert "classifier_failed" in s.observer.failures


def test_prompts_and_ears_that_quote_the_caller(logged: Callable[[], str]) -> None:
    """
    The type of an exception is logged, never its text.
    """
    with stage() as s:
        leg = s.incoming(caller=NUMBER)
        s.prompts.error = RuntimeError(SENTENCE)
        s.ears.take_error = RuntimeError(f"{SENTENCE} {NUMBER}")
        s.say(leg, SENTENCE)
        s.hang_up(leg)
        text = seen(s, logged())

        assert WORD not in text
        assert NUMBER[3:] not in text
        assert "RuntimeError" in text


def test_log_that_cannot_be_written_says_nothing(
    logged: Callable[[], str], capfd: pytest.CaptureFixture[str]
) -> None:
    """
    Logging's own report would show the exception at hand, and with it the caller's words.
    """
    with stage() as s:
        broken = logging.getLogger().handlers[0]
        assert isinstance(broken, logging.StreamHandler)
        closed = io.StringIO()
        closed.close()
        before = broken.setStream(closed)
        leg = s.incoming(caller=NUMBER)
        s.prompts.error = RuntimeError(SENTENCE)
        s.say(leg, SENTENCE)
        s.hang_up(leg)
        broken.setStream(before)

        assert "" == "".join(capfd.readouterr())


def test_keys_are_not_logged(logged: Callable[[], str]) -> None:
    """
    Digits may be a national number: the words around them never hold one.
    """
    with stage() as s:
        leg = s.incoming(caller=NUMBER)
        events = [DigitPressed("9"), DigitPressed("9")]
        for event in events:
            leg.emit(event)
            s.loop.pass_seconds(0.1)
        s.hang_up(leg)
        lines = [line for line in logged().splitlines() if "digit" in line.lower()]

        assert [] == lines
        assert "9" not in repr(events[0])


def test_sip_call_id_is_not_logged(logged: Callable[[], str]) -> None:
    """
    It can be traced to the caller; our own random id cannot.
    """
    with stage() as s:
        leg = s.incoming(caller=NUMBER)
        s.hang_up(leg)
        text = logged()

        assert leg.sip_call_id not in text
        assert s.end().call_id in text


def test_what_is_heard_hides_its_words() -> None:
    """
    In a debugger's or an error tracker's view of a local variable.
    """
    with stage() as s:
        s.speech.script.append(Said(SENTENCE, partials=(SENTENCE,)))
        recogniser = s.speech.open()
        transcript = recogniser.finish()
        heard = Heard(
            number=1,
            purpose=Purpose.QUESTION,
            transcript=transcript,
            classification=s.classifier.classify(SENTENCE),
            failure="",
            other=None,
            stages={},
        )
        recogniser.close()

        assert WORD not in repr(heard)
        assert WORD not in repr(transcript)
