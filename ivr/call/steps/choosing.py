"""Confirmation and keuzemenu: guards and steps."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.call import actions as act
from ivr.call import events as ev
from ivr.call.actions import Action
from ivr.call.events import Event
from ivr.call.facts import Facts
from ivr.call.keuzemenu import chosen
from ivr.call.policy import Decision, Policy
from ivr.call.prompts import Prompt, SpokenPrompt
from ivr.call.ranking import RankedThema
from ivr.call.steps.asking import ask_again_with_example
from ivr.call.steps.common import attend, digit, plan_for, rearm, record_choice


def says_yes(facts: Facts, event: Event) -> bool:
    """Yes, spoken or key 1."""
    return digit(event) == "1" or (
        isinstance(event, ev.AnswerHeard) and event.answer is ev.Answer.YES
    )


def _says_no(event: Event) -> bool:
    return digit(event) == "2" or (
        isinstance(event, ev.AnswerHeard) and event.answer is ev.Answer.NO
    )


def reconsider(facts: Facts, event: Event, policy: Policy) -> Decision | None:
    """After a no: decide again on what is left, without proposing."""
    if not _says_no(event):
        return None
    assert facts.decision is not None
    out = {*facts.refused, facts.decision.thema}
    left = [ranked for ranked in facts.decision.ranking if ranked.thema not in out]
    total = sum(ranked.probability for ranked in left) or 1.0
    return policy(
        [RankedThema(r.thema, min(1.0, r.probability / total)) for r in left],
        costs=facts.rules.costs,
        routable=frozenset(facts.rules.groups) - out,
        confidence=facts.decision.confidence,
        may_repeat=facts.repeats < facts.rules.repeats_most,
        may_propose=False,
    )


def says_no(facts: Facts, event: Event) -> bool:
    """No, spoken or key 2."""
    return _says_no(event)


def take_proposal(facts: Facts, event: Event) -> Iterator[Action]:
    """Route on the confirmed thema."""
    assert facts.decision is not None
    assert facts.decision.thema is not None
    plan_for(facts, facts.decision.thema)
    yield from record_choice(facts, event)


def drop_proposal_and_ask_again(facts: Facts, event: Event) -> Iterator[Action]:
    """Never propose this thema again; ask with an example."""
    _refuse_proposal(facts)
    yield from ask_again_with_example(facts, event)


def drop_proposal(facts: Facts, event: Event) -> Iterator[Action]:
    """Never propose this thema again; offer the others."""
    assert facts.considered is not None
    _refuse_proposal(facts)
    facts.likeliest = facts.considered.options
    yield from ()


def _refuse_proposal(facts: Facts) -> None:
    if facts.decision is not None and facts.decision.thema is not None:
        facts.refused.append(facts.decision.thema)


def keep_ranking(facts: Facts, event: Event) -> Iterator[Action]:
    """Offer the likeliest themas, the proposed one first."""
    assert facts.decision is not None
    facts.likeliest = tuple(
        r.thema for r in facts.decision.ranking if r.thema in facts.rules.groups
    )
    yield from ()


def speech_in_confirmation(facts: Facts, event: Event) -> Iterator[Action]:
    """Fall silent and hear the answer."""
    facts.speaking = True
    if facts.playing:
        facts.playing = False
        yield act.StopPrompt()
    yield from rearm(facts, facts.rules.timers.confirm_seconds)


def wait_for_answer(facts: Facts, event: Event) -> Iterator[Action]:
    """The question is asked; a bounded wait for the answer."""
    facts.playing = False
    yield from attend(facts, playing=False, purpose=act.Purpose.ANSWER)
    yield from rearm(facts, facts.rules.timers.confirm_seconds)


def not_recognising(facts: Facts, event: Event) -> bool:
    """No recognition under way."""
    return not facts.recognising


def recognise_answer(facts: Facts, event: Event) -> Iterator[Action]:
    """Understand the answer."""
    facts.recognising = True
    yield act.Recognise(epoch=facts.epoch)


def wants_human(facts: Facts, event: Event) -> bool:
    """Key 0."""
    return digit(event) == "0"


def to_human(facts: Facts, event: Event) -> Iterator[Action]:
    """To the general group."""
    facts.via_menu = False
    plan_for(facts, None)
    yield from record_choice(facts, event)


def in_menu(facts: Facts, event: Event) -> bool:
    """The key is in the menu."""
    return chosen(facts.options, digit(event)) is not None


def take_choice(facts: Facts, event: Event) -> Iterator[Action]:
    """Route on the chosen thema."""
    facts.via_menu = True
    plan_for(facts, chosen(facts.options, digit(event)))
    yield from record_choice(facts, event)


def may_replay(facts: Facts, event: Event) -> bool:
    """Replays left."""
    return facts.replays < facts.rules.menu_replays_most


def may_replay_after_silence(facts: Facts, event: Event) -> bool:
    """Replays left, and something was heard of the caller."""
    # Who says nothing and presses nothing needs a human, not the same menu once more.
    return may_replay(facts, event) and not facts.silent


def replay_menu(facts: Facts, event: Event) -> Iterator[Action]:
    """Say the same menu again."""
    facts.replays += 1
    facts.silent = False
    prompt = Prompt.INVALID_CHOICE if isinstance(event, ev.Digit) else Prompt.KEUZEMENU
    facts.say = (SpokenPrompt(prompt=prompt, options=facts.options),)
    yield from ()


def wait_for_key(facts: Facts, event: Event) -> Iterator[Action]:
    """The prompt is over; a bounded wait for a key."""
    facts.playing = False
    yield from rearm(facts, facts.rules.timers.menu_seconds)
