"""One call's contact record, fact by fact."""

from __future__ import annotations

import datetime

import pytest

from ivr.engine.register import CallRegister
from ivr.ports.records import StageMeasured
from tests.fakes.surroundings import FakeCallerNumbers, FakeFolder, FakeSink


def test_a_stage_of_a_turn_is_told_once() -> None:
    """
    A second time is a bug of ours, and not dropped without a word.
    """
    sink = FakeSink()
    register = CallRegister(
        "c0ffee",
        sink,
        FakeFolder(),
        FakeCallerNumbers(),
        lambda: datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC),
        keeps_number=False,
    )
    register.stage(1, "recognition", 0.1)
    register.stage(2, "recognition", 0.2)
    with pytest.raises(ValueError, match="stage recognition of turn 1"):
        register.stage(1, "recognition", 0.3)

    assert [(1, 0.1), (2, 0.2)] == [(r.turn, r.seconds) for r in sink.of(StageMeasured)]
