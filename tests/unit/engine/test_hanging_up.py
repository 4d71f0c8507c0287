"""Hang-ups and lost audio in every state: exactly one record of the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ivr.ports import (
    DigitPressed,
    HungUp,
    MediaLost,
)
from ivr.ports.records import DecisionTaken, TransferTried, UtteranceHeard
from tests.fakes.speech import Said
from tests.fakes.telephony import FakeLeg
from tests.unit.engine.stage import ENERGY, TAXES, Stage, stage, uri


def answering(s: Stage) -> FakeLeg:
    return s.quiet_leg()


def greeting(s: Stage) -> FakeLeg:
    return s.incoming(prompts_end=False)


def prompting(s: Stage) -> FakeLeg:
    leg = s.incoming(prompts_end=False)
    leg.finish_playing()
    s.loop.pass_seconds(0.1)
    return leg


def listening(s: Stage) -> FakeLeg:
    return s.incoming()


def speaking(s: Stage) -> FakeLeg:
    leg = s.incoming()
    s.ears.speak(leg.slot, 20.0)
    s.loop.pass_seconds(1.0)
    return leg


def deciding(s: Stage) -> FakeLeg:
    leg = s.incoming()
    s.threads.seconds = 0.4
    s.ears.speak(leg.slot, 1.0)
    s.loop.pass_seconds(1.9)
    return leg


def confirming(s: Stage) -> FakeLeg:
    leg = s.incoming()
    s.say(leg, TAXES)
    return leg


def answer_recognised(s: Stage) -> FakeLeg:
    leg = confirming(s)
    s.threads.seconds = 0.4
    s.ears.speak(leg.slot, 0.5)
    s.loop.pass_seconds(1.2)
    return leg


def menu(s: Stage) -> FakeLeg:
    leg = s.incoming()
    leg.emit(DigitPressed("9"))
    s.loop.pass_seconds(0.1)
    return leg


def announcing(s: Stage) -> FakeLeg:
    leg = s.incoming()
    leg.finishes_playing = False
    s.say(leg, ENERGY)
    return leg


def transferring(s: Stage) -> FakeLeg:
    s.telephony.transfers = {uri("energie"): ()}
    leg = s.incoming()
    s.say(leg, ENERGY)
    return leg


def accepted(s: Stage) -> FakeLeg:
    s.telephony.transfers = {uri("energie"): ((202, False),)}
    leg = s.incoming()
    s.say(leg, ENERGY)
    return leg


def closing(s: Stage) -> FakeLeg:
    s.telephony.transfers = {uri("energie"): ((503, True),), uri("algemeen"): ((503, True),)}
    leg = s.incoming()
    s.say(leg, ENERGY)
    return leg


def callback(s: Stage) -> FakeLeg:
    leg = closing(s)
    leg.finishes_playing = False
    leg.emit(DigitPressed("1"))
    s.loop.pass_seconds(0.1)
    return leg


EVERYWHERE = pytest.mark.parametrize(
    ("reach", "state", "hung_up", "ours"),
    [
        (answering, "answering", "abandoned", "refused"),
        (greeting, "greeting", "abandoned", "media_failed"),
        (prompting, "prompting", "abandoned", "media_failed"),
        (listening, "listening", "abandoned", "media_failed"),
        (speaking, "listening", "abandoned", "media_failed"),
        (deciding, "deciding", "abandoned", "media_failed"),
        (confirming, "confirming", "abandoned", "media_failed"),
        (answer_recognised, "confirming", "abandoned", "media_failed"),
        (menu, "menu", "abandoned", "media_failed"),
        (announcing, "announcing", "abandoned", "media_failed"),
        (transferring, "transferring", "abandoned", "media_failed"),
        (accepted, "transferring", "transfer_unconfirmed", "transfer_unconfirmed"),
        (closing, "closing", "unrouted", "unrouted"),
        (callback, "callback", "callback", "callback"),
    ],
)


@EVERYWHERE
def test_caller_may_hang_up_anywhere(
    reach: Callable[[Stage], FakeLeg], state: str, hung_up: str, ours: str
) -> None:
    """
    One record of the end, at once, with the right outcome; nothing runs on (see finish).
    """
    with stage(offers_callback=True) as s:
        leg = reach(s)
        assert state == s.state()
        commands = len(leg.commands)

        s.hang_up(leg)

        assert (hung_up, 200) == (s.end().outcome, s.end().sip_status)
        assert "" == s.state()
        s.loop.pass_seconds(5.0)
        assert {"stop_playing"} >= set(leg.names()[commands:])
        assert [] == s.loop.timers()
        assert [] == [r for r in s.records(TransferTried) if r.result == "succeeded"]


@EVERYWHERE
def test_our_own_hanging_up_is_not_the_callers(
    reach: Callable[[Stage], FakeLeg], state: str, hung_up: str, ours: str
) -> None:
    """
    A leg that the SIP side ended (it broke, or the process stops) was not abandoned by anybody.
    """
    with stage(offers_callback=True) as s:
        leg = reach(s)
        assert state == s.state()
        leg.emit(HungUp(500, by_us=True))
        s.loop.pass_seconds(0.1)

        assert (ours, 500) == (s.end().outcome, s.end().sip_status)


@EVERYWHERE
def test_audio_may_stop_anywhere(
    reach: Callable[[Stage], FakeLeg], state: str, hung_up: str, ours: str
) -> None:
    """
    While we talk it is the end; while another side has the caller it means nothing; a callback
    that was asked for stays asked for.
    """
    with stage(offers_callback=True) as s:
        leg = reach(s)
        leg.emit(MediaLost())
        s.loop.pass_seconds(0.1)

        if state == "transferring":
            assert state == s.state()
            s.hang_up(leg)
        else:
            assert ("callback" if state == "callback" else "media_failed") == s.end().outcome
            assert "hang_up" in leg.names()
            s.hang_up(leg)


def test_question_of_a_caller_who_left_is_still_recorded() -> None:
    """
    What was said before the hang-up is worth labelling.
    """
    with stage() as s:
        leg = s.incoming()
        s.threads.seconds = 0.2
        s.speech.script.append(Said(ENERGY))
        s.ears.speak(leg.slot, 1.0)
        s.loop.pass_seconds(1.85)
        s.hang_up(leg)
        s.loop.pass_seconds(2.0)

        assert [ENERGY] == [r.transcript for r in s.records(UtteranceHeard)]
        assert [] == s.records(DecisionTaken)


def test_cancelled_before_the_answer() -> None:
    """
    CANCEL while we answer: abandoned, with its status.
    """
    with stage() as s:
        leg = answering(s)
        leg.emit(HungUp(487, by_us=False))
        s.loop.pass_seconds(0.1)

        assert ("abandoned", 487) == (s.end().outcome, s.end().sip_status)
