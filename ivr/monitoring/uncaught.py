"""What nobody catches, and what Python warns of: told as log lines, by class and place only.

Left alone, Python writes exceptions, warnings and their texts to stderr between the log's lines,
and a text may quote a caller.
"""

from __future__ import annotations

import sys
import threading
import warnings
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import TextIO

import structlog

_log = structlog.get_logger("wegwijs.monitoring")


def log_the_uncaught() -> None:
    """Route what nobody catches, and warnings, through the log of this process.

    Ctrl-C is told as Python tells it, and a thread may end by ``SystemExit``.
    """
    sys.excepthook = _in_main_thread
    threading.excepthook = _in_thread
    sys.unraisablehook = _in_finaliser
    warnings.showwarning = _warned


def _in_main_thread(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        # Another one: this one may hang on an exception that was being handled.
        sys.__excepthook__(kind, kind(), trace)
        return
    with _whatever_fails():
        _log.critical("uncaught", error=kind.__name__, exc_info=error)


def _in_thread(args: threading.ExceptHookArgs) -> None:
    if issubclass(args.exc_type, SystemExit):
        return
    with _whatever_fails():
        _log.error("uncaught_in_thread", error=args.exc_type.__name__, exc_info=args.exc_value)


def _in_finaliser(args: sys.UnraisableHookArgs) -> None:
    with _whatever_fails():
        _log.error("uncaught_in_finaliser", error=args.exc_type.__name__, exc_info=args.exc_value)


def _whatever_fails() -> AbstractContextManager[None]:
    """Of a hook that fails Python tells with the first exception's text."""
    return suppress(Exception)


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    _log.warning("python_warned", error=category.__name__, file=filename, line_number=lineno)
