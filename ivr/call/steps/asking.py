"""From the INVITE to an understood question: guards and steps."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.call import actions as act
from ivr.call import events as ev
from ivr.call.actions import Action
from ivr.call.events import Event
from ivr.call.facts import Facts
from ivr.call.policy import Decision, Policy
from ivr.call.prompts import Prompt
from ivr.call.rules import Mode
from ivr.call.states import Outcome
from ivr.call.steps.common import plan_for, rearm, say

_REFUSALS = {
    ev.Admission.FULL: 503,
    ev.Admission.DRAINING: 503,
    ev.Admission.NOT_READY: 503,
    ev.Admission.NO_CODEC: 488,
    ev.Admission.BLOCKED: 603,
    ev.Admission.UNKNOWN_LINE: 404,
}


def admitted(facts: Facts, event: Event) -> bool:
    """Admitted."""
    return isinstance(event, ev.Offered) and event.admission is ev.Admission.ADMITTED


def answer(facts: Facts, event: Event) -> Iterator[Action]:
    """Take the call."""
    assert isinstance(event, ev.Offered)
    facts.open = event.open
    facts.can_call_back = event.can_call_back
    yield act.AnswerCall()


def refuse(facts: Facts, event: Event) -> Iterator[Action]:
    """Refuse with the status that belongs to the reason."""
    admission = event.admission if isinstance(event, ev.Offered) else ev.Admission.NOT_READY
    status = _REFUSALS[admission]
    facts.outcome, facts.reason = Outcome.REFUSED, admission.value
    retry_after = facts.rules.retry_after_seconds if status == 503 else None
    yield act.Refuse(status=status, retry_after_seconds=retry_after)


def is_open(facts: Facts, event: Event) -> bool:
    """Within opening hours."""
    return facts.open


def is_open_and_broken(facts: Facts, event: Event) -> bool:
    """Within opening hours, and something broke meanwhile."""
    return facts.open and facts.broken


def note_broken(facts: Facts, event: Event) -> Iterator[Action]:
    """Nothing can be said or transferred before audio flows: remember it."""
    facts.broken = True
    yield from ()


def end_media_failed(facts: Facts, event: Event) -> Iterator[Action]:
    """Give up: there is no audio."""
    facts.outcome, facts.reason = Outcome.MEDIA_FAILED, "no_media"
    yield act.HangUp()


def ask_question(facts: Facts, event: Event) -> Iterator[Action]:
    """Ask for the question."""
    facts.say = say(Prompt.QUESTION)
    yield from ()


def may_interrupt(facts: Facts, event: Event) -> bool:
    """Barge-in allowed."""
    return facts.rules.barge_in


def note_speaking(facts: Facts, event: Event) -> Iterator[Action]:
    """The caller speaks: the turn, not the silence, is what is bounded now."""
    facts.speaking = True
    yield from ()


def speech_in_turn(facts: Facts, event: Event) -> Iterator[Action]:
    """Give the turn its own bound."""
    facts.speaking = True
    yield from rearm(facts, facts.rules.timers.utterance_seconds)


def is_speaking(facts: Facts, event: Event) -> bool:
    """The caller is speaking."""
    return facts.speaking


def may_ask_again_after_silence(facts: Facts, event: Event) -> bool:
    """No-input retries left."""
    return facts.no_inputs < facts.rules.no_input_most


def ask_again_after_silence(facts: Facts, event: Event) -> Iterator[Action]:
    """Say that nothing was heard."""
    facts.no_inputs += 1
    facts.say = say(Prompt.NO_INPUT)
    yield from ()


def offer_menu_after_silence(facts: Facts, event: Event) -> Iterator[Action]:
    """Offer the busiest groups, once: nobody was heard."""
    facts.silent = True
    yield from forget_ranking(facts, event)


def consider(facts: Facts, event: Event, policy: Policy) -> Decision | None:
    """Decide on the question's ranking."""
    assert isinstance(event, ev.ThemaRanked)
    return policy(
        event.ranking,
        costs=facts.rules.costs,
        routable=frozenset(facts.rules.groups) - set(facts.refused),
        confidence=event.confidence,
        may_repeat=facts.repeats < facts.rules.repeats_most,
    )


def menu_decides(facts: Facts, event: Event) -> bool:
    """Mode collect or shadow."""
    return facts.rules.mode is not Mode.ROUTE


def _note_decision(facts: Facts, event: Event, *, applied: bool) -> Iterator[Action]:
    assert isinstance(event, ev.ThemaRanked)
    assert facts.considered is not None
    facts.decision = facts.considered
    if not (facts.rules.mode is Mode.COLLECT and not applied):
        yield act.RecordDecision(decision=facts.decision, applied=applied, turn=event.turn)


def decide_on_paper(facts: Facts, event: Event) -> Iterator[Action]:
    """Keep the decision; the busiest groups' menu decides."""
    facts.likeliest = ()
    yield from _note_decision(facts, event, applied=False)


def decide_route(facts: Facts, event: Event) -> Iterator[Action]:
    """Take the likeliest thema."""
    yield from _note_decision(facts, event, applied=True)
    assert facts.decision is not None
    assert facts.decision.thema is not None
    plan_for(facts, facts.decision.thema)


def decide_confirm(facts: Facts, event: Event) -> Iterator[Action]:
    """Propose the likeliest thema."""
    yield from _note_decision(facts, event, applied=True)


def decide_choose(facts: Facts, event: Event) -> Iterator[Action]:
    """Offer the likeliest themas."""
    yield from _note_decision(facts, event, applied=True)
    assert facts.decision is not None
    facts.likeliest = facts.decision.options


def decide_repeat(facts: Facts, event: Event) -> Iterator[Action]:
    """Ask again, with an example."""
    yield from _note_decision(facts, event, applied=True)
    yield from ask_again_with_example(facts, event)


def decide_human(facts: Facts, event: Event) -> Iterator[Action]:
    """A voorlichter is the cheapest answer."""
    yield from _note_decision(facts, event, applied=True)
    plan_for(facts, None)


def ask_again_with_example(facts: Facts, event: Event) -> Iterator[Action]:
    """Ask again, with an example."""
    facts.repeats += 1
    facts.say = say(Prompt.EXAMPLE)
    yield from ()


def forget_ranking(facts: Facts, event: Event) -> Iterator[Action]:
    """Offer the busiest groups."""
    facts.likeliest = ()
    yield from ()
