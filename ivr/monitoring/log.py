"""Structured logs: one JSON object a line, of constant events and judged fields only.

Every line of ours is written by ``structlog.get_logger("wegwijs.ROOM")``: a constant event name in
snake_case, its values as keyword fields. A field that :data:`JUDGED` does not name is dropped on
the way out, and ``dropped_fields`` says which. The libraries' own loggers keep their text and lose
everything that they hang on it.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import Final, Literal

import structlog

JUDGED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "action": "Name of a class of the call machine's actions: a word of our code.",
        "admission": "Why a call was let in or refused: a word of our code.",
        "again_in_seconds": "How long the supervisor waits: a constant of ours, doubled.",
        "because": "Why a breaker changed its state: a code of ours.",
        "call_id": "Our own random name of a call; nothing outside the register knows whose it is.",
        "calls_left": "How many calls outlasted a drain.",
        "code": "Code of one of our own errors: a word of our code.",
        "components": "Names of our own parts that stopped working.",
        "count": "How many records an earlier process left open.",
        "damaged": "How many lines of the spool were no records.",
        "engine": "Name of a speech engine, from the configuration.",
        "error": "Class of an exception or a warning, never a text: it may quote a caller.",
        "event_name": "Name of a class of the call machine's events: a word of our code.",
        "event_type": "Name of a class of what a leg reports: a word of our code.",
        "exit_code": "How a process of ours ended, 0..255, or the signal that ended it, below 0.",
        "failed_ticks": "How many ticks of the audio core failed since its start.",
        "file": "Path of a file of ours (spool, prompt) or of code; names nothing of a caller.",
        "http_port": "Port of the phone's HTTP server.",
        "leg": "Our own number of a leg, counted from the start of the process.",
        "line_number": "Line of code at which something was raised or warned of.",
        "live": "How many calls there are.",
        "model": "Name or folder of a speech model, from the configuration.",
        "new": "State that a call comes into: a word of our code.",
        "old": "State that a call comes from: a word of our code.",
        "os_error": "The operating system's words for an error number; it names no file.",
        "outcome": "How a call ended: a word of our code.",
        "pjsip_error": "Status number of the SIP library.",
        "problem": "Text of an error of the contact register, which is made of the database's "
        "place and the driver's code, never of a record or a password; or a class's name.",
        "reason": "Why a call ended so: a code of ours.",
        "recogniser": "Which of the two speech engines: first or second.",
        "records": "How many contact records.",
        "remedy": "What an operator can do about it: a constant sentence of ours.",
        "retries": "How many attempts failed before one succeeded.",
        "seconds": "How long a registration lasts.",
        "sip_ports": "Port by transport on which calls are taken.",
        "state": "State of a call or of a breaker: a word of our code.",
        "status": "SIP status code that we sent or got.",
        "version": "Name of a version of the classifier.",
        "whose": "Whose code the audio core called: the listener's or a sink's.",
        "worker": "Name of a thread of ours.",
    }
)
"""Every field that a line may carry, with what it is and why that is nothing of a caller.

A test holds it equal to the fields that the code uses: who adds one judges it here.
"""

_OF_EVERY_LINE: Final = frozenset({"event", "level", "logger", "timestamp", "exc_info"})
"""What is no field: :func:`exception_without_text` makes something harmless of the last."""
_LONGEST_CHAIN: Final = 10
"""So many exceptions are told, of those that led to one another."""


def drop_unjudged(
    logger: object, method: str, event_dict: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Let judged fields pass, a structlog processor; the names of all others, not their values.

    Args:
        logger: As structlog calls its processors; not used.
        method: Likewise.
        event_dict: Of one line.

    Returns:
        A new one.
    """
    kept = {
        name: value
        for name, value in event_dict.items()
        if name in _OF_EVERY_LINE or name in JUDGED
    }
    if dropped := sorted(event_dict.keys() - kept.keys()):
        kept["dropped_fields"] = dropped
    return kept


def exception_without_text(
    logger: object, method: str, event_dict: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Turn ``exc_info`` into the places and classes of what was raised, a structlog processor.

    Exceptions' own texts stay out, because they may quote a caller.

    Args:
        logger: As structlog calls its processors; not used.
        method: Likewise.
        event_dict: Of one line; changed.

    Returns:
        The same, with ``exception`` in place of ``exc_info``.
    """
    raised = event_dict.pop("exc_info", None)
    if isinstance(raised, BaseException):
        error: BaseException | None = raised
    elif isinstance(raised, tuple):
        error = raised[1]
    else:
        error = sys.exc_info()[1] if raised else None
    told: list[str] = []
    while error is not None and len(told) < _LONGEST_CHAIN:
        told.append("".join([*_places(error.__traceback__), type(error).__name__]))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if told:
        event_dict["exception"] = "\nbecause of:\n".join(told)
    return event_dict


def _asyncio_without_values(
    logger: object, method: str, event_dict: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Cut what asyncio says of a callback or task that failed before the first value in it.

    It writes out arguments and exceptions, which may hold what a caller said or pressed.
    """
    if event_dict.get("logger") == "asyncio":
        event_dict["event"] = re.split(r"[(<\n]", str(event_dict["event"]), maxsplit=1)[0].strip()
    return event_dict


def _places(trace: TracebackType | None) -> list[str]:
    """Lines of code, as Python prints them: code holds no values."""
    return traceback.format_list(traceback.extract_tb(trace))


def configure_logging(log_format: Literal["json", "text"], *, level: int = logging.INFO) -> None:
    """Send every log line of this process to stderr in one form.

    Args:
        log_format: ``json`` for machines, ``text`` for a terminal.
        level: Lowest level that is written, as the standard library numbers them.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # A logger that was used before, or in another test, follows what is configured now.
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            # What libraries hang on their lines is not taken over: anything may be in it.
            foreign_pre_chain=[*shared, _asyncio_without_values],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                drop_unjudged,
                exception_without_text,
                renderer,
            ],
        )
    )
    # A log that cannot be written would otherwise be reported with the exception at hand, whose
    # text may quote a caller.
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Access lines say nothing that metrics do not, and uvicorn would write one per scrape.
    for name in ("uvicorn", "uvicorn.access", "uvicorn.error", "alembic", "sqlalchemy"):
        logging.getLogger(name).setLevel(logging.WARNING)
