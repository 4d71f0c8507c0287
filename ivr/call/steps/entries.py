"""What each state does on entry."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.call import actions as act
from ivr.call.actions import Action
from ivr.call.facts import Facts
from ivr.call.keuzemenu import menu_options
from ivr.call.prompts import Prompt, SpokenPrompt
from ivr.call.states import CallState
from ivr.call.steps.common import attend, play, say, timer


def leave(facts: Facts, to: CallState) -> Iterator[Action]:
    """End what the state being left has begun."""
    if facts.timer_running:
        yield act.CancelTimer()
    if facts.playing:
        yield act.StopPrompt()
    # Speech that interrupts the question is the question: its turn goes on. And a turn that
    # is to be understood must not be forgotten before.
    if facts.attending and to not in (CallState.LISTENING, CallState.DECIDING):
        yield act.Ignore()
        facts.attending = False
        facts.speaking = False
    facts.timer_running = facts.playing = facts.rearmed = facts.recognising = False


def enter_nothing(facts: Facts) -> Iterator[Action]:
    """Nothing on entry."""
    yield from ()


def enter_answering(facts: Facts) -> Iterator[Action]:
    """Wait for audio, bounded."""
    yield from timer(facts, facts.rules.timers.answer_seconds)


def enter_greeting(facts: Facts) -> Iterator[Action]:
    """Welcome, and the recording notice that the law asks for: not to be talked over."""
    prompt = Prompt.NOTICE if facts.rules.records else Prompt.WELCOME
    yield from play(facts, SpokenPrompt(prompt=prompt))
    yield from timer(facts, facts.rules.timers.prompt_seconds)


def enter_prompting(facts: Facts) -> Iterator[Action]:
    """Ask, and let the caller interrupt."""
    facts.speaking = False
    yield from play(facts, *facts.say)
    if facts.rules.barge_in:
        yield from attend(facts, playing=True)
    yield from timer(facts, facts.rules.timers.prompt_seconds)


def enter_listening(facts: Facts) -> Iterator[Action]:
    """Hear the caller out."""
    yield from attend(facts, playing=False)
    timers = facts.rules.timers
    yield from timer(facts, timers.utterance_seconds if facts.speaking else timers.no_input_seconds)
    facts.rearmed = facts.speaking


def enter_deciding(facts: Facts) -> Iterator[Action]:
    """Understand the question, within a deadline."""
    facts.speaking = False
    facts.recognising = True
    facts.attending = False
    yield act.Recognise(epoch=facts.epoch)
    yield act.Ignore()
    yield from timer(facts, facts.rules.timers.deciding_seconds)


def enter_confirming(facts: Facts) -> Iterator[Action]:
    """Ask whether we understood."""
    assert facts.decision is not None
    yield from play(facts, SpokenPrompt(prompt=Prompt.CONFIRM, thema=facts.decision.thema))
    if facts.rules.barge_in:
        yield from attend(facts, playing=True, purpose=act.Purpose.ANSWER)
    yield from timer(facts, facts.rules.timers.prompt_seconds)


def enter_menu(facts: Facts) -> Iterator[Action]:
    """Say the menu, or say it again."""
    if not (facts.say and facts.say[0].options and facts.options):
        facts.options = menu_options(facts.rules, facts.likeliest, facts.refused)
        facts.say = (SpokenPrompt(prompt=Prompt.KEUZEMENU, options=facts.options),)
    yield from play(facts, *facts.say)
    facts.say = ()
    yield from timer(facts, facts.rules.timers.prompt_seconds)


def enter_announcing(facts: Facts) -> Iterator[Action]:
    """Say where the caller is going."""
    yield from play(facts, *facts.say)
    facts.say = ()
    yield from timer(facts, facts.rules.timers.prompt_seconds)


def enter_transferring(facts: Facts) -> Iterator[Action]:
    """Try the next target."""
    attempt = facts.plan[0]
    facts.tried[attempt.number] = attempt
    yield act.Transfer(attempt=attempt)
    yield from timer(facts, facts.rules.timers.transfer_seconds)


def enter_bridged(facts: Facts) -> Iterator[Action]:
    """The conversation has a bound too."""
    yield from timer(facts, facts.rules.timers.bridged_seconds)


def _with_offer(facts: Facts, prompt: Prompt) -> tuple[SpokenPrompt, ...]:
    return say(prompt) + say(Prompt.CALLBACK_OFFER if facts.can_call_back else Prompt.GOODBYE)


def enter_closed(facts: Facts) -> Iterator[Action]:
    """Say the opening hours."""
    yield from play(facts, *_with_offer(facts, Prompt.CLOSED))
    yield from timer(facts, facts.rules.timers.prompt_seconds)


def enter_closing(facts: Facts) -> Iterator[Action]:
    """Say that nobody can be reached."""
    yield from play(facts, *_with_offer(facts, Prompt.CLOSING))
    yield from timer(facts, facts.rules.timers.prompt_seconds)


def enter_callback(facts: Facts) -> Iterator[Action]:
    """Keep the wish first, then say so."""
    yield act.NoteCallback()
    yield from play(facts, SpokenPrompt(prompt=Prompt.CALLBACK_CONFIRMED))
    yield from timer(facts, facts.rules.timers.prompt_seconds)
