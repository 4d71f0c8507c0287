"""Decisions by expected cost: figures worked out by hand, and what must hold for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.call import policy
from ivr.call.policy import Decision, DecisionAction
from ivr.call.ranking import RankedThema
from ivr.call.rules import MENU_MOST, Costs

THEMAS = ("belastingen", "energie", "mobiliteit", "onderwijs", "welzijn-zorg")
NON_THEMAS = ("andere-taal", "buiten-bereik", "mens")
LABELS = (*THEMAS, *NON_THEMAS)
COSTS = Costs()


def decide(ranking: Sequence[RankedThema], **how: Any) -> Decision:
    """As the policy does, with every thema routable unless the test says otherwise."""
    return policy.decide(ranking, **({"routable": frozenset(THEMAS)} | how))


def ranked(**probabilities: float) -> list[RankedThema]:
    """A ranking; underscores stand for hyphens."""
    pairs = [RankedThema(t.replace("_", "-"), p) for t, p in probabilities.items()]
    return sorted(pairs, key=lambda r: -r.probability)


@st.composite
def rankings(draw: st.DrawFn) -> list[RankedThema]:
    weights = draw(st.lists(st.floats(0.0, 1.0), min_size=len(LABELS), max_size=len(LABELS)))
    power = draw(st.sampled_from([1, 4, 20]))
    weights = [weight**power + 1e-9 for weight in weights]
    total = sum(weights)
    found = [RankedThema(t, min(1.0, w / total)) for t, w in zip(LABELS, weights, strict=True)]
    return sorted(found, key=lambda r: -r.probability)


seconds = st.floats(0.5, 200.0)


@st.composite
def costs_of(draw: st.DrawFn) -> Costs:
    return Costs(
        misroute_seconds=draw(seconds),
        misroute_seconds_by_thema=draw(st.dictionaries(st.sampled_from(THEMAS), seconds)),
        confirm_seconds=draw(seconds),
        menu_seconds=draw(seconds),
        menu_option_seconds=draw(seconds),
        repeat_seconds=draw(seconds),
        repeat_success=draw(st.floats(0.0, 1.0)),
        human_seconds=draw(seconds),
    )


def flags(data: st.DataObject) -> tuple[float, bool, bool]:
    return data.draw(st.floats(0.0, 1.0)), data.draw(st.booleans()), data.draw(st.booleans())


# --- by hand -------------------------------------------------------------------------------------


def test_costs_are_those_of_the_formulas() -> None:
    """
    energie 0.75, onderwijs 0.15, mobiliteit 0.05, "mens" 0.05; the recogniser was half sure.
    """
    decision = decide(
        ranked(energie=0.75, onderwijs=0.15, mobiliteit=0.05, mens=0.05),
        costs=COSTS,
        confidence=0.5,
    )
    route = 0.25 * 80
    # After a no: onderwijs and mobiliteit cover four fifths of what is left.
    after_no = 8 + 2 * 3 + 0.2 * 45
    confirm = 8 + 0.25 * after_no
    choose = 8 + 2 * 3 + 0.1 * 45
    # Energie and onderwijs; a third option costs 3 s and saves 0.05 * 45.
    human = 0.95 * 45
    repeat = 8 + (1 - 0.7 * 0.5) * min(route, confirm, choose, human)

    assert {
        "route": pytest.approx(route),
        "confirm": pytest.approx(confirm),
        "choose": pytest.approx(choose),
        "human": pytest.approx(human),
        "repeat": pytest.approx(repeat, abs=1e-3),
    } == dict(decision.costs)
    assert DecisionAction.CONFIRM is decision.action
    assert "energie" == decision.thema


@pytest.mark.parametrize(
    ("misroute_seconds", "threshold"), [(40.0, 0.6), (65.0, 0.82), (130.0, 0.93)]
)
def test_thresholds_fall_out_of_the_costs(misroute_seconds: float, threshold: float) -> None:
    """
    Nobody writes a probability down: a dearer misroute needs a surer ranking.
    """
    costs = replace(COSTS, misroute_seconds=misroute_seconds)

    def action(best: float) -> DecisionAction:
        rest = (1 - best) / 4
        ranking = ranked(
            energie=best, onderwijs=rest, mobiliteit=rest, belastingen=rest, welzijn_zorg=rest
        )
        return decide(ranking, costs=costs, may_repeat=False).action

    assert DecisionAction.ROUTE is action(threshold + 0.02)
    assert DecisionAction.ROUTE is not action(threshold - 0.02)


def test_dear_thema_has_its_own_threshold() -> None:
    """
    The same certainty routes one thema and asks about another.
    """
    costs = replace(COSTS, misroute_seconds_by_thema={"welzijn-zorg": 300.0})
    cheap = decide(ranked(energie=0.9, welzijn_zorg=0.1), costs=costs)
    dear = decide(ranked(welzijn_zorg=0.9, energie=0.1), costs=costs)

    assert DecisionAction.ROUTE is cheap.action
    assert DecisionAction.CONFIRM is dear.action


def test_several_alike_are_offered() -> None:
    """
    Likeliest first, and only as many as pay for the time they take.
    """
    decision = decide(
        ranked(energie=0.26, onderwijs=0.25, mobiliteit=0.24, belastingen=0.23, mens=0.02),
        costs=COSTS,
    )

    assert DecisionAction.CHOOSE is decision.action
    assert ("energie", "onderwijs", "mobiliteit", "belastingen") == decision.options
    assert decision.thema is None


def test_caller_who_wants_a_person_gets_one() -> None:
    """
    No confirmation, no menu, no repetition.
    """
    for label in NON_THEMAS:
        decision = decide([RankedThema(label, 0.97), RankedThema("energie", 0.03)], costs=COSTS)

        assert DecisionAction.HUMAN is decision.action
        assert decision.thema is None


def test_nothing_understood_is_asked_again_or_gets_the_busiest() -> None:
    """
    Without a ranking there is nothing to route, confirm or choose from.
    """
    again = decide([], costs=COSTS)
    menu = decide([], costs=COSTS, may_repeat=False)

    assert (DecisionAction.REPEAT, {"repeat"}) == (again.action, set(again.costs))
    assert (DecisionAction.CHOOSE, (), {}) == (menu.action, menu.options, dict(menu.costs))


def test_asking_again_pays_only_when_it_was_badly_heard() -> None:
    """
    The same vague ranking: a clear recording would only be heard again.
    """
    vague = ranked(energie=0.3, onderwijs=0.25, mobiliteit=0.25, belastingen=0.2)

    assert DecisionAction.REPEAT is decide(vague, costs=COSTS, confidence=0.0).action
    assert DecisionAction.REPEAT is not decide(vague, costs=COSTS, confidence=1.0).action
    assert (
        DecisionAction.REPEAT
        is not decide(vague, costs=COSTS, confidence=0.0, may_repeat=False).action
    )


def test_thema_without_a_group_is_not_routed() -> None:
    """
    However sure the classifier is.
    """
    decision = decide(
        ranked(energie=0.9, onderwijs=0.1), costs=COSTS, routable=frozenset({"onderwijs"})
    )

    assert decision.thema != "energie"
    assert "energie" not in decision.options
    nobody = decide(ranked(energie=1.0), costs=COSTS, routable=frozenset())
    assert DecisionAction.HUMAN is nobody.action


def test_ties_keep_the_callers_word() -> None:
    """
    Route before confirm before choose before repeat before human.
    """
    even = Costs(
        misroute_seconds=20.0,
        confirm_seconds=10.0,
        menu_seconds=4.0,
        menu_option_seconds=6.0,
        human_seconds=10.0,
    )
    decision = decide(ranked(energie=0.5, mens=0.5), costs=even, may_repeat=False)
    tied = {key for key, cost in decision.costs.items() if cost == min(decision.costs.values())}

    assert {"human"} == tied
    human_dearer = decide(
        ranked(energie=0.5, mens=0.5), costs=replace(even, human_seconds=20.0), may_repeat=False
    )
    assert human_dearer.costs["route"] == human_dearer.costs["human"]
    assert DecisionAction.ROUTE is human_dearer.action


# --- for all -------------------------------------------------------------------------------------


@given(rankings(), costs_of(), st.data())
def test_chosen_action_has_the_least_cost(
    ranking: list[RankedThema], costs: Costs, data: st.DataObject
) -> None:
    """
    Of those that were possible; and what it needs is there.
    """
    confidence, may_repeat, may_propose = flags(data)
    decision = decide(
        ranking,
        costs=costs,
        confidence=confidence,
        may_repeat=may_repeat,
        may_propose=may_propose,
    )

    assert decision.costs[decision.action] <= min(decision.costs.values()) + 1e-3
    assert may_repeat == ("repeat" in decision.costs)
    assert may_propose == ("route" in decision.costs) == ("confirm" in decision.costs)
    assert all(cost >= 0.0 for cost in decision.costs.values())
    proposes = decision.action in (DecisionAction.ROUTE, DecisionAction.CONFIRM)
    assert proposes == (decision.thema is not None)
    assert (decision.action is DecisionAction.CHOOSE) == bool(decision.options)
    assert tuple(ranking) == decision.ranking


@given(rankings(), costs_of(), st.data())
def test_proposals_and_options_are_themas_likeliest_first(
    ranking: list[RankedThema], costs: Costs, data: st.DataObject
) -> None:
    """
    Never a non-thema, at most four, no gap in the order.
    """
    decision = decide(ranking, costs=costs, confidence=data.draw(st.floats(0.0, 1.0)))
    themas = [r.thema for r in ranking if r.thema not in NON_THEMAS]

    assert decision.thema in (None, themas[0])
    assert themas[: len(decision.options)] == list(decision.options)
    assert len(decision.options) <= MENU_MOST


@given(rankings(), costs_of(), st.floats(0.0, 500.0), st.floats(0.0, 1.0))
def test_dearer_misroute_never_makes_a_route(
    ranking: list[RankedThema], costs: Costs, more: float, confidence: float
) -> None:
    """
    Raising the cost turns routes into questions, never a question into a route.
    """
    costs = replace(costs, misroute_seconds_by_thema={})
    dearer = replace(costs, misroute_seconds=costs.misroute_seconds + more)
    before = decide(ranking, costs=costs, confidence=confidence)
    after = decide(ranking, costs=dearer, confidence=confidence)

    if before.action is not DecisionAction.ROUTE:
        assert after.action is not DecisionAction.ROUTE


@given(st.sampled_from(THEMAS), costs_of(), st.floats(0.0, 1.0))
def test_certainty_routes(thema: str, costs: Costs, confidence: float) -> None:
    """
    Whatever it costs to be wrong.
    """
    decision = decide([RankedThema(thema, 1.0)], costs=costs, confidence=confidence)

    assert (DecisionAction.ROUTE, thema) == (decision.action, decision.thema)


@given(st.sampled_from(NON_THEMAS), costs_of(), st.floats(0.0, 1.0))
def test_certain_non_thema_gets_a_human(label: str, costs: Costs, confidence: float) -> None:
    """
    It costs nothing: it is where the caller belongs.
    """
    decision = decide([RankedThema(label, 1.0)], costs=costs, confidence=confidence)

    assert (DecisionAction.HUMAN, 0.0) == (decision.action, decision.costs["human"])


@given(rankings(), costs_of(), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_better_heard_never_means_ask_again(
    ranking: list[RankedThema], costs: Costs, one: float, other: float
) -> None:
    """
    If asking again does not pay for a poor recording, it does not for a better one.
    """
    poor, good = sorted((one, other))
    badly = decide(ranking, costs=costs, confidence=poor)
    well = decide(ranking, costs=costs, confidence=good)

    if badly.action is not DecisionAction.REPEAT:
        assert well.action is not DecisionAction.REPEAT


@given(rankings(), costs_of())
def test_decision_depends_on_its_arguments_only(ranking: list[RankedThema], costs: Costs) -> None:
    """
    A past call can be replayed.
    """
    first: Decision = decide(ranking, costs=costs)

    assert first == decide(list(ranking), costs=costs)
