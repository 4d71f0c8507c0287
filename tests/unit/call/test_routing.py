"""From a group to the transfers to try."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.call.routing import attempts
from ivr.call.rules import CallRules, Target, TransferMethod
from tests.unit.call.machine import BRIDGES, RULES, uri


def test_group_then_general_then_bridge() -> None:
    """
    Numbered from where the call stands.
    """
    plan = attempts(RULES, "energie", first_number=3)

    assert [
        (3, "energie", uri("energie"), TransferMethod.REFER),
        (4, "algemeen", uri("algemeen"), TransferMethod.REFER),
        (5, "algemeen", uri("algemeen"), TransferMethod.BRIDGE),
    ] == [(a.number, a.group, a.target.uri, a.target.method) for a in plan]


def test_general_group_is_tried_once() -> None:
    """
    Not again as its own fallback.
    """
    assert ["algemeen", "algemeen"] == [
        a.group for a in attempts(RULES, "algemeen", first_number=1)
    ]


def test_bridged_general_group_needs_no_second_bridge() -> None:
    """
    The last resort would be the same call again.
    """
    assert 2 == len(attempts(BRIDGES, "energie", first_number=1))


def test_bridge_waits_as_long_as_its_target() -> None:
    """
    The queue is the same one.
    """
    rules = replace(RULES, targets={"algemeen": (Target("sip:a@b", wait_seconds=99.0),)})

    assert [99.0, 99.0] == [
        a.target.wait_seconds for a in attempts(rules, "energie", first_number=1)
    ]


@pytest.mark.parametrize("group", ["energie", "algemeen", "onbekend"])
def test_no_targets_no_attempts(group: str) -> None:
    """
    The machine closes then.
    """
    assert () == attempts(CallRules(groups={}, targets={}), group, first_number=1)


@given(
    st.lists(st.sampled_from(list(TransferMethod)), max_size=12),
    st.lists(st.sampled_from(list(TransferMethod)), max_size=12),
    st.integers(1, 10),
)
def test_plan_is_bounded_and_ends_at_the_general_group(
    group: list[TransferMethod], general: list[TransferMethod], most: int
) -> None:
    """
    However many targets are configured, the last resort is kept.
    """
    rules = CallRules(
        groups={"energie": "energie"},
        targets={
            "energie": tuple(Target(uri("energie", n), m) for n, m in enumerate(group)),
            "algemeen": tuple(Target(uri("algemeen", n), m) for n, m in enumerate(general)),
        },
        attempts_most=most,
    )
    plan = attempts(rules, "energie", first_number=1)

    assert len(plan) <= most
    assert list(range(1, len(plan) + 1)) == [a.number for a in plan]
    if TransferMethod.REFER in general:
        assert ("algemeen", TransferMethod.BRIDGE) == (plan[-1].group, plan[-1].target.method)
