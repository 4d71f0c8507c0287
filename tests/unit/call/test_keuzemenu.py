"""The short keuzemenu: which themas stand behind which keys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.call.keuzemenu import chosen, menu_options
from tests.unit.call.machine import RULES, THEMAS

anything = st.lists(st.sampled_from((*THEMAS, "onbekend", "mens")), max_size=8)


def test_likeliest_come_first() -> None:
    """
    In the order of the ranking, not of the catalogue.
    """
    assert ("onderwijs", "energie") == menu_options(RULES, ("onderwijs", "energie"), ())


def test_without_a_ranking_the_busiest() -> None:
    """
    At most four.
    """
    rules = replace(RULES, busiest=tuple(reversed(THEMAS)))

    assert tuple(reversed(THEMAS))[:4] == menu_options(rules, (), ())


def test_groups_that_nobody_counted_fill_up() -> None:
    """
    A catalogue without figures has a menu all the same.
    """
    assert THEMAS[:4] == menu_options(replace(RULES, busiest=()), (), ())


def test_when_all_likely_ones_were_refused_the_busiest_others() -> None:
    """
    A menu is never empty for that reason.
    """
    assert ("belastingen", "mobiliteit", "onderwijs", "welzijn-zorg") == menu_options(
        RULES, ("energie",), ("energie",)
    )


@given(anything, anything)
def test_options_are_routable_different_and_not_refused(
    likeliest: list[str], refused: list[str]
) -> None:
    """
    Whatever the ranking holds.
    """
    options = menu_options(RULES, likeliest, refused)

    assert len(options) == len(set(options)) <= 4
    assert set(options) <= set(RULES.groups) - set(refused)
    assert options or set(THEMAS) <= set(refused)


def test_keys_count_from_one() -> None:
    """
    Zero is the human, who is not in the list.
    """
    options = ("energie", "onderwijs")

    assert ["energie", "onderwijs", None, None] == [chosen(options, d) for d in "1230"]


@pytest.mark.parametrize("key", ["", "*", "#", "A", "12", "²", "٣", "-1", " 1"])
def test_what_is_no_digit_chooses_nothing(key: str) -> None:
    """
    Nor does it raise: "²".isdigit() is true in Python.
    """
    assert chosen(("energie", "onderwijs", "mobiliteit"), key) is None
