"""What the demo's caller does next."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.demo.director import SAYINGS_MOST, Act, ActKind, Director, PromptDirector
from ivr.demo.errors import DemoUsageError
from ivr.demo.speech import check_digits, write_question

LATER = 60.0


def _acts(director: Director, *states: str) -> list[Act]:
    """What the caller does when each state lasts long."""
    acts = []
    for number, state in enumerate(states):
        director.entered(state, number * LATER)
        act = director.due(number * LATER + LATER / 2)
        if act is not None:
            acts.append(act)
    return acts


def test_a_caller_with_keys_opens_the_menu_and_presses_one_key_in_each() -> None:
    """
    Key 1 opens the keuzemenu; an invalid key is followed by the next one in the replay.
    """
    director = Director(speaks=False, digits="92")

    acts = _acts(director, "greeting", "menu", "menu", "menu", "announcing")

    assert [Act(ActKind.PRESS, key) for key in "192"] == acts


def test_key_nought_is_pressed_in_the_greeting() -> None:
    """
    A human is reached without the menu.
    """
    acts = _acts(Director(speaks=False, digits="0"), "greeting", "announcing")

    assert [Act(ActKind.PRESS, "0")] == acts


def test_a_speaking_caller_waits_until_the_service_listens() -> None:
    """
    Nothing is said into the greeting, and the keys wait for a menu.
    """
    director = Director(speaks=True, digits="3")

    acts = _acts(director, "greeting", "prompting", "listening", "deciding", "menu")

    assert [Act(ActKind.SAY), Act(ActKind.PRESS, "3")] == acts


def test_a_caller_says_it_again_a_bounded_number_of_times() -> None:
    """
    Whoever is asked again says it again, but not for ever.
    """
    acts = _acts(Director(speaks=True, digits=""), *["listening"] * 10)

    assert [Act(ActKind.SAY)] * SAYINGS_MOST == acts


def test_what_was_planned_for_a_state_is_off_when_it_is_left() -> None:
    """
    A key meant for the menu is not pressed into the announcement.
    """
    director = Director(speaks=True, digits="1")
    director.entered("menu", 0.0)
    director.entered("announcing", 0.1)

    assert director.due(LATER) is None


def test_nothing_is_done_before_its_time() -> None:
    """
    The caller hears a part of the menu first.
    """
    director = Director(speaks=True, digits="1")
    director.entered("menu", 0.0)

    assert director.due(0.2) is None
    assert Act(ActKind.PRESS, "1") == director.due(5.0)


def test_a_caller_without_states_speaks_then_presses_then_is_silent() -> None:
    """
    One act after each prompt.
    """
    director = PromptDirector(speaks=True, digits="12")

    acts = [director.prompt_ended() for _ in range(4)]

    assert [Act(ActKind.SAY), Act(ActKind.PRESS, "1"), Act(ActKind.PRESS, "2"), None] == acts


@pytest.mark.parametrize("digits", ["", "a", "1 2", "+32", "1\n", "١"])
def test_what_is_no_key_is_wrong_usage(digits: str) -> None:
    """
    The message says which keys there are.
    """
    with pytest.raises(DemoUsageError, match="keys of a telephone"):
        check_digits(digits)


@pytest.mark.parametrize("say", ["", "  \n", "a" * 501])
def test_a_text_that_cannot_be_said_is_wrong_usage(say: str, tmp_path: Path) -> None:
    """
    Nothing is started for it.
    """
    with pytest.raises(DemoUsageError, match="--say"):
        write_question(tmp_path, say, None)
