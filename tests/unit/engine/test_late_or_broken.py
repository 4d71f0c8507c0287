"""Recognisers and classifiers that are late or break: the menu at once, or the last partial."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from asr.errors import RecogniserFailedError
from ivr.call.rules import Timers
from ivr.ports.records import (
    UtteranceHeard,
    UtteranceRecorded,
)
from tests.fakes.speech import ranking
from tests.unit.engine.stage import ENERGY, RULES, stage

MENU = "keuzemenu-belastingen-energie-mobiliteit-onderwijs"


def test_late_recogniser_falls_back_to_the_last_stable_partial() -> None:
    """
    The deadline passed, and what was stable so far decides.
    """
    with stage(deadline_seconds=0.5) as s:
        leg = s.incoming()
        s.classifier.known["zonnepanelen"] = ranking("energie", 0.97)
        s.loop.call_later(2.3, lambda: setattr(s.threads, "seconds", float("inf")))
        s.say(leg, ENERGY, partials=("zonnepanelen",))

        assert "zonnepanelen" == s.records(UtteranceHeard)[0].transcript
        assert "routed" == s.end().outcome
        s.threads.seconds = 0.01
        s.speech.opened[0].closed = True  # its thread never came back


def test_late_recogniser_without_partial_brings_the_menu_at_once() -> None:
    """
    Our fault: the caller is not asked to repeat, and does not wait longer than the deadline.
    """
    with stage(deadline_seconds=0.5) as s:
        leg = s.incoming()
        s.threads.seconds = float("inf")
        s.ears.speak(leg.slot, 2.0)
        s.loop.pass_seconds(2.0 + 0.7 + 0.5 + 0.1)

        assert "menu" == s.state()
        assert ["recogniser_late"] == [r.failure for r in s.records(UtteranceHeard)]
        assert ["recogniser_late"] == s.observer.failures
        assert "example" not in s.heard(leg)
        s.hang_up(leg)


def test_turn_is_in_the_register_before_it_is_understood() -> None:
    """
    A process that ends meanwhile leaves the recording and how long it is.
    """
    with stage(deadline_seconds=0.5) as s:
        leg = s.incoming()
        s.threads.seconds = float("inf")
        s.ears.speak(leg.slot, 2.0)
        s.loop.pass_seconds(2.0 + 0.7 + 0.2)

        (turn,) = s.records(UtteranceRecorded)
        assert [] == s.records(UtteranceHeard)
        s.loop.pass_seconds(0.5)
        (heard,) = s.records(UtteranceHeard)
        assert turn.recording
        assert (turn.number, turn.at, turn.audio_seconds, turn.recording) == (
            heard.number,
            heard.at,
            heard.audio_seconds,
            heard.recording,
        )
        s.hang_up(leg)


@pytest.mark.parametrize("where", ["open_error", "accept_error", "finish_error"])
@pytest.mark.parametrize("error", [RecogniserFailedError("fake", "broke"), RuntimeError("broke")])
def test_broken_recogniser_brings_the_menu_at_once(where: str, error: Exception) -> None:
    """
    Whatever it raises, expected or not, and whenever.
    """
    with stage() as s:
        leg = s.incoming()
        how: dict[str, Any] = {where: error}
        s.say(leg, ENERGY, **how)

        assert "menu" == s.state()
        assert 1 == len(s.observer.failures)
        assert s.records(UtteranceHeard)[0].failure.startswith(("asr_", "recogniser_"))
        s.hang_up(leg)


def test_recogniser_that_breaks_on_closing_costs_nothing() -> None:
    """
    Its transcript was given; the call goes on with it.
    """
    with stage() as s:
        leg = s.incoming()
        s.say(leg, ENERGY, close_error=RuntimeError("too late to matter"))

        assert "routed" == s.end().outcome


def test_broken_classifier_brings_the_menu_at_once() -> None:
    """
    The words are recorded all the same.
    """
    with stage() as s:
        leg = s.incoming()
        s.classifier.error = RuntimeError("out of memory")
        s.say(leg, ENERGY, partials=("ik heb",))

        assert "menu" == s.state()
        assert (ENERGY, "classifier_failed") == (
            s.records(UtteranceHeard)[0].transcript,
            s.records(UtteranceHeard)[0].failure,
        )
        s.hang_up(leg)


def test_classifier_that_gives_no_ranking_brings_the_menu() -> None:
    """
    Probabilities out of order are a bug of ours, not an end of the call.
    """
    with stage() as s:
        leg = s.incoming()
        s.classifier.known[ENERGY] = tuple(reversed(ranking("energie", 0.97)))
        s.say(leg, ENERGY)

        assert "menu" == s.state()
        assert ["ranking"] == s.observer.failures
        s.hang_up(leg)


def test_endless_talker_is_understood() -> None:
    """
    The turn's limit ends it, and what was said until then counts.
    """
    rules = replace(RULES, timers=Timers(utterance_seconds=5.0))
    with stage(rules) as s:
        leg = s.incoming()
        s.say(leg, ENERGY, seconds=60.0)

        assert "routed" == s.end().outcome
        assert s.records(UtteranceHeard)[0].audio_seconds < 5.5
