"""Structured logs: one JSON object a line, with call_id and no personal data."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog

_EXTRAS = ("error", "event_type", "file", "leg", "ports", "status")
"""What a line of the standard library's loggers may carry beside its text: nothing personal."""


def configure_logging(log_format: Literal["json", "text"], *, level: int = logging.INFO) -> None:
    """Send every log line of this process to stderr in one form.

    Args:
        log_format: ``json`` for machines, ``text`` for a terminal.
        level: Lowest level that is written.
    """
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        stamp,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(allow=_EXTRAS)],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
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
