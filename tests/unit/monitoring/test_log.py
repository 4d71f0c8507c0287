"""Log lines: one JSON object each, of judged fields only, whoever writes them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from ivr.monitoring.log import configure_logging

WORD = "kwispelmarter"


@pytest.fixture
def settings() -> Iterator[None]:
    """Logging as it was, afterwards."""
    root = logging.getLogger()
    handlers, level, raises = list(root.handlers), root.level, logging.raiseExceptions
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raises
    structlog.reset_defaults()


def log_to(text: io.StringIO, **options: Any) -> None:
    """Send what is logged from here on to ``text``."""
    configure_logging(**options)
    ours = logging.getLogger().handlers[0]
    assert isinstance(ours, logging.StreamHandler)
    ours.setStream(text)


@pytest.fixture
def written(settings: None) -> io.StringIO:
    """What goes to the log from here on."""
    text = io.StringIO()
    log_to(text, log_format="json")
    return text


def test_error_and_leg_are_in_the_line(written: io.StringIO) -> None:
    """
    An engineer reads what failed, and of which leg, with the time, the weight and the room.
    """
    structlog.get_logger("wegwijs.sip").error("listener_failed", error="ValueError", leg=3)

    line = json.loads(written.getvalue())
    moment = line.pop("timestamp")
    assert moment.endswith("Z")
    assert {
        "event": "listener_failed",
        "error": "ValueError",
        "leg": 3,
        "level": "error",
        "logger": "wegwijs.sip",
    } == line


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_field_that_nobody_judged_is_dropped_and_named(settings: None, log_format: str) -> None:
    """
    Its name shows that something is missing, its value is nowhere; what is judged stays.
    """
    text = io.StringIO()
    log_to(text, log_format=log_format)

    structlog.get_logger("wegwijs.engine").bind(spoken=WORD).info(
        "call_offered", call_id="c-1", transcript=WORD
    )

    assert WORD not in text.getvalue()
    for shown in ("call_offered", "c-1", "dropped_fields", "spoken", "transcript"):
        assert shown in text.getvalue()


def test_what_nobody_vetted_stays_out(written: io.StringIO) -> None:
    """
    A library may hang anything on a log line, a caller's words too, under whatever name.
    """
    logging.getLogger("some.package").error("it broke", extra={"request": WORD, "error": WORD})

    assert "it broke" in written.getvalue()
    assert WORD not in written.getvalue()


def raise_quoting() -> None:
    """Fail as an engine may that quotes the caller, twice."""
    try:
        raise KeyError(WORD)
    except KeyError as error:
        raise ValueError(f"no features in {WORD}") from error


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize("whose", ["ours", "a library's"])
def test_exception_is_told_without_its_text(settings: None, log_format: str, whose: str) -> None:
    """
    The classes and lines of code of what was raised are logged, whoever logs it, never the words.
    """
    text = io.StringIO()
    log_to(text, log_format=log_format)
    try:
        raise_quoting()
    except ValueError:
        if whose == "ours":
            structlog.get_logger("wegwijs.audio").exception("tick_failed", failed_ticks=1)
        else:
            logging.getLogger("some.package").exception("it broke")

    assert WORD not in text.getvalue()
    for shown in ("ValueError", "KeyError", "raise_quoting", "because of"):
        assert shown in text.getvalue()


def quote(said: str) -> None:
    """Fail, as a callback of a loop that was given what a caller said."""
    raise ValueError(said)


def test_asyncio_tells_where_and_not_what(written: io.StringIO) -> None:
    """
    A callback that fails, and a task that nobody waits for, are told without their arguments.
    """

    async def task() -> None:
        quote(WORD)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(quote, WORD)
        forgotten = loop.create_task(task())
        await asyncio.wait([forgotten])
        del forgotten

    asyncio.run(run())

    assert WORD not in written.getvalue()
    events = [json.loads(line)["event"] for line in written.getvalue().splitlines()]
    assert ["Exception in callback quote", "Task exception was never retrieved"] == events
    assert 2 == written.getvalue().count('"exception": ')


def test_field_cannot_pass_for_what_every_line_has(written: io.StringIO) -> None:
    """
    The text of an exception does not come in under the name of the exception.
    """
    structlog.get_logger("wegwijs.audio").error("tick_failed", exception=WORD)

    line = json.loads(written.getvalue())
    assert ["exception"] == line["dropped_fields"]
    assert WORD not in written.getvalue()


def test_logger_that_was_used_before_follows_the_settings(settings: None) -> None:
    """
    A line written before the format is known does not fix it for the rest of the process.
    """
    log = structlog.get_logger("wegwijs.service")
    first, second = io.StringIO(), io.StringIO()
    log_to(first, log_format="text")
    log.info("ready")

    log_to(second, log_format="json")
    log.info("stopped")

    assert "stopped" not in first.getvalue()
    assert "stopped" == json.loads(second.getvalue())["event"]


def test_libraries_chatter_is_left_out(written: io.StringIO) -> None:
    """
    One line a scrape, or one a statement, says nothing that metrics do not.
    """
    for name in ("uvicorn.access", "alembic.runtime.migration", "sqlalchemy.engine.Engine"):
        logging.getLogger(name).info("%s", WORD)

    assert "" == written.getvalue()
