"""Transfers, hang-ups in every state, and legs that break: exactly one record of the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ivr.call.rules import CallRules, Costs, Method, Target
from ivr.contacts.records import CallEnded, DecisionTaken, TransferTried, UtteranceHeard
from ivr.engine.ports import (
    DigitPressed,
    HungUp,
    MediaLost,
    TargetHungUp,
    TransferMethod,
    TransferProgress,
)
from tests.engine_fakes import Said
from tests.fakes import FakeLeg
from tests.unit.engine.stage import CALLER, ENERGY, RULES, TAXES, Stage, bridged, stage, uri

TWO_TARGETS = replace(
    RULES,
    targets={
        "energie": (Target(uri("energie", 1)), Target(uri("energie", 2))),
        "algemeen": (Target(uri("algemeen")),),
    },
)


def results(s: Stage) -> list[tuple[str, str, str, int | None]]:
    """What became of every attempt."""
    return [(r.target, r.method, r.result, r.sip_status) for r in s.records(TransferTried)]


def test_refused_target_leads_to_the_next_then_to_the_general_group() -> None:
    """
    The caller is told once, when another group is called.
    """
    with stage(TWO_TARGETS) as s:
        s.telephony.transfers = {
            uri("energie", 1): ((486, True),),
            uri("energie", 2): ((202, False), (404, True)),
        }
        leg = s.incoming()
        s.say(leg, ENERGY)

        assert [uri("energie", 1), uri("energie", 2), uri("algemeen")] == s.targets(leg)
        assert ["announce-energie", "next_group"] == s.heard(leg)[2:]
        assert ("routed", "energie", "algemeen") == (
            s.end().outcome,
            s.end().thema,
            s.end().group,
        )
        assert [
            (uri("energie", 1), "refer", "failed", 486),
            (uri("energie", 2), "refer", "failed", 404),
            (uri("algemeen"), "refer", "succeeded", 200),
        ] == results(s)


def test_nobody_reachable_ends_with_a_closing_message() -> None:
    """
    After the last resort, a bridge to the general group.
    """
    with stage() as s:
        s.telephony.transfers = {uri("energie"): ((503, True),), uri("algemeen"): ((503, True),)}
        leg = s.incoming()
        s.say(leg, ENERGY)

        assert ["closing", "goodbye"] == s.heard(leg)[-2:]
        assert [("unrouted", "nobody_reachable")] == s.observer.outcomes
        assert ["refer", "refer", "bridge"] == [method for _, method, _, _ in results(s)]


def test_callback_when_nobody_is_reachable() -> None:
    """
    Key 1 keeps the wish, with the number, even where the line stores none otherwise.
    """
    with stage(offers_callback=True) as s:
        s.telephony.transfers = {uri("energie"): ((503, True),), uri("algemeen"): ((503, True),)}
        leg = s.incoming()
        s.say(leg, ENERGY)
        leg.emit(DigitPressed("1"))
        s.loop.pass_seconds(0.1)

        assert "callback_confirmed" == s.heard(leg)[-1]
        assert ("callback", CALLER.encode()[::-1]) == (s.end().outcome, s.end().caller_encrypted)


def test_target_that_never_answers_is_given_up() -> None:
    """
    A REFER that is not even accepted costs ten seconds.
    """
    with stage() as s:
        s.telephony.transfers = {uri("energie"): ()}
        leg = s.incoming()
        s.say(leg, ENERGY)
        assert "transferring" == s.state()
        s.loop.pass_seconds(10.0)

        assert "abandon_transfer" in leg.names()
        assert (uri("energie"), "refer", "timeout", None) == results(s)[0]
        assert "algemeen" == s.end().group


@pytest.mark.parametrize("first", [202, 100, 180])
def test_accepted_refer_may_wait_in_the_queue(first: int) -> None:
    """
    A NOTIFY that overtakes the 202 says accepted too; silence is normal until the wait is over.
    """
    with stage() as s:
        s.telephony.transfers = {uri("energie"): ((first, False),)}
        leg = s.incoming()
        s.say(leg, ENERGY)
        s.loop.pass_seconds(590.0)
        assert "transferring" == s.state()
        leg.emit(TransferProgress(1, 200, final=True))
        s.loop.pass_seconds(0.1)

        assert ("routed", "energie") == (s.end().outcome, s.end().group)


def test_trying_of_a_bridge_is_not_ringing() -> None:
    """
    100 to our INVITE comes from the next hop: the target's ten seconds run on.
    """
    with stage(bridged(RULES)) as s:
        s.telephony.transfers = {uri("energie"): ((100, False),)}
        leg = s.incoming()
        s.say(leg, ENERGY)
        s.loop.pass_seconds(10.0)

        assert (uri("energie"), "bridge", "timeout", 100) == results(s)[0]
        s.hang_up(leg)


def test_hang_up_after_acceptance_is_unconfirmed() -> None:
    """
    BYE may come before the NOTIFY: not abandoned, not routed either.
    """
    with stage() as s:
        s.telephony.transfers = {uri("energie"): ((202, False),)}
        leg = s.incoming()
        s.say(leg, ENERGY)
        s.hang_up(leg)

        assert "transfer_unconfirmed" == s.end().outcome
        assert [(uri("energie"), "refer", "unconfirmed", 202)] == results(s)


def test_late_success_of_an_abandoned_refer_wins() -> None:
    """
    The caller did reach the first target while we were calling the second.
    """
    with stage() as s:
        s.telephony.transfers = {uri("energie"): ((202, False),), uri("algemeen"): ()}
        leg = s.incoming()
        s.say(leg, ENERGY)
        s.loop.pass_seconds(600.0)
        assert [uri("energie"), uri("algemeen")] == s.targets(leg)
        leg.emit(TransferProgress(1, 200, final=True))
        s.loop.pass_seconds(0.1)

        assert ("routed", "energie") == (s.end().outcome, s.end().group)
        assert {"timeout", "abandoned"} == {result for _, _, result, _ in results(s)}
        assert "hang_up" in leg.names()


def test_bridge_that_connects_a_moment_too_late_is_a_conversation() -> None:
    """
    The audio is joined already: no closing message is said over it.
    """
    with stage(bridged(RULES)) as s:
        s.telephony.transfers = {uri("energie"): (), uri("algemeen"): ()}
        leg = s.incoming()
        leg.finishes_playing = True
        s.say(leg, ENERGY)
        leg.finishes_playing = False
        s.loop.pass_seconds(10.0)
        assert "announcing" == s.state()
        leg.emit(TransferProgress(1, 200, final=True))
        s.loop.pass_seconds(0.1)

        assert "bridged" == s.state()
        assert "stop_playing" == leg.names()[-1]
        leg.emit(TargetHungUp(1))
        s.loop.pass_seconds(0.1)
        assert ("routed", "energie") == (s.end().outcome, s.end().group)


def test_bridged_voorlichter_hangs_up() -> None:
    """
    The caller's leg is ended too; another attempt's voorlichter has no say in it.
    """
    with stage(bridged(RULES)) as s:
        leg = s.incoming()
        s.say(leg, ENERGY)
        leg.emit(TargetHungUp(7))
        s.loop.pass_seconds(0.1)
        assert "bridged" == s.state()
        leg.emit(TargetHungUp(1))
        s.loop.pass_seconds(0.1)

        assert "hang_up" == leg.names()[-1]
        assert [("routed", "bridge_ended")] == s.observer.outcomes


def test_method_of_each_target_is_used() -> None:
    """
    REFER and bridge as configured.
    """
    rules = replace(
        RULES,
        targets={
            "energie": (Target(uri("energie"), Method.BRIDGE),),
            "algemeen": (Target(uri("algemeen"), Method.REFER),),
        },
    )
    with stage(rules) as s:
        s.telephony.transfers = {uri("energie"): ((486, True),)}
        leg = s.incoming()
        s.say(leg, ENERGY)
        methods = [c.arguments["method"] for c in leg.commands if c.name == "transfer"]

        assert [TransferMethod.BRIDGE, TransferMethod.REFER] == methods


def test_callers_time_with_us_is_bounded() -> None:
    """
    Whoever is still being asked after the limit is put through.
    """
    rules = replace(RULES, timers=replace(RULES.timers, call_seconds=3.0))
    with stage(rules) as s:
        leg = s.incoming()
        s.loop.pass_seconds(3.0)

        assert [uri("algemeen")] == s.targets(leg)
        assert [("call_limit", "human")] == [
            (r.decided_by, r.action) for r in s.records(DecisionTaken)
        ]


# --- the caller hangs up -------------------------------------------------------------------------


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


# --- our own side breaks -------------------------------------------------------------------------


class BrokenLeg(FakeLeg):
    """A leg of which some commands raise."""

    broken: frozenset[str] = frozenset()

    def _note(self, name: str, **arguments: object) -> bool:
        if name in self.broken:
            raise RuntimeError(f"{name} broke")
        return super()._note(name, **arguments)


def broken_leg(s: Stage, *names: str) -> BrokenLeg:
    """Let somebody call on a leg that breaks."""
    leg = BrokenLeg(
        s.telephony,
        line="1700",
        caller=CALLER,
        sip_call_id="broken",
        codecs_in_common=True,
        slot=77,
    )
    leg.broken = frozenset(names)
    s.telephony.legs.append(leg)
    s.engine.offered(leg)
    s.loop.pass_seconds(0.1)
    return leg


def test_leg_that_cannot_play_leads_to_the_general_group_at_once() -> None:
    """
    Nobody listens to silence until a guard of a minute runs out.
    """
    with stage() as s:
        leg = broken_leg(s, "play")

        assert [uri("algemeen")] == s.targets(leg)
        assert s.loop.time() < 1.0
        assert "action" in s.observer.failures
        assert "routed" == s.end().outcome


def test_leg_that_cannot_play_on_a_closed_line_ends_at_once() -> None:
    """
    There is nobody to put the caller through to, and nothing to wait for.
    """
    with stage(is_open=lambda _: False) as s:
        leg = broken_leg(s, "play")

        assert "unrouted" == s.end().outcome
        assert s.loop.time() < 1.0
        assert "hang_up" in leg.names()


def test_leg_that_cannot_transfer_ends_with_a_closing_message() -> None:
    """
    Every attempt fails at once and is recorded as failed.
    """
    with stage() as s:
        leg = broken_leg(s, "transfer")
        s.say(leg, ENERGY)

        assert ["closing", "goodbye"] == s.heard(leg)[-2:]
        assert ["failed", "failed", "failed"] == [result for _, _, result, _ in results(s)]
        assert "unrouted" == s.end().outcome


def test_leg_that_cannot_answer_is_given_up() -> None:
    """
    After the time that audio may take to come.
    """
    with stage() as s:
        leg = broken_leg(s, "answer")
        s.loop.pass_seconds(10.0)

        assert "media_failed" == s.end().outcome
        assert "hang_up" == leg.names()[-1]


@pytest.mark.parametrize("name", ["hang_up", "stop_playing", "abandon_transfer", "refuse"])
def test_other_commands_that_break_lose_no_record(name: str) -> None:
    """
    A leg that does not say that it is gone is forgotten after a while.
    """
    with stage() as s:
        s.telephony.transfers = {uri("energie"): ()}
        leg = broken_leg(s, name)
        leg.finishes_playing = name != "stop_playing"
        s.say(leg, ENERGY)
        s.loop.pass_seconds(200.0)

        assert "routed" == s.end().outcome


def test_refusal_that_cannot_be_sent_is_recorded() -> None:
    """
    The status that we wanted to send is in the record.
    """
    with stage(ready=False) as s:
        broken_leg(s, "refuse")

        assert ("refused", 503) == (s.end().outcome, s.end().sip_status)


def test_ears_that_break_lead_to_the_general_group() -> None:
    """
    And the turn's recogniser is given back (see finish).
    """
    with stage() as s:
        leg = s.incoming()
        s.ears.take_error = RuntimeError("no audio")
        s.say(leg, ENERGY)

        assert [uri("algemeen")] == s.targets(leg)
        assert "action" in s.observer.failures


def test_prompt_book_that_breaks_leads_to_the_general_group() -> None:
    """
    Not only a recording that is missing: whatever it raises.
    """
    with stage() as s:
        s.prompts.error = KeyError("thema")
        leg = s.incoming()

        assert [uri("algemeen")] == s.targets(leg)
        assert s.loop.time() < 1.0


class BrokenCosts(dict[str, float]):
    """A mapping that stands for a bug in the machine."""

    def get(self, *_: object) -> float:
        raise ZeroDivisionError("bug")


def test_bug_in_the_machine_costs_a_transfer_not_the_call() -> None:
    """
    The call stays alive: counted, and the caller goes to the general group.
    """
    rules: CallRules = replace(RULES, costs=Costs(misroute_seconds_by_thema=BrokenCosts()))
    with stage(rules) as s:
        leg = s.incoming()
        s.say(leg, ENERGY, partials=("zonnepanelen",))

        assert [uri("algemeen")] == s.targets(leg)
        assert ["machine"] == s.observer.failures
        assert 1 == s.pool.partial_failures


def test_leg_that_never_says_it_is_gone_is_forgotten() -> None:
    """
    The engine keeps nothing of it, and a drain does not wait for it.
    """
    with stage() as s:
        leg = s.incoming()
        leg.answers = False
        leg.emit(MediaLost())
        s.loop.pass_seconds(0.1)
        assert "media_failed" == s.end().outcome
        began = s.loop.time()

        assert 0 == s.loop.run(s.engine.drain(60.0))
        assert s.loop.time() - began < 11.0
        leg.emit(HungUp(200, by_us=True))
        s.loop.pass_seconds(0.1)
        assert 1 == len(s.records(CallEnded))
