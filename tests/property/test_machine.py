"""The invariants of the call machine, whatever callers, networks and components do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.call import actions as act
from ivr.call import events as ev
from ivr.call.machine import CallMachine, UndeclaredEventError
from ivr.call.policy import Decision, DecisionAction, decide
from ivr.call.prompts import Prompt
from ivr.call.ranking import RankedThema
from ivr.call.rules import CallRules, Mode, Target, TransferMethod
from ivr.call.states import CallState, Outcome
from ivr.call.table import CONSIDERED, TABLE, rows_for

THEMAS = ("belastingen", "energie", "mobiliteit", "onderwijs", "welzijn-zorg")
LABELS = (*THEMAS, "mens", "buiten-bereik", "andere-taal")
STEPS_MOST = 60
"""More timeouts than any call can take: prompts, retries and eight transfers included."""

Kind = TypeVar("Kind", bound=act.Action)


@dataclass
class Observed:
    """What the engine would have seen of one call."""

    machine: CallMachine
    actions: list[act.Action] = field(default_factory=list)
    events: list[ev.Event] = field(default_factory=list)
    timer_epoch: int | None = None
    timers_of_epoch: dict[int, int] = field(default_factory=dict)

    def send(self, event: ev.Event) -> list[act.Action]:
        self.events.append(event)
        actions = self.machine.handle(event)
        for action in actions:
            if isinstance(action, act.StartTimer):
                self.timer_epoch = action.epoch
                self.timers_of_epoch[action.epoch] = self.timers_of_epoch.get(action.epoch, 0) + 1
            elif isinstance(action, act.CancelTimer):
                self.timer_epoch = None
        self.actions += actions
        return actions

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [action for action in self.actions if isinstance(action, kind)]

    def time_out(self) -> None:
        assert self.timer_epoch is not None, f"no timer runs in {self.machine.state}"
        self.send(ev.TimerExpired(epoch=self.timer_epoch))


@st.composite
def rankings(draw: st.DrawFn) -> tuple[RankedThema, ...]:
    weights = draw(st.lists(st.floats(0.001, 1.0), min_size=len(LABELS), max_size=len(LABELS)))
    power = draw(st.sampled_from([1, 8, 40]))
    weights = [weight**power + 1e-9 for weight in weights]
    total = sum(weights)
    ranked = [RankedThema(t, min(1.0, w / total)) for t, w in zip(LABELS, weights, strict=True)]
    return tuple(sorted(ranked, key=lambda r: -r.probability))


def rules_of(draw: st.DrawFn) -> CallRules:
    method = st.sampled_from(list(TransferMethod))
    targets = {
        group: tuple(
            Target(f"sip:{group}{n}@acd.invalid", draw(method))
            for n in range(draw(st.integers(0, 3)))
        )
        for group in (*THEMAS, "algemeen")
    }
    return CallRules(
        groups={thema: thema for thema in THEMAS},
        targets=targets,
        busiest=THEMAS,
        mode=draw(st.sampled_from(list(Mode))),
        barge_in=draw(st.booleans()),
        repeats_most=draw(st.integers(0, 2)),
        no_input_most=draw(st.integers(0, 2)),
        menu_replays_most=draw(st.integers(0, 2)),
    )


def next_event(draw: st.DrawFn, call: Observed) -> ev.Event:
    """Anything that the engine may send to a machine in this state."""
    machine = call.machine
    tried = [a.attempt.number for a in call.actions if isinstance(a, act.Transfer)]
    expected: list[ev.Event] = []
    if call.timer_epoch is not None:
        expected.append(ev.TimerExpired(epoch=call.timer_epoch))
    if machine.state is CallState.ANSWERING:
        expected += [ev.MediaReady()] * 9
    elif machine.state is CallState.LISTENING:
        expected += [ev.SpeechStarted(), ev.UtteranceEnded()]
    elif machine.state is CallState.MENU:
        expected += [
            ev.Digit(draw(st.sampled_from("12345*"))),
            ev.PromptFinished(epoch=machine.epoch),
        ]
    elif machine.state is CallState.TRANSFERRING:
        expected += [
            ev.TransferAccepted(attempt=tried[-1]),
            ev.TransferFailed(attempt=tried[-1]),
            ev.TransferSucceeded(attempt=tried[-1]),
        ]
    elif machine.state is CallState.CONFIRMING:
        expected += [ev.UtteranceEnded(), ev.SpeechStarted(), ev.Digit(draw(st.sampled_from("12")))]
    elif machine.state in (CallState.CLOSED, CallState.CLOSING):
        expected.append(ev.Digit("1"))
    for action in call.actions:
        if isinstance(action, act.Recognise) and action.epoch == machine.epoch:
            if machine.state is CallState.DECIDING:
                ranking = draw(st.one_of(st.just(()), rankings(), rankings()))
                confidence = draw(st.floats(0.0, 1.0))
                expected += [
                    ev.ThemaRanked(epoch=action.epoch, ranking=ranking, confidence=confidence)
                ] * 3
            else:
                answer = draw(st.sampled_from(list(ev.Answer)))
                expected += [ev.AnswerHeard(epoch=action.epoch, answer=answer)] * 2
    if any(isinstance(a, act.PlayPrompt) and a.epoch == machine.epoch for a in call.actions):
        expected.append(ev.PromptFinished(epoch=machine.epoch))
    if draw(st.integers(0, 9)) and expected:
        return draw(st.sampled_from(expected))
    odd: list[ev.Event] = [ev.Digit(draw(st.sampled_from("0123459*#")))]
    odd += [ev.PromptFinished(epoch=machine.epoch - 1), ev.TimerExpired(epoch=machine.epoch - 1)]
    odd += [ev.CallLimitReached(), ev.ComponentFailed()]
    if machine.state is not CallState.OFFERED:
        odd += [ev.MediaReady(), ev.SpeechStarted(), ev.UtteranceEnded()]
    for number in tried:
        odd += [
            ev.TransferAccepted(attempt=number),
            ev.TransferFailed(attempt=number),
            ev.TargetHungUp(attempt=number),
            ev.TransferSucceeded(attempt=number),
        ]
    if not draw(st.integers(0, 3)):
        odd = [ev.CallerHungUp(), ev.MediaLost()]
    return draw(st.sampled_from(odd))


@st.composite
def next_events(draw: st.DrawFn, call: Observed) -> ev.Event:
    return next_event(draw, call)


@st.composite
def calls(draw: st.DrawFn, most: int = 60) -> Observed:
    """A call of any rules, admitted or not, after any history."""
    call = Observed(CallMachine(rules_of(draw)))
    admitted = draw(st.integers(0, 9))
    admission = ev.Admission.ADMITTED if admitted else draw(st.sampled_from(list(ev.Admission)))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1]))):
        early: list[ev.Event] = [ev.Digit("1"), ev.MediaLost(), ev.CallLimitReached()]
        call.send(draw(st.sampled_from(early)))
    call.send(
        ev.Offered(
            admission=admission,
            open=draw(st.integers(0, 5)) > 0,
            can_call_back=draw(st.booleans()),
        )
    )
    for _ in range(draw(st.one_of(st.integers(0, 14), st.integers(4, 14), st.just(most)))):
        call.send(next_event(draw, call))
    return call


@given(calls())
def test_timeouts_alone_end_every_call(call: Observed) -> None:
    """
    Whatever came before, silence leads to exactly one outcome.
    """
    for _ in range(STEPS_MOST):
        if call.machine.state is CallState.ENDED:
            break
        call.time_out()

    assert CallState.ENDED is call.machine.state
    assert 1 == len(call.of(act.End))


@given(calls(), st.data())
def test_exactly_one_outcome(call: Observed, data: st.DataObject) -> None:
    """
    An outcome is given once, at the end, and nothing that comes later changes it.
    """
    for _ in range(STEPS_MOST):
        if call.machine.state is CallState.ENDED:
            break
        call.time_out()
    outcome = call.machine.outcome
    for _ in range(10):
        late = call.send(data.draw(next_events(call)))

        assert [] == late
    assert 1 == len(call.of(act.End))
    assert outcome is call.machine.outcome is not None


@given(calls(most=200))
def test_prompts_retries_and_transfers_are_bounded(call: Observed) -> None:
    """
    No history makes us speak, ask or transfer without end, or a wait be prolonged twice.
    """
    rules = call.machine.rules
    prompts = (
        6 + rules.repeats_most + rules.no_input_most + rules.menu_replays_most + rules.attempts_most
    )

    assert len(call.of(act.PlayPrompt)) <= prompts
    assert len(call.of(act.Transfer)) <= rules.attempts_most
    assert all(count <= 2 for count in call.timers_of_epoch.values())


@given(calls())
def test_nobody_is_left_without_a_human_or_a_closing_message(call: Observed) -> None:
    """
    Who stays on the line is put through, or hears why not; who was never answered is refused.
    """
    for _ in range(STEPS_MOST):
        if call.machine.state is CallState.ENDED:
            break
        call.time_out()
    left = {type(event) for event in call.events} & {ev.CallerHungUp, ev.MediaLost}
    outcome = call.machine.outcome
    heard = {p.prompt for a in call.of(act.PlayPrompt) for p in a.prompts}

    if outcome in (Outcome.ROUTED, Outcome.MENU_ROUTED):
        assert any(isinstance(event, ev.TransferSucceeded) for event in call.events)
    elif outcome in (Outcome.UNROUTED, Outcome.CALLBACK):
        assert heard & {Prompt.CLOSED, Prompt.CLOSING}
    elif outcome is Outcome.REFUSED:
        assert 1 == len(call.of(act.Refuse))
    elif outcome is Outcome.MEDIA_FAILED:
        assert ev.MediaLost in left or not heard
    else:
        assert ev.CallerHungUp in left


@given(calls(), st.integers(1, 8))
def test_late_success_of_an_earlier_transfer_wins(call: Observed, number: int) -> None:
    """
    A REFER that reached its target ends the call as routed, whatever was tried since.
    """
    tried = {a.attempt.number: a.attempt for a in call.of(act.Transfer)}
    states = (CallState.ANNOUNCING, CallState.TRANSFERRING, CallState.CLOSING, CallState.CALLBACK)
    attempt = tried.get(number)
    if attempt is None or attempt.target.method is not TransferMethod.REFER:
        return
    if call.machine.state not in states:
        return

    actions = call.send(ev.TransferSucceeded(attempt=number))

    assert act.HangUp() in actions
    end = actions[-1]
    assert isinstance(end, act.End)
    assert end.outcome in (Outcome.ROUTED, Outcome.MENU_ROUTED)
    assert attempt.group == end.group


@given(calls())
def test_a_human_is_one_key_away(call: Observed) -> None:
    """
    Key 0 leads to the general group from every state in which we are asking.
    """
    asking = (
        CallState.GREETING,
        CallState.PROMPTING,
        CallState.LISTENING,
        CallState.DECIDING,
        CallState.CONFIRMING,
        CallState.MENU,
    )
    if call.machine.state not in asking:
        return

    actions = call.send(ev.Digit("0"))

    assert CallState.ANNOUNCING is call.machine.state
    assert any(
        isinstance(a, act.PlayPrompt) and a.prompts[0].prompt is Prompt.ANNOUNCE_GENERAL
        for a in actions
    )


@given(calls(), st.integers(1, 5))
def test_reply_of_an_older_state_entry_is_dropped_and_counted(call: Observed, age: int) -> None:
    """
    A reply whose asker was left changes nothing.
    """
    machine = call.machine
    before, state, epoch = machine.stale_replies, machine.state, machine.epoch

    actions = machine.handle(ev.TimerExpired(epoch=epoch - age))

    assert [] == actions
    assert (before + 1, state, epoch) == (machine.stale_replies, machine.state, machine.epoch)


def test_every_signal_is_declared_in_every_state() -> None:
    """
    What comes unasked can come at any moment, so every state has a row that always holds.
    """
    signals = (ev.Digit, ev.CallerHungUp, ev.MediaLost, ev.CallLimitReached, ev.ComponentFailed)
    with_audio = (ev.MediaReady, ev.SpeechStarted, ev.UtteranceEnded)
    missing = []
    for state in CallState:
        wanted = signals if state is CallState.OFFERED else (*signals, *with_audio)
        for event in wanted:
            rows = rows_for(state, event)
            if not rows or all(row.when is not None for row in rows):
                missing.append((state, event.__name__))

    assert [] == missing


def test_no_row_can_never_be_reached() -> None:
    """
    Behind a row that always holds, a second row of the same pair would be dead.
    """
    seen: set[tuple[CallState, type[ev.Event], DecisionAction | None]] = set()
    dead = []
    for row in TABLE:
        pair = (row.state, row.event)
        if {(*pair, None), (*pair, row.action)} & seen:
            dead.append((row.state, row.event.__name__, row.do.__name__))
        if row.when is None:
            seen.add((*pair, row.action))

    assert [] == dead


def test_undeclared_event_raises_and_changes_nothing() -> None:
    """
    An event that the table does not know is our bug: the machine stays as it was.
    """
    machine = CallMachine(CallRules(groups={}, targets={}))

    with pytest.raises(UndeclaredEventError) as raised:
        machine.handle(ev.AnswerHeard(epoch=0, answer=ev.Answer.YES))

    assert "AnswerHeard" == raised.value.event_name
    assert (CallState.OFFERED, 0) == (machine.state, machine.epoch)


def test_every_answer_of_the_policy_has_its_row() -> None:
    """
    Whatever it says to a ranking leads somewhere, and it is asked only where a row looks at it.
    """
    deciding = {row.action for row in rows_for(CallState.DECIDING, ev.ThemaRanked)}
    looked_at = {(row.state, row.event) for row in TABLE if row.action is not None}

    assert set(DecisionAction) <= deciding
    assert looked_at == set(CONSIDERED)


@given(calls(most=100))
def test_the_policy_is_asked_once_a_ranking(call: Observed) -> None:
    """
    However many rows look at its answer: once for a question, and once more after a no.
    """
    asked: list[int] = []

    def policy(*args: Any, **how: Any) -> Decision:
        asked.append(1)
        return decide(*args, **how)

    machine = CallMachine(call.machine.rules, policy)
    for event in call.events:
        asked.clear()
        state, stale = machine.state, machine.stale_replies
        machine.handle(event)
        ranked = isinstance(event, ev.ThemaRanked) and machine.stale_replies == stale

        assert len(asked) <= ((state, type(event)) in CONSIDERED)
        assert len(asked) == 1 or not ranked
    assert call.machine.outcome is machine.outcome
