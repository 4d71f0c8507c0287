"""What one called number means: its rules, hours and privacy."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ivr.call.rules import CallRules, Pauses
from ivr.ports import Prompts


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: a called number with its own rules."""

    number: str
    """Called number; ``*`` for every other one."""
    rules: CallRules
    is_open: Callable[[datetime.datetime], bool] = lambda _: True
    """Given an aware moment; whether voorlichters are there."""
    offers_callback: bool = False
    keeps_caller_number: bool = False
    """Store the caller's number encrypted, not only its keyed hash."""
    keeps_recordings: bool = True
    pauses: Pauses = field(default_factory=Pauses)
    prompts: Prompts | None = None
    """The line's own prompts (its opening hours are spoken); the shared ones when None."""


def line_for(lines: Mapping[str, Line], called: str) -> Line | None:
    """Return the line of a called number, the line ``*`` when there is one, or None."""
    return lines.get(called) or lines.get("*")
