"""A call as a story: its timeline, who takes part, and the JSON of it.

``Story.as_json`` is the contract of ``wegwijs demo --json`` and ``wegwijs call --json``;
``ivr/demo/README.md`` documents it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Any


@unique
class Who(StrEnum):
    """A party of the call."""

    CALLER = "caller"
    SERVICE = "service"
    VOORLICHTER = "voorlichter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the timeline."""

    at_seconds: float
    """On the clock of the caller's recording, which starts with the dialling."""
    who: Who
    what: str
    """A fixed word; the README lists them."""
    text: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "at_seconds": round(self.at_seconds, 3),
            "who": self.who.value,
            "what": self.what,
            "text": self.text,
            **self.details,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One call, from every party's view."""

    call_id: str | None
    outcome: str
    thema: str | None
    """Routed on, or else the likeliest."""
    group: str | None
    """The voorlichter group that answered, by the contact centre's own report."""
    probability: float | None
    transcript: str | None
    said: str | None
    proposed: str | None
    menu: tuple[Mapping[str, Any], ...]
    ranking: tuple[Mapping[str, Any], ...]
    decision: Mapping[str, Any] | None
    transfers: tuple[Mapping[str, Any], ...]
    dead_air_ms: tuple[float, ...]
    latencies_ms: tuple[Mapping[str, Any], ...]
    timeline: tuple[Entry, ...]

    @property
    def reached(self) -> bool:
        """Whether the caller reached a voorlichter group."""
        return self.group is not None

    def as_json(self) -> dict[str, Any]:
        """For programs; keys are never renamed or left out."""
        return {
            "call_id": self.call_id,
            "said": self.said,
            "transcript": self.transcript,
            "thema": self.thema,
            "probability": self.probability,
            "ranking": [dict(item) for item in self.ranking],
            "decision": None if self.decision is None else dict(self.decision),
            "proposed": self.proposed,
            "menu": [dict(item) for item in self.menu],
            "group": self.group,
            "outcome": self.outcome,
            "transfers": [dict(item) for item in self.transfers],
            "dead_air_ms": list(self.dead_air_ms),
            "latencies_ms": [dict(item) for item in self.latencies_ms],
            "timeline": [entry.as_json() for entry in self.timeline],
        }
