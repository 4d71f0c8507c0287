"""Transfers as they end: next targets, callbacks, bridges, late news."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.call.rules import Target
from ivr.ports import (
    DigitPressed,
    TargetHungUp,
    TransferMethod,
    TransferProgress,
)
from ivr.ports.records import DecisionTaken
from tests.unit.engine.stage import CALLER, ENERGY, RULES, bridged, results, stage, uri

TWO_TARGETS = replace(
    RULES,
    targets={
        "energie": (Target(uri("energie", 1)), Target(uri("energie", 2))),
        "algemeen": (Target(uri("algemeen")),),
    },
)


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
            "energie": (Target(uri("energie"), TransferMethod.BRIDGE),),
            "algemeen": (Target(uri("algemeen"), TransferMethod.REFER),),
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
