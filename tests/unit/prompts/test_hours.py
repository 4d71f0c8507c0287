"""Opening hours as they are spoken."""

from __future__ import annotations

import pytest

from ivr.errors import ConfigError
from ivr.prompts.hours import number_word, spoken_hours

WEEK = dict.fromkeys(["ma", "di", "wo", "do", "vr"], "9:00-19:00")


@pytest.mark.parametrize(
    ("hours", "spoken"),
    [
        (WEEK, "op werkdagen van negen tot negentien uur"),
        (
            {**WEEK, "za": "9:30-12:00"},
            "op werkdagen van negen tot negentien uur en "
            "op zaterdag van negen uur dertig tot twaalf uur",
        ),
        (
            {"ma": "9:00-12:00, 13:00-17:00", "di": ["13:00-17:00", "9:00-12:00"]},
            "op maandag en dinsdag van negen tot twaalf uur en van dertien tot zeventien uur",
        ),
        (
            {"ma": "8:15-9:21", "di": "8:15-9:21", "wo": "8:15-9:21", "vr": "8:00-22:45"},
            "van maandag tot en met woensdag van acht uur vijftien tot negen uur eenentwintig en "
            "op vrijdag van acht uur tot tweeëntwintig uur vijfenveertig",
        ),
        ({**WEEK, "za": "9:00-19:00", "zo": "9:00-19:00"}, "elke dag van negen tot negentien uur"),
        (dict.fromkeys(["za", "zo"], "0:00-24:00"), "in het weekend de hele dag"),
        ({"zo": "1:00-24:00"}, "op zondag van één uur tot middernacht"),
        ({"ma": "", "di": []}, ""),
        ({}, ""),
    ],
)
def test_hours_are_spoken(hours: dict[str, str | list[str]], spoken: str) -> None:
    """
    Days with the same hours are said together; closed days are not mentioned.
    """
    assert spoken == spoken_hours(hours)


@pytest.mark.parametrize(
    ("hours", "says"),
    [
        ({"maandag": "9:00-12:00"}, "hours.maandag is not a day"),
        ({"ma": "9-12"}, "is not an interval"),
        ({"ma": "12:00-9:00"}, "does not start before it ends"),
        ({"ma": "9:00-9:00"}, "does not start before it ends"),
        ({"ma": "9:00-24:01"}, "has a time that is none"),
        ({"ma": "9:60-12:00"}, "has a time that is none"),
        ({"ma": "9:00-12:00, 11:00-13:00"}, "overlaps itself"),
        ({"ma": "heel de dag"}, "is not an interval"),
    ],
)
def test_mistakes_name_day_value_and_remedy(hours: dict[str, str], says: str) -> None:
    """
    The key is in the message, and how to write it.
    """
    with pytest.raises(ConfigError, match=says) as caught:
        spoken_hours(hours)

    assert "write" in caught.value.args[0] or "use" in caught.value.args[0]


def test_minutes_have_their_words() -> None:
    """
    All sixty numbers are told apart, and the ones with a diaeresis have it.
    """
    words = [number_word(number) for number in range(60)]

    assert 60 == len(set(words))
    assert ["eenentwintig", "tweeëntwintig", "drieënvijftig"] == [words[21], words[22], words[53]]
