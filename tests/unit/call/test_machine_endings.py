"""Transfers, bridges, closed lines and callbacks: how calls end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.call import actions as act
from ivr.call import events as ev
from ivr.call.prompts import Prompt
from ivr.call.rules import Target, TransferMethod
from ivr.call.states import CallState, Outcome
from tests.unit.call.machine import BRIDGES, RULES, Talk, call_in, uri

TIMERS = RULES.timers


# --- transferring --------------------------------------------------------------------------------

THREE = replace(
    RULES,
    targets={
        "energie": (Target(uri("energie", 1)), Target(uri("energie", 2))),
        "algemeen": (Target(uri("algemeen", 1)),),
    },
)


def give_up(talk: Talk) -> None:
    """Let every wait run out until nothing is left to try."""
    for _ in range(40):
        if talk.state not in (CallState.ANNOUNCING, CallState.TRANSFERRING):
            return
        talk.timeout()
    raise AssertionError("never gives up")


def test_everything_is_tried_in_order_and_then_closed() -> None:
    """
    The group's targets, the general group, a bridge to it, the closing message.
    """
    talk = call_in(CallState.ANNOUNCING, THREE)
    give_up(talk)
    tried = [
        (t.attempt.number, t.attempt.target.uri, t.attempt.target.method) for t in talk.tried()
    ]

    assert [
        (1, uri("energie", 1), TransferMethod.REFER),
        (2, uri("energie", 2), TransferMethod.REFER),
        (3, uri("algemeen"), TransferMethod.REFER),
        (4, uri("algemeen"), TransferMethod.BRIDGE),
    ] == tried
    assert [1, 2, 3, 4] == [a.attempt for a in talk.actions if isinstance(a, act.AbandonTransfer)]
    assert [Prompt.NEXT_GROUP, Prompt.CLOSING, Prompt.GOODBYE] == [
        p.prompt for p in talk.said()[-3:]
    ]
    talk.prompt_finished()
    assert (Outcome.UNROUTED, "nobody_reachable") == (talk.end().outcome, talk.end().reason)


def test_refused_transfer_is_not_abandoned_too() -> None:
    """
    It is over; the next one follows without a word within the same group.
    """
    talk = call_in(CallState.TRANSFERRING, THREE)
    before = len(talk.said())
    actions = talk.send(ev.TransferFailed(attempt=1))

    assert [] == [a for a in actions if isinstance(a, act.AbandonTransfer)]
    assert [2] == [a.attempt.number for a in actions if isinstance(a, act.Transfer)]
    assert before == len(talk.said())


def test_acceptance_prolongs_the_wait_once() -> None:
    """
    To the longest time in the queue; ringing again prolongs nothing.
    """
    talk = call_in(CallState.TRANSFERRING)
    assert act.StartTimer(seconds=10.0, epoch=talk.epoch) in talk.actions

    assert [act.StartTimer(seconds=600.0, epoch=talk.epoch)] == talk.send(
        ev.TransferAccepted(attempt=1)
    )
    assert [] == talk.send(ev.TransferAccepted(attempt=1))
    assert [] == talk.send(ev.TransferAccepted(attempt=99))


@pytest.mark.parametrize("accepted", [True, False])
def test_hang_up_during_a_transfer(accepted: bool) -> None:
    """
    After the 202 nobody knows; before it the caller gave up.
    """
    talk = call_in(CallState.TRANSFERRING)
    if accepted:
        talk.send(ev.TransferAccepted(attempt=1))
    talk.send(ev.CallerHungUp())
    expected = Outcome.TRANSFER_UNCONFIRMED if accepted else Outcome.ABANDONED

    assert expected is talk.end().outcome


def test_accepted_and_failed_is_not_unconfirmed() -> None:
    """
    NOTIFY 404 after 202: the caller is still ours, and his hanging up is his own.
    """
    talk = call_in(CallState.TRANSFERRING, THREE)
    talk.send(ev.TransferAccepted(attempt=1), ev.TransferFailed(attempt=1), ev.CallerHungUp())

    assert Outcome.ABANDONED is talk.end().outcome


def test_ringing_bridge_that_was_cancelled_leaves_nothing_unconfirmed() -> None:
    """
    It cannot reach the caller behind our back.
    """
    talk = call_in(CallState.TRANSFERRING, BRIDGES)
    talk.send(ev.TransferAccepted(attempt=1), ev.CallerHungUp())

    assert Outcome.ABANDONED is talk.end().outcome


def test_failure_of_an_older_attempt_is_no_news() -> None:
    """
    The current one goes on.
    """
    talk = call_in(CallState.TRANSFERRING, THREE)
    talk.send(ev.TransferAccepted(attempt=1))
    talk.timeout()

    assert [] == talk.send(ev.TransferFailed(attempt=1))
    assert CallState.TRANSFERRING is talk.state
    talk.send(ev.CallerHungUp())
    assert Outcome.ABANDONED is talk.end().outcome


@pytest.mark.parametrize(
    "state", [CallState.TRANSFERRING, CallState.ANNOUNCING, CallState.CLOSING, CallState.CALLBACK]
)
def test_late_success_wins(state: CallState) -> None:
    """
    The first target took the caller after all, whatever we are doing since.
    """
    talk = call_in(CallState.TRANSFERRING, THREE, can_call_back=True)
    talk.send(ev.TransferAccepted(attempt=1))
    while talk.state is not state or not talk.tried()[1:]:
        if talk.state is CallState.CLOSING:
            talk.send(ev.Digit("1"))
        else:
            talk.timeout()
    actions = talk.send(ev.TransferSucceeded(attempt=1))

    assert act.HangUp() in actions
    assert (Outcome.ROUTED, "energie") == (talk.end().outcome, talk.end().group)


def test_bridge_connects_and_lasts_until_somebody_hangs_up() -> None:
    """
    The conversation has a bound of hours.
    """
    talk = call_in(CallState.BRIDGED, BRIDGES)
    bound = act.StartTimer(seconds=TIMERS.bridged_seconds, epoch=talk.epoch)

    assert bound in talk.actions
    assert [] == talk.send(ev.Digit("0"), ev.MediaLost(), ev.CallLimitReached())
    assert [] == talk.send(ev.TargetHungUp(attempt=9))
    assert act.HangUp() in talk.send(ev.TargetHungUp(attempt=1))
    assert (Outcome.ROUTED, "bridge_ended") == (talk.end().outcome, talk.end().reason)


def test_caller_ends_the_conversation() -> None:
    """
    Nothing is sent to a leg that is gone.
    """
    talk = call_in(CallState.BRIDGED, BRIDGES)

    assert act.HangUp() not in talk.send(ev.CallerHungUp())
    assert Outcome.ROUTED is talk.end().outcome


@pytest.mark.parametrize("state", [CallState.ANNOUNCING, CallState.CLOSING])
def test_bridge_that_connects_too_late_is_a_conversation(state: CallState) -> None:
    """
    The audio is joined already.
    """
    talk = call_in(CallState.TRANSFERRING, BRIDGES)
    while talk.state is not state:
        talk.timeout()
    number = len(talk.tried())
    actions = talk.send(ev.TransferSucceeded(attempt=number))

    assert CallState.BRIDGED is talk.state
    assert act.StopPrompt() in actions
    talk.send(ev.TargetHungUp(attempt=number))
    expected = "energie" if state is CallState.ANNOUNCING else "algemeen"
    assert expected == talk.end().group


def test_group_without_any_target_closes() -> None:
    """
    A configuration without targets strands nobody.
    """
    talk = call_in(CallState.ANNOUNCING, replace(RULES, targets={}))
    talk.prompt_finished()

    assert CallState.CLOSING is talk.state


def test_success_of_an_unknown_attempt_is_no_success() -> None:
    """
    A number that we never gave out.
    """
    talk = call_in(CallState.TRANSFERRING)

    assert [] == talk.send(ev.TransferSucceeded(attempt=42))
    assert CallState.TRANSFERRING is talk.state


# --- closed, closing, callback -------------------------------------------------------------------


@pytest.mark.parametrize("state", [CallState.CLOSED, CallState.CLOSING])
def test_callback_is_offered_only_when_possible(state: CallState) -> None:
    """
    Otherwise key 1 means nothing, and the message ends the call.
    """
    without = call_in(state)
    assert Prompt.CALLBACK_OFFER not in [p.prompt for p in without.said()]
    assert [] == without.send(ev.Digit("1"))
    without.prompt_finished()
    assert Outcome.UNROUTED is without.end().outcome

    with_offer = call_in(state, can_call_back=True)
    assert Prompt.CALLBACK_OFFER is with_offer.said()[-1].prompt
    waiting = act.StartTimer(seconds=TIMERS.menu_seconds, epoch=with_offer.epoch)
    assert [waiting] == with_offer.prompt_finished()
    actions = with_offer.send(ev.Digit("1"))
    assert act.NoteCallback() in actions
    with_offer.prompt_finished()
    assert Outcome.CALLBACK is with_offer.end().outcome


@pytest.mark.parametrize("event", [ev.CallerHungUp(), ev.MediaLost(), ev.CallerHungUp(by_us=True)])
def test_callback_that_was_asked_for_is_kept(event: ev.Event) -> None:
    """
    However the call ends then.
    """
    talk = call_in(CallState.CALLBACK, can_call_back=True)
    talk.send(event)

    assert Outcome.CALLBACK is talk.end().outcome


def test_closed_line_says_why() -> None:
    """
    "closed", not "nobody reachable".
    """
    talk = call_in(CallState.CLOSED)
    talk.prompt_finished()

    assert (Outcome.UNROUTED, "closed") == (talk.end().outcome, talk.end().reason)
    assert [] == talk.tried()
