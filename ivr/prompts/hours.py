"""Opening hours as a Dutch speaker says them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from ivr.errors import ConfigError

DAYS = {
    "ma": "maandag",
    "di": "dinsdag",
    "wo": "woensdag",
    "do": "donderdag",
    "vr": "vrijdag",
    "za": "zaterdag",
    "zo": "zondag",
}
_REMEDY = 'write for example ma = "9:00-12:00, 13:00-17:00"'
_INTERVAL = re.compile(r"(\d{1,2})[:.u](\d{2})\s*[-–]\s*(\d{1,2})[:.u](\d{2})")
_ONES = (
    *("nul", "één", "twee", "drie", "vier", "vijf", "zes", "zeven", "acht", "negen", "tien"),
    *("elf", "twaalf", "dertien", "veertien", "vijftien", "zestien", "zeventien", "achttien"),
    "negentien",
)
_TENS = {2: "twintig", 3: "dertig", 4: "veertig", 5: "vijftig"}
_JOINED = {1: "eenen", 2: "tweeën", 3: "drieën"}

Interval = tuple[int, int]
"""Opening and closing time in minutes after midnight."""


def spoken_hours(hours: Mapping[str, str | Sequence[str]]) -> str:
    """Say weekly hours: ``op werkdagen van negen tot negentien uur``.

    Args:
        hours: For each day (``ma di wo do vr za zo``) one or more intervals such as
            ``9:00-12:00``, in one string or several; a day that is missing is closed.

    Returns:
        A phrase without capital and full stop; empty when no day is open.

    Raises:
        ConfigError: A day or an interval cannot be understood.
    """
    for day in hours:
        if day not in DAYS:
            raise ConfigError(
                None, f"hours.{day}", None, "is not a day", remedy=f"use {' '.join(DAYS)}"
            )
    by_day = [parse_day(day, hours.get(day, ())) for day in DAYS]
    stretches: list[tuple[int, int, tuple[Interval, ...]]] = []
    for index, intervals in enumerate(by_day):
        if stretches and stretches[-1][1] == index - 1 and stretches[-1][2] == intervals:
            stretches[-1] = (stretches[-1][0], index, intervals)
        else:
            stretches.append((index, index, intervals))
    phrases = [
        f"{_days(first, last)} {_times(intervals)}"
        for first, last, intervals in stretches
        if intervals
    ]
    return _listed(phrases)


def parse_day(day: str, value: str | Sequence[str]) -> tuple[Interval, ...]:
    """Read the intervals of one day, in order of time.

    Raises:
        ConfigError: An interval cannot be understood, is empty or overlaps another.
    """
    parts = value.split(",") if isinstance(value, str) else list(value)
    intervals: list[Interval] = []
    for part in (part.strip() for part in parts if part.strip()):
        match = _INTERVAL.fullmatch(part)
        if match is None:
            raise ConfigError(None, f"hours.{day}", part, "is not an interval", remedy=_REMEDY)
        start_hour, start_minute, end_hour, end_minute = map(int, match.groups())
        start, end = start_hour * 60 + start_minute, end_hour * 60 + end_minute
        if start_minute > 59 or end_minute > 59 or end > 24 * 60 or start_hour > 24:
            raise ConfigError(None, f"hours.{day}", part, "has a time that is none", remedy=_REMEDY)
        if start >= end:
            raise ConfigError(
                None, f"hours.{day}", part, "does not start before it ends", remedy=_REMEDY
            )
        intervals.append((start, end))
    intervals.sort()
    for before, after in pairwise(intervals):
        if after[0] < before[1]:
            raise ConfigError(None, f"hours.{day}", value, "overlaps itself", remedy=_REMEDY)
    return tuple(intervals)


def number_word(number: int) -> str:
    """0..59 in Dutch words."""
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    if ones == 0:
        return _TENS[tens]
    return _JOINED.get(ones, _ONES[ones] + "en") + _TENS[tens]


def _days(first: int, last: int) -> str:
    names = list(DAYS.values())
    if (first, last) == (0, 6):
        return "elke dag"
    if (first, last) == (0, 4):
        return "op werkdagen"
    if (first, last) == (5, 6):
        return "in het weekend"
    if first == last:
        return f"op {names[first]}"
    if last == first + 1:
        return f"op {names[first]} en {names[last]}"
    return f"van {names[first]} tot en met {names[last]}"


def _times(intervals: Sequence[Interval]) -> str:
    if tuple(intervals) == ((0, 24 * 60),):
        return "de hele dag"
    return _listed([f"van {_start(start, end)} tot {_time(end)}" for start, end in intervals])


def _start(start: int, end: int) -> str:
    """Leave the first "uur" out where the second one serves both."""
    whole = start % 60 == 0 and start and end % 60 == 0 and end < 24 * 60
    return number_word(start // 60) if whole else _time(start)


def _time(minutes: int) -> str:
    if minutes in (0, 24 * 60):
        return "middernacht"
    hour, minute = divmod(minutes, 60)
    return f"{number_word(hour)} uur" + (f" {number_word(minute)}" if minute else "")


def _listed(phrases: Sequence[str]) -> str:
    if len(phrases) < 2:
        return "".join(phrases)
    return ", ".join(phrases[:-1]) + " en " + phrases[-1]
