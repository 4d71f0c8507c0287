"""Two engines on one turn: who is asked, who is believed, and that nobody waits in vain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.call.rules import Timers
from ivr.engine.breaker import BreakerRules, BreakerState
from ivr.engine.second_opinion import SecondRules
from ivr.ports.records import CallEnded, OtherReadingHeard, UtteranceHeard
from tests.fakes.speech import Said
from tests.unit.engine.stage import ENERGY, RULES, VAGUE, Stage, readings, stage

ONCE = replace(RULES, repeats_most=0)
"""Nobody is asked to say it again: what is not clear is asked about."""
UNSURE = Said(VAGUE, 0.3)
CLEAR = Said(ENERGY, 0.9)
BROKEN = Said(finish_error=RuntimeError("broke"))
TURN_SECONDS = 2.0
END_SECONDS = TURN_SECONDS - 0.1 + 0.7
"""From the caller's first word to the end of the turn: the last chunk begins it, and the usual
pause ends it."""


def decided_on(s: Stage) -> list[tuple[str, str, str]]:
    """Utterances: engine, words, failure."""
    return [(r.recogniser, r.transcript, r.failure) for r in s.records(UtteranceHeard)]


def states(s: Stage) -> list[BreakerState]:
    return [health.state for health in s.engines.engines()]


def test_a_sure_first_engine_decides_alone() -> None:
    """
    As without a second one: it is not asked, and no record says more than before.
    """
    with stage(second=SecondRules()) as s:
        leg = s.incoming()
        s.say_unclearly(leg, CLEAR, Said("iets anders", 1.0))

        assert "routed" == s.end().outcome
        assert [] == s.other_speech.opened
        assert [("fake", ENERGY, "")] == decided_on(s)
        assert [] == readings(s)


def test_an_unsure_first_engine_is_rescued() -> None:
    """
    The second hears the whole turn, is surer, and its words decide; the record has both.
    """
    with stage(second=SecondRules()) as s:
        leg = s.incoming()
        s.say_unclearly(leg, UNSURE, CLEAR)
        heard = s.records(UtteranceHeard)[0]
        other = s.records(OtherReadingHeard)[0]

        assert ("energie", "routed") == (s.end().thema, s.end().outcome)
        assert ("other", "other-1", ENERGY, 0.9, "") == (
            heard.recogniser,
            heard.recogniser_version,
            heard.transcript,
            heard.confidence,
            heard.failure,
        )
        assert ("first", "fake", "fake-1", VAGUE, 0.3, "") == (
            other.heard_in,
            other.recogniser,
            other.recogniser_version,
            other.transcript,
            other.confidence,
            other.failure,
        )
        assert (heard.number, heard.at) == (other.number, other.at)
        assert (ENERGY, VAGUE) == heard.alternatives
        assert s.other_speech.opened[0].samples == s.speech.opened[0].samples
        assert "second_pass" in [name for name, _ in s.observer.stages]
        assert {"better": 1} == s.engines.second_passes()


def test_a_second_engine_that_is_no_surer_changes_nothing_but_the_readings() -> None:
    """
    The first engine's words stand; what the other heard is an alternative and a record.
    """
    with stage(second=SecondRules()) as s:
        leg = s.incoming()
        s.say_unclearly(leg, UNSURE, Said(ENERGY, 0.2))

        assert [("fake", VAGUE, "")] == decided_on(s)
        assert (VAGUE, ENERGY) == s.records(UtteranceHeard)[0].alternatives
        assert [("second", "other", ENERGY, "")] == readings(s)
        s.hang_up(leg)


@pytest.mark.parametrize(
    ("rules", "waits"), [(SecondRules(), 1.0), (SecondRules(deadline_seconds=0.4), 0.4)]
)
def test_a_late_second_engine_costs_its_deadline_and_no_more(
    rules: SecondRules, waits: float
) -> None:
    """
    Then the first engine's words count, although they are not sure; the record tells of both.
    """
    with stage(ONCE, second=rules) as s:
        leg = s.incoming()
        s.other_threads.seconds = 5.0
        s.speech.script.append(UNSURE)
        s.other_speech.script.append(CLEAR)
        s.ears.speak(leg.slot, TURN_SECONDS)
        s.loop.pass_seconds(END_SECONDS + waits - 0.1)
        before = s.state()
        s.loop.pass_seconds(0.3)

        assert ("deciding", "confirming") == (before, s.state())
        assert [("fake", VAGUE, "")] == decided_on(s)
        assert [("second", "other", "", "recogniser_late")] == readings(s)
        assert {"late": 1} == s.engines.second_passes()
        s.loop.pass_seconds(6.0)
        # When its thread comes to it nobody waits, so nothing is decoded.
        assert 0 == sum(r.samples for r in s.other_speech.opened)
        assert 1 == len(s.records(OtherReadingHeard))
        s.hang_up(leg)


@pytest.mark.parametrize(
    "broken",
    [
        BROKEN,
        Said(open_error=MemoryError()),
        Said(accept_error=RuntimeError("broke")),
        Said(returns="geen transcript"),
    ],
)
def test_a_first_engine_that_breaks_is_rescued(broken: Said) -> None:
    """
    Whenever it breaks and however: the second hears the turn from its first word.
    """
    with stage(second=SecondRules()) as s:
        leg = s.incoming()
        s.say_unclearly(leg, replace(broken), CLEAR)

        assert "routed" == s.end().outcome
        assert [("other", ENERGY, "")] == decided_on(s)
        failure = s.records(OtherReadingHeard)[0].failure
        assert failure in ("recogniser_crashed", "recogniser_garbage")


@pytest.mark.parametrize(
    "broken", [BROKEN, Said(open_error=MemoryError()), Said(returns=3), Said("", 0.0)]
)
def test_a_second_engine_that_breaks_leaves_the_first_ones_words(broken: Said) -> None:
    """
    Broken, or with nothing to say: as if it had not been there.
    """
    with stage(ONCE, second=SecondRules()) as s:
        leg = s.incoming()
        s.say_unclearly(leg, UNSURE, replace(broken))

        assert [("fake", VAGUE, "")] == decided_on(s)
        assert "confirming" == s.state()
        s.hang_up(leg)


def test_when_both_break_the_menu_comes_at_once() -> None:
    """
    No deadline is waited for, and the record has both failures.
    """
    with stage(second=SecondRules()) as s:
        leg = s.incoming()
        s.speech.script.append(replace(BROKEN))
        s.other_speech.script.append(replace(BROKEN))
        s.ears.speak(leg.slot, TURN_SECONDS)
        s.loop.pass_seconds(END_SECONDS + 0.3)

        assert "menu" == s.state()
        assert [("", "", "recogniser_crashed")] == decided_on(s)
        assert [("second", "other", "", "recogniser_crashed")] == readings(s)
        s.hang_up(leg)


def test_an_empty_final_is_the_last_stable_partial() -> None:
    """
    Of any engine: words that were stable are not lost because the end was.
    """
    with stage() as s:
        leg = s.incoming()
        s.say(leg, "", partials=("ik heb", ENERGY))

        assert [("fake", ENERGY, "")] == decided_on(s)
        assert "routed" == s.end().outcome


def test_a_last_stable_partial_is_no_certainty() -> None:
    """
    Its confidence says nothing of the words that are missing: the second engine is asked.
    """
    with stage(second=SecondRules()) as s:
        leg = s.incoming()
        s.say_unclearly(leg, Said("", partials=("ja het is",)), Said(ENERGY, 0.5))

        assert [("other", ENERGY, "")] == decided_on(s)
        assert [("first", "fake", "ja het is", "")] == readings(s)


def test_a_yes_or_no_is_heard_twice_too() -> None:
    """
    A mumbled "ja" is worth a second ear; nothing is classified for it.
    """
    with stage(second=SecondRules()) as s:
        s.classifier.known[VAGUE] = s.classifier.known[ENERGY]
        leg = s.incoming()
        s.say(leg, "er kwam een brief van de belastingen", confidence=0.9)
        assert "confirming" == s.state()
        s.say_unclearly(leg, Said("na", 0.2), Said("ja", 0.9), seconds=0.5)

        assert "routed" == s.end().outcome
        assert ("other", "ja", "") == decided_on(s)[-1]
        assert [("first", "fake", "na", "")] == readings(s)


def test_an_open_breaker_lets_the_second_take_the_firsts_place() -> None:
    """
    After two failures the first engine gets no audio at all; after the cool-down one turn tries it.
    """
    with stage(second=SecondRules(), breaker=BreakerRules(failures=2, cooldown_seconds=60.0)) as s:
        for _ in range(2):
            s.say_unclearly(s.incoming(), replace(BROKEN), replace(CLEAR))
        assert [BreakerState.OPEN, BreakerState.CLOSED] == states(s)
        opened = len(s.speech.opened)
        s.say_unclearly(s.incoming(), Said("niet gevraagd"), replace(CLEAR))

        assert opened == len(s.speech.opened)
        assert ("other", ENERGY, "") == decided_on(s)[-1]
        assert ("first", "fake", "", "recogniser_suspended") == readings(s)[-1]
        s.speech.script.clear()
        s.loop.pass_seconds(60.0)
        s.say(s.incoming(), ENERGY)
        assert [BreakerState.CLOSED, BreakerState.CLOSED] == states(s)
        assert ("fake", ENERGY, "") == decided_on(s)[-1]
        assert ["routed"] * 4 == [record.outcome for record in s.records(CallEnded)]


def test_an_open_breaker_without_a_second_engine_costs_no_wait() -> None:
    """
    Every recognition thread hangs: the first callers wait for their deadline, the next for nothing.
    """
    with stage(breaker=BreakerRules(failures=2, cooldown_seconds=600.0)) as s:
        s.threads.seconds = float("inf")
        waited = []
        for _ in range(3):
            leg = s.incoming()
            s.ears.speak(leg.slot, TURN_SECONDS)
            s.loop.pass_seconds(END_SECONDS)
            began = s.loop.time()
            while s.state() != "menu":
                s.loop.pass_seconds(0.05)
                assert s.loop.time() - began < 2.0
            waited.append(s.loop.time() - began)
            s.hang_up(leg)

        assert [True, True, False] == [seconds > 0.5 for seconds in waited]
        assert waited[2] < 0.15
        assert ["recogniser_late", "recogniser_late", "recogniser_suspended"] == [
            failure for _, _, failure in decided_on(s)
        ]


def test_a_second_engine_that_hangs_is_left_alone() -> None:
    """
    Two unsure callers wait in vain; the third is not made to.
    """
    with stage(
        ONCE, second=SecondRules(), breaker=BreakerRules(failures=2, cooldown_seconds=600.0)
    ) as s:
        s.other_threads.seconds = float("inf")
        waited = []
        for _ in range(3):
            leg = s.incoming()
            s.speech.script.append(replace(UNSURE))
            s.ears.speak(leg.slot, TURN_SECONDS)
            s.loop.pass_seconds(END_SECONDS)
            began = s.loop.time()
            while s.state() != "confirming":
                s.loop.pass_seconds(0.05)
                assert s.loop.time() - began < 2.0
            waited.append(s.loop.time() - began)
            s.hang_up(leg)

        assert [True, True, False] == [seconds > 0.5 for seconds in waited]
        assert [BreakerState.CLOSED, BreakerState.OPEN] == states(s)
        assert {"late": 2, "refused": 1} == s.engines.second_passes()


def test_a_second_engine_asked_at_the_last_moment_is_not_blamed() -> None:
    """
    The first engine took nearly all of the deadline: that the second did not make it is no fault.
    """
    with stage(second=SecondRules(), breaker=BreakerRules(failures=1)) as s:
        leg = s.incoming()
        s.speech.script.append(UNSURE)
        s.other_speech.script.append(CLEAR)
        s.other_threads.seconds = 0.5
        s.loop.call_later(END_SECONDS - 0.1, lambda: setattr(s.threads, "seconds", 0.8))
        s.ears.speak(leg.slot, TURN_SECONDS)
        s.loop.pass_seconds(END_SECONDS + 1.5)

        assert [BreakerState.CLOSED, BreakerState.CLOSED] == states(s)
        assert [("second", "other", "", "recogniser_late")] == readings(s)
        s.threads.seconds = 0.01
        s.hang_up(leg)


def test_hanging_up_while_the_second_listens_loses_no_record() -> None:
    """
    The call is over, its last utterance is not.
    """
    with stage(second=SecondRules()) as s:
        leg = s.incoming()
        s.speech.script.append(UNSURE)
        s.other_speech.script.append(CLEAR)
        s.other_threads.seconds = 0.4
        s.ears.speak(leg.slot, TURN_SECONDS)
        s.loop.pass_seconds(END_SECONDS + 0.2)
        assert "deciding" == s.state()
        s.hang_up(leg)
        s.loop.pass_seconds(1.0)

        assert "abandoned" == s.end().outcome
        assert [("other", ENERGY, "")] == decided_on(s)
        assert [("first", "fake", VAGUE, "")] == readings(s)


def test_no_turn_waits_longer_than_its_deadline() -> None:
    """
    However slow first and second are together, the call's own deadline holds.
    """
    rules = replace(ONCE, timers=Timers(deciding_seconds=5.0))
    with stage(rules, second=SecondRules(), deadline_seconds=0.8) as s:
        leg = s.incoming()
        s.loop.call_later(END_SECONDS - 0.1, lambda: setattr(s.threads, "seconds", 0.6))
        s.other_threads.seconds = 0.6
        s.speech.script.append(UNSURE)
        s.other_speech.script.append(CLEAR)
        s.ears.speak(leg.slot, TURN_SECONDS)
        s.loop.pass_seconds(END_SECONDS + 0.9)

        assert "confirming" == s.state()
        s.threads.seconds = 0.01
        s.hang_up(leg)
