"""What the service said, found again from states, keys and decisions."""

from __future__ import annotations

import itertools

from ivr.call.events import Answer
from ivr.call.prompts import Prompt, SpokenPrompt
from ivr.call.rules import CallRules, Target
from ivr.demo.replay import Moved, Pressed, Understood, menu_of, proposed_in, replay

RULES = CallRules(
    groups={thema: thema for thema in ("belastingen", "energie", "onderwijs", "mobiliteit")},
    targets={
        "algemeen": (Target("sip:algemeen@127.0.0.1"),),
        "energie": (Target("sip:energie@127.0.0.1"),),
    },
    busiest=("belastingen", "onderwijs", "energie", "mobiliteit"),
)
GREETED = ("offered", "answering", "greeting")
ASKED = (*GREETED, "prompting", "listening", "deciding")


def _moves(*states: str, began: float = 0.0) -> list[Moved]:
    pairs = itertools.pairwise(states)
    return [Moved(time=began + number, old=old, new=new) for number, (old, new) in enumerate(pairs)]


def _in_order(*items: Moved | Pressed) -> list[Moved | Pressed]:
    return sorted(items, key=lambda item: item.time)


def test_a_menu_opened_by_a_key_offers_the_busiest() -> None:
    """
    Nothing was said, so there is nothing to rank.
    """
    happened = _in_order(
        *_moves(*GREETED, "menu", "announcing"),
        Pressed(time=1.5, key="1"),
        Pressed(time=2.5, key="3"),
    )

    said = replay(RULES, happened, [], [], [])

    assert ("belastingen", "onderwijs", "energie", "mobiliteit") == menu_of(said)
    assert (SpokenPrompt(prompt=Prompt.ANNOUNCE, group="energie"),) == said[-1].prompts


def test_an_invalid_key_says_the_menu_again() -> None:
    """
    The second menu is the same with another beginning.
    """
    happened = _in_order(
        *_moves(*GREETED, "menu", "menu", "announcing"),
        Pressed(time=1.5, key="1"),
        Pressed(time=2.5, key="9"),
        Pressed(time=3.5, key="1"),
    )

    said = replay(RULES, happened, [], [], [])

    assert [
        Prompt.NOTICE,
        Prompt.KEUZEMENU,
        Prompt.INVALID_CHOICE,
        Prompt.ANNOUNCE,
    ] == [prompt.prompt for moment in said for prompt in moment.prompts]


def test_a_menu_after_an_unanswered_proposal_begins_with_it() -> None:
    """
    The thema that was asked about stays the likeliest.
    """
    understood = Understood(
        ranking=(("energie", 0.6), ("mobiliteit", 0.3), ("belastingen", 0.05)), confidence=0.9
    )

    said = replay(RULES, _moves(*ASKED, "confirming", "menu"), [understood], [], [])

    assert "energie" == proposed_in(said)
    assert ("energie", "mobiliteit", "belastingen") == menu_of(said)


def test_a_refused_proposal_is_not_in_the_menu() -> None:
    """
    A spoken no is not a timeout.
    """
    understood = Understood(
        ranking=(("energie", 0.6), ("mobiliteit", 0.2), ("belastingen", 0.18)), confidence=0.9
    )

    moves = _moves(*ASKED, "confirming", "menu")
    said = replay(RULES, moves, [understood], [Answer.NO], [])

    assert "energie" == proposed_in(said)
    assert ("mobiliteit", "belastingen") == menu_of(said)


def test_a_broken_recogniser_leads_to_the_busiest() -> None:
    """
    There is no decision to explain the menu.
    """
    said = replay(RULES, _moves(*ASKED, "menu"), [], [], [])

    assert RULES.busiest == menu_of(said)
    assert proposed_in(said) is None


def test_a_group_that_is_busy_is_followed_by_the_general_one() -> None:
    """
    The caller hears that somebody else is called.
    """
    understood = Understood(ranking=(("energie", 0.99),), confidence=1.0)
    moves = _moves(*ASKED, "announcing", "transferring", "announcing", "transferring", "ended")

    said = replay(RULES, moves, [understood], [], [(1, "failed"), (2, "succeeded")])

    assert [
        SpokenPrompt(prompt=Prompt.NOTICE),
        SpokenPrompt(prompt=Prompt.QUESTION),
        SpokenPrompt(prompt=Prompt.ANNOUNCE, group="energie"),
        SpokenPrompt(prompt=Prompt.NEXT_GROUP),
    ] == [prompt for moment in said for prompt in moment.prompts]


def test_what_cannot_be_explained_ends_the_replay() -> None:
    """
    What was said before it is kept.
    """
    said = replay(RULES, [*_moves(*GREETED), Moved(time=9, old="greeting", new="x")], [], [], [])

    assert [(SpokenPrompt(prompt=Prompt.NOTICE),)] == [moment.prompts for moment in said]
