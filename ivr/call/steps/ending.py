"""Transfers, closing messages and every way a call ends: guards and steps."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.call import actions as act
from ivr.call import events as ev
from ivr.call.actions import Action
from ivr.call.events import Event
from ivr.call.facts import Facts
from ivr.call.prompts import Prompt
from ivr.call.rules import TransferMethod
from ivr.call.states import Outcome
from ivr.call.steps.common import Step, digit, rearm, say


def transfer_accepted_before(facts: Facts, event: Event) -> bool:
    """After an accepted transfer."""
    return bool(facts.unconfirmed)


def _ended_by_caller(outcome: Outcome, broken: Outcome) -> Step:
    """Return the step; ``broken`` is the outcome when not the caller but our side ended it."""
    reason = "caller_hung_up"

    def step(facts: Facts, event: Event) -> Iterator[Action]:
        facts.outcome, facts.reason = outcome, reason
        if isinstance(event, ev.CallerHungUp) and event.by_us:
            facts.outcome, facts.reason = broken, "leg_failed"
        yield from ()

    step.__doc__ = f"The caller left: {outcome.value}."
    return step


end_unanswered = _ended_by_caller(Outcome.ABANDONED, Outcome.REFUSED)
end_abandoned = _ended_by_caller(Outcome.ABANDONED, Outcome.MEDIA_FAILED)
end_unconfirmed = _ended_by_caller(Outcome.TRANSFER_UNCONFIRMED, Outcome.TRANSFER_UNCONFIRMED)
end_left_closed = _ended_by_caller(Outcome.UNROUTED, Outcome.UNROUTED)
end_callback_noted = _ended_by_caller(Outcome.CALLBACK, Outcome.CALLBACK)


def end_talked(facts: Facts, event: Event) -> Iterator[Action]:
    """The conversation through the bridge is over."""
    facts.outcome = Outcome.MENU_ROUTED if facts.via_menu else Outcome.ROUTED
    facts.reason = "bridge_ended"
    if not isinstance(event, ev.CallerHungUp):
        yield act.HangUp()


def heading_elsewhere(facts: Facts, event: Event) -> bool:
    """Key 0, while heading for a thema's group."""
    return digit(event) == "0" and facts.group != facts.rules.general


def has_attempt(facts: Facts, event: Event) -> bool:
    """There is a target to try."""
    return bool(facts.plan)


def _current(facts: Facts, event: Event) -> bool:
    if isinstance(event, ev.TimerExpired):
        return True
    return isinstance(event, ev.TransferFailed) and facts.attempt(event.attempt) is not None


def failed_and_same_group_left(facts: Facts, event: Event) -> bool:
    """The group has another target."""
    return (
        _current(facts, event)
        and len(facts.plan) > 1
        and facts.plan[1].group == facts.plan[0].group
    )


def failed_and_other_group_left(facts: Facts, event: Event) -> bool:
    """Only the general group is left."""
    return _current(facts, event) and len(facts.plan) > 1


def failed_for_good(facts: Facts, event: Event) -> bool:
    """Nothing is left to try."""
    return _current(facts, event)


def next_attempt(facts: Facts, event: Event) -> Iterator[Action]:
    """Drop the current attempt; the next one follows."""
    current = facts.plan[0]
    facts.plan = facts.plan[1:]
    if isinstance(event, ev.TransferFailed):
        facts.unconfirmed.discard(event.attempt)
    else:
        if current.target.method is TransferMethod.BRIDGE:
            facts.unconfirmed.discard(current.number)
        yield act.AbandonTransfer(attempt=current.number)
    if facts.plan and facts.plan[0].group != current.group:
        facts.group = facts.plan[0].group
        facts.say = say(Prompt.NEXT_GROUP)


def forget_failed(facts: Facts, event: Event) -> Iterator[Action]:
    """An earlier attempt's failure changes nothing."""
    assert isinstance(event, ev.TransferFailed)
    facts.unconfirmed.discard(event.attempt)
    yield from ()


def is_current(facts: Facts, event: Event) -> bool:
    """Of the current attempt."""
    return isinstance(event, ev.TransferAccepted) and facts.attempt(event.attempt) is not None


def keep_waiting(facts: Facts, event: Event) -> Iterator[Action]:
    """Accepted; silence is normal for the whole queue wait, within its bound."""
    assert isinstance(event, ev.TransferAccepted)
    # A bridge that rings is ours to cancel: it cannot reach the caller behind our back.
    if facts.plan[0].target.method is TransferMethod.REFER:
        facts.unconfirmed.add(event.attempt)
    yield from rearm(facts, facts.plan[0].target.wait_seconds)


def bridge_connected(facts: Facts, event: Event) -> bool:
    """The current attempt, a bridge."""
    if not isinstance(event, ev.TransferSucceeded):
        return False
    attempt = facts.attempt(event.attempt)
    return attempt is not None and attempt.target.method is TransferMethod.BRIDGE


def reached_by_refer(facts: Facts, event: Event) -> bool:
    """Of any REFER, however late."""
    if not isinstance(event, ev.TransferSucceeded) or event.attempt not in facts.tried:
        return False
    return facts.tried[event.attempt].target.method is TransferMethod.REFER


def connected_late(facts: Facts, event: Event) -> bool:
    """Of a bridge that was given up on a moment too late."""
    if not isinstance(event, ev.TransferSucceeded) or event.attempt not in facts.tried:
        return False
    return facts.tried[event.attempt].target.method is TransferMethod.BRIDGE


def connect(facts: Facts, event: Event) -> Iterator[Action]:
    """Caller and voorlichter talk through us."""
    assert isinstance(event, ev.TransferSucceeded)
    facts.group = facts.tried[event.attempt].group
    facts.bridged = event.attempt
    yield from ()


def of_the_bridge(facts: Facts, event: Event) -> bool:
    """Of the voorlichter who talks."""
    return isinstance(event, ev.TargetHungUp) and event.attempt == facts.bridged


def end_routed(facts: Facts, event: Event) -> Iterator[Action]:
    """The target has the caller; a late success of an earlier attempt counts too."""
    assert isinstance(event, ev.TransferSucceeded)
    facts.outcome = Outcome.MENU_ROUTED if facts.via_menu else Outcome.ROUTED
    facts.reason = "transferred"
    facts.group = facts.tried[event.attempt].group
    yield act.HangUp()


def wants_callback(facts: Facts, event: Event) -> bool:
    """Key 1, and we can call back."""
    return facts.can_call_back and digit(event) == "1"


def can_call_back(facts: Facts, event: Event) -> bool:
    """A callback was offered."""
    return facts.can_call_back


def end_unrouted(facts: Facts, event: Event) -> Iterator[Action]:
    """The closing message was heard; goodbye."""
    facts.outcome = Outcome.UNROUTED
    facts.reason = "nobody_reachable" if facts.open else "closed"
    yield act.HangUp()


def end_callback(facts: Facts, event: Event) -> Iterator[Action]:
    """The callback is noted and said."""
    facts.outcome, facts.reason = Outcome.CALLBACK, "asked"
    yield act.HangUp()
