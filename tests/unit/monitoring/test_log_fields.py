"""Logs of one kind: what every file of ``ivr`` logs, read from its source.

Constant event names, values as fields, one style of logger; and every field is judged in
:data:`ivr.monitoring.log.JUDGED`, which names none that is not used.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from ivr.monitoring.log import JUDGED, drop_unjudged
from tests.unit.monitoring.log_source import Source, read_source

ROOT = Path(__file__).resolve().parents[3]
ROOMS = sorted(
    folder.name
    for folder in (ROOT / "ivr").iterdir()
    if folder.is_dir() and any(folder.rglob("*.py"))
)
SET_UP_IN = "ivr/monitoring/log.py"
"""Bounds the libraries' loggers, and so must name the standard library's."""


@cache
def sources() -> tuple[Source, ...]:
    """Every file of ``ivr``, but the one that sets logging up."""
    paths = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "ivr").rglob("*.py")}
    del paths[SET_UP_IN]
    return tuple(
        read_source(path.read_text(encoding="utf-8"), name) for name, path in sorted(paths.items())
    )


def of_room(room: str) -> Iterator[Source]:
    """The files of one room."""
    return (source for source in sources() if source.path.startswith(f"ivr/{room}/"))


def dropped(name: str) -> bool:
    """Whether the filter of production drops a field."""
    return name not in drop_unjudged(None, "info", {"event": "something", name: 1})


@pytest.mark.parametrize("room", ROOMS)
def test_one_style_of_logger(room: str) -> None:
    """
    No room uses the standard library's loggers: they take sentences, and fields of any name.
    """
    assert [] == [place for source in of_room(room) for place in source.foreign]


@pytest.mark.parametrize("room", ROOMS)
def test_logger_is_named_after_its_room(room: str) -> None:
    """
    A line's ``logger`` says where in the code to look.
    """
    names = {
        f"{source.path}: {name}" for source in of_room(room) for name in source.loggers.values()
    }

    assert [] == sorted(name for name in names if not name.endswith(f": wegwijs.{room}"))


@pytest.mark.parametrize("room", ROOMS)
def test_event_is_a_constant_in_snake_case(room: str) -> None:
    """
    Who searches for an event, or alerts on one, finds its name in the code as it is in the log.
    """
    lines = [line for source in of_room(room) for line in source.lines]

    assert [] == [
        f"{line.place} {line.event}"
        for line in lines
        if line.event is None or not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", line.event)
    ]


def test_event_means_one_thing() -> None:
    """
    One name is logged from one file, so that it has one meaning.
    """
    files: dict[str | None, set[str]] = defaultdict(set)
    for source in sources():
        for line in source.lines:
            files[line.event].add(source.path)

    assert {} == {event: paths for event, paths in files.items() if len(paths) > 1}


@pytest.mark.parametrize("room", ROOMS)
def test_every_value_is_a_field_that_can_be_read_here(room: str) -> None:
    """
    No ``**values``, no ``%s``, no bound values, no logger that goes through other hands: what
    this test cannot read, nobody has judged.
    """
    unread = [place for source in of_room(room) for place in source.unread]
    unread += [line.place for source in of_room(room) for line in source.lines if line.has_more]

    assert [] == unread


@pytest.mark.parametrize("room", ROOMS)
def test_every_field_is_judged_and_passes_the_filter(room: str) -> None:
    """
    Nothing that the code logs is dropped on the way out, and nobody forgot to judge it.
    """
    used = [
        (line.place, name)
        for source in of_room(room)
        for line in source.lines
        for name in sorted(line.fields - {"exc_info"})
    ]

    assert [] == [f"{place} {name}" for place, name in used if name not in JUDGED or dropped(name)]


def test_no_judged_field_is_unused() -> None:
    """
    The table says what logs hold today, not what they held once.
    """
    used = {name for source in sources() for line in source.lines for name in line.fields}

    assert [] == sorted(JUDGED.keys() - used)


def test_judgement_is_a_sentence() -> None:
    """
    Each field says what it is.
    """
    unsaid = [
        name
        for name, why in JUDGED.items()
        if not re.fullmatch(r"[A-Z][^\n]{20,}\.", why) or name == why
    ]

    assert [] == unsaid


@pytest.mark.parametrize("package", ["asr", "intent"])
def test_speech_and_themas_log_nothing(package: str) -> None:
    """
    They know what callers said, and report by exceptions and return values alone.
    """
    found = [
        f"{path.name}: {line}"
        for path in (ROOT / package).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.match(r"\s*(import|from) (logging|structlog)\b", line)
    ]

    assert [] == found


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ('_log.info(f"state {x}")', "event"),
        ('_log.info("it is %s", x)', "values"),
        ('_log.info("state", **x)', "values"),
        ('_log.bind(transcript=x).info("state")', "unread"),
        ("pass_on(_log.info)", "unread"),
        ('_log.info("state", transcript=x)', "field"),
        ('tell = _log.info if x else _log.error\ntell("state", transcript=x)', "field"),
        ('structlog.get_logger("wegwijs.sip").info("state")', "unread"),
    ],
)
def test_what_would_go_unseen_is_seen(code: str, fault: str) -> None:
    """
    The ways around this test are faults themselves.
    """
    source = read_source(f'_log = structlog.get_logger("wegwijs.sip")\n{code}\n', "x.py")

    faults = set()
    for line in source.lines:
        faults |= {"event"} if line.event is None else set()
        faults |= {"values"} if line.has_more else set()
        faults |= {"field"} if any(name not in JUDGED for name in line.fields) else set()
    faults |= {"unread"} if source.unread else set()
    assert {fault} == faults
