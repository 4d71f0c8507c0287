"""What holds in every state of the machine, and values that it refuses."""

from __future__ import annotations

import pytest

from ivr.call import actions as act
from ivr.call import events as ev
from ivr.call.ranking import RankedThema
from ivr.call.rules import CallRules
from ivr.call.states import CallState, Outcome
from ivr.call.table import TABLE, rows_for
from tests.unit.call.machine import BRIDGES, RULES, call_in

# --- every state ---------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(CallState))
def test_every_state_can_be_reached_and_left_by_hanging_up(state: CallState) -> None:
    """
    One end, no transfer after it, no timer left.
    """
    rules = BRIDGES if state is CallState.BRIDGED else RULES
    talk = call_in(state, rules, can_call_back=True)
    assert state is talk.state
    tried = len(talk.tried())
    talk.send(ev.CallerHungUp())

    assert CallState.ENDED is talk.state
    assert tried == len(talk.tried())
    assert isinstance(talk.actions[-1], act.End)
    timers = [a for a in talk.actions if isinstance(a, act.StartTimer | act.CancelTimer)]
    assert not timers or isinstance(timers[-1], act.CancelTimer)


@pytest.mark.parametrize("state", [s for s in CallState if s is not CallState.OFFERED])
def test_end_by_our_own_side_is_told_apart(state: CallState) -> None:
    """
    "leg_failed" wherever it would have been "abandoned".
    """
    rules = BRIDGES if state is CallState.BRIDGED else RULES
    talk = call_in(state, rules)
    if state is CallState.ENDED:
        return
    talk.send(ev.CallerHungUp(by_us=True))

    assert talk.end().outcome is not Outcome.ABANDONED
    if state not in (CallState.BRIDGED,):
        assert "leg_failed" == talk.end().reason


def test_states_and_events_of_the_table_exist() -> None:
    """
    Each row is found through its own pair.
    """
    assert all(row in rows_for(row.state, row.event) for row in TABLE)
    assert set(CallState) == {row.state for row in TABLE}


def test_every_row_says_what_it_does() -> None:
    """
    The diagram and the table in the documents are made of these words.
    """
    nameless = [
        (row.state.value, row.event.__name__)
        for row in TABLE
        if not row.do.__doc__ or (row.when is not None and not row.when.__doc__)
    ]

    assert [] == nameless


def test_digit_is_not_shown() -> None:
    """
    Neither in a repr nor in the error about a wrong one.
    """
    assert "7" not in repr(ev.Digit("7"))
    with pytest.raises(ValueError, match="a digit must be one of") as raised:
        ev.Digit("77")
    assert "77" not in str(raised.value)


@pytest.mark.parametrize(
    "ranked",
    [
        (RankedThema("energie", 0.7), RankedThema("onderwijs", 0.7)),
        (RankedThema("energie", 0.2), RankedThema("onderwijs", 0.7)),
    ],
)
def test_ranking_that_is_none_is_refused(ranked: tuple[RankedThema, ...]) -> None:
    """
    More than everything, or out of order.
    """
    with pytest.raises(ValueError, match="ranking"):
        ev.ThemaRanked(epoch=1, ranking=ranked)


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
def test_probability_that_is_none_is_refused(probability: float) -> None:
    """
    NaN too: it compares with nothing, and no cost would be right.
    """
    with pytest.raises(ValueError, match="energie"):
        RankedThema("energie", probability)


def test_rules_without_themas_lead_to_a_human() -> None:
    """
    An empty menu is replayed no more often than any other.
    """
    talk = call_in(CallState.MENU, CallRules(groups={}, targets={}))
    for _ in range(2):
        talk.prompt_finished()
        talk.timeout()

    assert CallState.ANNOUNCING is talk.state
