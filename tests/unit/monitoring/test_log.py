"""Log lines: one JSON object each, with what the standard library's loggers add."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from ivr.monitoring.log import configure_logging


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What goes to the log from here on."""
    root = logging.getLogger()
    handlers, level, raises = list(root.handlers), root.level, logging.raiseExceptions
    configure_logging("json")
    text = io.StringIO()
    ours = root.handlers[0]
    assert isinstance(ours, logging.StreamHandler)
    ours.setStream(text)
    yield text
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raises
    structlog.reset_defaults()


def test_error_and_leg_are_in_the_line(written: io.StringIO) -> None:
    """
    An engineer reads what failed, and of which leg.
    """
    logging.getLogger("ivr.sip.leg").error(
        "a leg's listener failed", extra={"error": "ValueError", "leg": 3}
    )

    line = json.loads(written.getvalue())
    assert ("ValueError", 3) == (line["error"], line["leg"])


def test_what_nobody_vetted_stays_out(written: io.StringIO) -> None:
    """
    A library may hang anything on a log line, a caller's words too.
    """
    logging.getLogger("some.package").error("it broke", extra={"request": "kwispelmarter"})

    assert "it broke" in written.getvalue()
    assert "kwispelmarter" not in written.getvalue()
