"""What every step needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ivr.call import actions as act
from ivr.call import events as ev
from ivr.call.actions import Action
from ivr.call.events import Event
from ivr.call.facts import Facts
from ivr.call.policy import Decision, DecisionAction, Policy
from ivr.call.prompts import Prompt, SpokenPrompt
from ivr.call.routing import attempts

Step = Callable[[Facts, Event], Iterable[Action]]
Guard = Callable[[Facts, Event], bool]
Entry = Callable[[Facts], Iterable[Action]]
Consider = Callable[[Facts, Event, Policy], Decision | None]
"""Asks the policy what to do on an event; changes nothing."""


def nothing(facts: Facts, event: Event) -> Iterator[Action]:
    """Declare that the event changes nothing in this state."""
    yield from ()


def play(facts: Facts, *prompts: SpokenPrompt) -> Iterator[Action]:
    """Speak; replaces what plays."""
    facts.playing = True
    yield act.PlayPrompt(prompts=prompts, epoch=facts.epoch)


def timer(facts: Facts, seconds: float) -> Iterator[Action]:
    """Start the state's timer."""
    facts.timer_running = True
    yield act.StartTimer(seconds=seconds, epoch=facts.epoch)


def rearm(facts: Facts, seconds: float) -> Iterator[Action]:
    """Start the state's timer anew, once in a state."""
    if not facts.rearmed:
        facts.rearmed = True
        yield from timer(facts, seconds)


def attend(
    facts: Facts, *, playing: bool, purpose: act.Purpose = act.Purpose.QUESTION
) -> Iterator[Action]:
    """Let the caller's turn begin."""
    facts.attending = True
    yield act.Attend(playing=playing, purpose=purpose)


def say(prompt: Prompt) -> tuple[SpokenPrompt, ...]:
    """A prompt with nothing to fill in."""
    return (SpokenPrompt(prompt=prompt),)


def digit(event: Event) -> str:
    """The key of a :class:`~ivr.call.events.Digit`, empty for every other event."""
    return event.digit if isinstance(event, ev.Digit) else ""


def plan_for(facts: Facts, thema: str | None) -> None:
    """Choose the group and what to try; ``None`` means the general group."""
    rules = facts.rules
    facts.thema = thema
    group = rules.groups.get(thema, rules.general) if thema is not None else rules.general
    facts.group = group
    facts.plan = attempts(rules, group, first_number=len(facts.tried) + 1)
    if group == rules.general:
        facts.say = say(Prompt.ANNOUNCE_GENERAL)
    else:
        facts.say = (SpokenPrompt(prompt=Prompt.ANNOUNCE, group=group),)


def record_choice(facts: Facts, event: Event) -> Iterator[Action]:
    """Keep who decided on the plan just made."""
    if isinstance(event, ev.Digit):
        decided_by = "keypad"
    elif isinstance(event, ev.AnswerHeard):
        decided_by = "confirmation"
    elif isinstance(event, ev.CallLimitReached):
        decided_by = "call_limit"
    elif isinstance(event, ev.ComponentFailed | ev.MediaReady):
        decided_by = "component_failed"
    else:
        decided_by = "menu_timeout"
    yield act.RecordChoice(
        decided_by=decided_by,
        action=DecisionAction.HUMAN if facts.thema is None else DecisionAction.ROUTE,
        thema=facts.thema,
        group=facts.group or facts.rules.general,
        turn=event.turn if isinstance(event, ev.AnswerHeard) else None,
    )
