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
from tests.unit.monitoring.log_source import Line, Source, read_source

ROOT = Path(__file__).resolve().parents[3]
ROOMS = sorted(
    folder.name
    for folder in (ROOT / "ivr").iterdir()
    if folder.is_dir() and any(folder.rglob("*.py"))
)
SET_UP_IN = "ivr/monitoring/log.py"
"""Bounds the libraries' loggers: the one file that may name the standard library's."""


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
    names = {f"{source.path}: {name}" for source in of_room(room) for name in source.loggers}

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
    files = sorted((ROOT / package).rglob("*.py"))
    read = [read_source(path.read_text(encoding="utf-8"), path.name) for path in files]

    assert [] == [place for source in read for place in (*source.foreign, *source.unread)]
    assert [] == [name for source in read for name in source.loggers]


def faults(source: Source) -> set[str]:
    """What the tests above would say of one file."""
    found = {"foreign"} if source.foreign else set()
    found |= {"unread"} if source.unread else set()
    for line in source.lines:
        found |= {"event"} if line.event is None else set()
        found |= {"values"} if line.has_more else set()
        found |= {"field"} if any(name not in JUDGED for name in line.fields) else set()
    return found


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ('_log.info(f"state {x}")', "event"),
        ('_log.info(event=f"state {x}")', "event"),
        ('_log.info("it is %s", x)', "values"),
        ('_log.info("state", **x)', "values"),
        ('_log.info("state", transcript=x)', "field"),
        ('_log.info("state", extra={"transcript": x})', "field"),
        ('_log.info("state", stack_info=True)', "field"),
        ('tell = _log.info if x else _log.error\ntell("state", transcript=x)', "field"),
        ("tell = _log.info if x else _log.error\npass_on(tell)", "unread"),
        ("_log.bind(transcript=x)", "unread"),
        ('_log.bind(transcript=x).info("state")', "unread"),
        ("pass_on(_log)", "unread"),
        ("pass_on(_log.info)", "unread"),
        ('log = _log\nlog.info(f"said {x}")', "unread"),
        ('def f(log=_log):\n    log.info(f"said {x}")', "unread"),
        ("def f(_log):\n    pass", "unread"),
        ("def f():\n    global _log", "unread"),
        ("_log = other", "unread"),
        ('_log: object = structlog.get_logger("wegwijs.sip")', "unread"),
        ('def f():\n    _log = structlog.get_logger("wegwijs.sip")', "unread"),
        ('log = structlog.get_logger("wegwijs.sip")', "unread"),
        ('_log = structlog.get_logger("wegwijs.sip", transcript=x)', "unread"),
        ('self._log = structlog.get_logger("wegwijs.sip")', "unread"),
        ('self._log.info(f"said {x}")', "unread"),
        ('structlog.get_logger("wegwijs.sip").info("state")', "unread"),
        ('structlog.stdlib.get_logger("wegwijs.sip").info("state")', "unread"),
        ('structlog.getLogger("wegwijs.sip").info("state")', "unread"),
        ("make = structlog.get_logger", "unread"),
        ("from structlog import get_logger", "unread"),
        ("import structlog as s", "unread"),
        ("import structlog.stdlib", "unread"),
        ('__import__("os")', "unread"),
        ('getattr(_log, "info")(f"said {x}")', "unread"),
        ('getattr(module, "_log").info(f"said {x}")', "unread"),
        ("from ivr.engine.call import _log", "unread"),
        ("from ivr.engine.call import _log as log", "unread"),
        ('import ivr.engine.call as c\nc._log.info(f"said {x}")', "unread"),
        ("import logging", "foreign"),
        ("import logging as l", "foreign"),
        ("import logging.handlers", "foreign"),
        ("from logging import getLogger as make", "foreign"),
        ("from logging.handlers import SysLogHandler", "foreign"),
        ('import importlib\nimportlib.import_module("logging")', "foreign"),
        ('sys.modules["logging.handlers"]', "foreign"),
    ],
)
def test_what_would_go_unseen_is_seen(code: str, fault: str) -> None:
    """
    The ways around this test are faults themselves.
    """
    source = read_source(
        f'import structlog\n_log = structlog.get_logger("wegwijs.sip")\n{code}\n', "x.py"
    )

    assert fault in faults(source)


def test_what_can_be_read_is_no_fault() -> None:
    """
    The three forms that the code has: what is said of them is what they log.
    """
    source = read_source(
        "import structlog\n"
        '_log = structlog.get_logger("wegwijs.sip")\n'
        '_log.info("state", call_id=x, exc_info=True)\n'
        "tell = _log.info if x else _log.error\n"
        'tell("other", error=x)\n',
        "x.py",
    )

    assert set() == faults(source) - {"field"}
    assert ["wegwijs.sip"] == source.loggers
    assert [
        Line("x.py:3", "state", frozenset({"call_id", "exc_info"}), has_more=False),
        Line("x.py:5", "other", frozenset({"error"}), has_more=False),
    ] == source.lines
