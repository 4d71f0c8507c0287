"""Confirming and the keuzemenu: what callers press or answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.call import actions as act
from ivr.call import events as ev
from ivr.call.prompts import Prompt, SpokenPrompt
from ivr.call.states import CallState, Outcome
from tests.unit.call.machine import RULES, call_in

TIMERS = RULES.timers
ASKING = (
    CallState.GREETING,
    CallState.PROMPTING,
    CallState.LISTENING,
    CallState.DECIDING,
    CallState.CONFIRMING,
    CallState.MENU,
)


# --- confirming ----------------------------------------------------------------------------------


@pytest.mark.parametrize("by_key", [True, False])
def test_yes_routes(by_key: bool) -> None:
    """
    Spoken or key 1; the record says that the caller decided.
    """
    talk = call_in(CallState.CONFIRMING)
    actions = talk.send(ev.Digit("1")) if by_key else talk.answered(ev.Answer.YES)
    choice = next(a for a in actions if isinstance(a, act.RecordChoice))

    assert CallState.ANNOUNCING is talk.state
    assert ("keypad" if by_key else "confirmation", "energie") == (choice.decided_by, choice.thema)
    talk.prompt_finished()
    talk.send(ev.TransferSucceeded(attempt=1))
    assert Outcome.ROUTED is talk.end().outcome


@pytest.mark.parametrize("by_key", [True, False])
def test_no_offers_the_others(by_key: bool) -> None:
    """
    Spoken or key 2; the refused thema is not among them.
    """
    talk = call_in(CallState.CONFIRMING)
    talk.send(ev.Digit("2")) if by_key else talk.answered(ev.Answer.NO)

    assert CallState.MENU is talk.state
    assert "energie" not in talk.said()[-1].options
    assert talk.said()[-1].options


def test_refused_thema_is_never_proposed_again() -> None:
    """
    Even when the second question points at it again.
    """
    talk = call_in(CallState.DECIDING)
    talk.ranked("energie", 0.6, confidence=0.35)
    talk.answered(ev.Answer.NO)
    assert "prompting" == talk.where
    talk.prompt_finished()
    talk.send(ev.SpeechStarted(), ev.UtteranceEnded())
    talk.ranked("energie", 0.97)

    assert "confirming" != talk.where
    assert SpokenPrompt(prompt=Prompt.ANNOUNCE, group="energie") != talk.said()[-1]
    assert "energie" not in talk.said()[-1].options


@pytest.mark.parametrize("how", ["unclear", "failed", "timeout", "key"])
def test_answer_that_is_no_answer_gets_the_menu(how: str) -> None:
    """
    With the proposed thema first: it was not refused.
    """
    talk = call_in(CallState.CONFIRMING)
    if how == "unclear":
        talk.answered(ev.Answer.UNCLEAR)
    elif how == "failed":
        talk.send(ev.RecognitionFailed(epoch=talk.epoch))
    elif how == "timeout":
        talk.timeout()
    else:
        talk.send(ev.Digit("7"))

    assert CallState.MENU is talk.state
    assert "energie" == talk.said()[-1].options[0]


def test_answer_may_interrupt_the_proposal() -> None:
    """
    We fall silent, hear it out, and understand it as an answer; a second turn waits.
    """
    talk = call_in(CallState.CONFIRMING)
    confirm = act.StartTimer(seconds=TIMERS.confirm_seconds, epoch=talk.epoch)

    assert [act.StopPrompt(), confirm] == talk.send(ev.SpeechStarted())
    recognise = act.Recognise(epoch=talk.epoch)
    assert [recognise] == talk.send(ev.UtteranceEnded())
    assert [] == talk.send(ev.UtteranceEnded())


def test_waiting_for_the_answer_begins_after_the_proposal() -> None:
    """
    The bound of the prompt gives way to the bound of the answer, once.
    """
    talk = call_in(CallState.CONFIRMING)

    assert [
        act.Attend(playing=False, purpose=act.Purpose.ANSWER),
        act.StartTimer(seconds=TIMERS.confirm_seconds, epoch=talk.epoch),
    ] == talk.prompt_finished()
    assert [] == talk.send(ev.SpeechStarted())


# --- menu ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("digit", "thema"), list(zip("1234", RULES.busiest, strict=False)))
def test_key_in_the_menu_routes(digit: str, thema: str) -> None:
    """
    The record and the outcome say that the caller chose.
    """
    talk = call_in(CallState.MENU)
    talk.send(ev.Digit(digit))
    talk.prompt_finished()
    talk.send(ev.TransferSucceeded(attempt=1))

    assert (Outcome.MENU_ROUTED, thema, thema) == (
        talk.end().outcome,
        talk.end().thema,
        talk.end().group,
    )


@pytest.mark.parametrize("digit", "56789*#ABCD")
def test_key_that_is_not_in_the_menu_replays_it_then_gets_a_human(digit: str) -> None:
    """
    "Die keuze is er niet", with the same options.
    """
    talk = call_in(CallState.MENU)
    options = talk.said()[-1].options
    talk.send(ev.Digit(digit))
    assert SpokenPrompt(prompt=Prompt.INVALID_CHOICE, options=options) == talk.said()[-1]

    talk.send(ev.Digit(digit))
    assert CallState.ANNOUNCING is talk.state
    assert SpokenPrompt(prompt=Prompt.ANNOUNCE_GENERAL) == talk.said()[-1]


def test_silence_in_the_menu_replays_it_then_gets_a_human() -> None:
    """
    The wait for a key begins after the last option was said.
    """
    talk = call_in(CallState.MENU)
    options = talk.said()[-1].options
    waiting = act.StartTimer(seconds=TIMERS.menu_seconds, epoch=talk.epoch)
    assert [waiting] == talk.prompt_finished()
    talk.timeout()
    assert SpokenPrompt(prompt=Prompt.KEUZEMENU, options=options) == talk.said()[-1]

    talk.prompt_finished()
    talk.timeout()
    assert SpokenPrompt(prompt=Prompt.ANNOUNCE_GENERAL) == talk.said()[-1]


def test_silence_that_led_to_the_menu_gets_a_human_after_it() -> None:
    """
    Who has said and pressed nothing does not hear the same menu twice.
    """
    talk = call_in(CallState.LISTENING, replace(RULES, no_input_most=0))
    talk.timeout()
    assert CallState.MENU is talk.state
    talk.prompt_finished()
    talk.timeout()

    assert SpokenPrompt(prompt=Prompt.ANNOUNCE_GENERAL) == talk.said()[-1]


def test_wrong_key_after_silence_is_no_silence() -> None:
    """
    Somebody is there, and hears the menu as often as everybody.
    """
    talk = call_in(CallState.LISTENING, replace(RULES, no_input_most=0, menu_replays_most=2))
    talk.timeout()
    talk.send(ev.Digit("9"))
    assert Prompt.INVALID_CHOICE is talk.said()[-1].prompt
    talk.prompt_finished()
    talk.timeout()

    assert Prompt.KEUZEMENU is talk.said()[-1].prompt


def test_speech_in_the_menu_changes_nothing() -> None:
    """
    The menu is for the keypad.
    """
    talk = call_in(CallState.MENU)

    assert [] == talk.send(ev.SpeechStarted(), ev.UtteranceEnded())


def test_human_instead_of_the_chosen_group() -> None:
    """
    Key 0 while we announce the group: the choice is withdrawn, also in the outcome.
    """
    talk = call_in(CallState.MENU)
    talk.send(ev.Digit("1"))
    talk.send(ev.Digit("0"))
    assert SpokenPrompt(prompt=Prompt.ANNOUNCE_GENERAL) == talk.said()[-1]
    assert [] == talk.send(ev.Digit("0"))
    talk.prompt_finished()
    talk.send(ev.TransferSucceeded(attempt=1))

    assert (Outcome.ROUTED, None, "algemeen") == (
        talk.end().outcome,
        talk.end().thema,
        talk.end().group,
    )


@pytest.mark.parametrize("state", ASKING)
@pytest.mark.parametrize("event", [ev.Digit("0"), ev.CallLimitReached(), ev.ComponentFailed()])
def test_way_to_a_human_is_open_wherever_we_ask(state: CallState, event: ev.Event) -> None:
    """
    By key, by the call's limit, and when something of ours broke.
    """
    talk = call_in(state)
    talk.send(event)

    assert CallState.ANNOUNCING is talk.state
    assert SpokenPrompt(prompt=Prompt.ANNOUNCE_GENERAL) == talk.said()[-1]


@pytest.mark.parametrize("state", ASKING[:4])
def test_any_other_key_asks_for_the_menu(state: CallState) -> None:
    """
    Callers who know the way, or who do not hear.
    """
    talk = call_in(state)
    talk.send(ev.Digit("5"))

    assert CallState.MENU is talk.state
