"""The shortest call that can be stored, and a word that must never be seen in a message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ivr.call.states import Outcome
from ivr.ports.records import CallEnded, CallOpened

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
MARKER = "kwikstaartmarkering"


def opened(call_id: str = "a", at: datetime = NOW) -> CallOpened:
    return CallOpened(call_id=call_id, started_at=at, line="1700", mode="route")


def ended(call_id: str = "a", outcome: Outcome = Outcome.ROUTED) -> CallEnded:
    return CallEnded(
        call_id=call_id,
        ended_at=NOW + timedelta(seconds=40),
        outcome=outcome,
        thema="energie",
        group="energie",
        sip_status=200,
    )
