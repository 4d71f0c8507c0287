"""Deciding by expected cost, in seconds of citizen and voorlichter time.

No threshold is written down anywhere: for each action the policy computes what it costs on
average, given the calibrated probabilities, and takes the cheapest. With the default costs a
thema is routed on at about 0.85 and confirmed above about one half, when few others are likely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Protocol

from ivr.call.ranking import RankedThema
from ivr.call.rules import MENU_MOST, Costs


@unique
class DecisionAction(StrEnum):
    """What to do with a question. The values are the command line's: never rename one."""

    ROUTE = "route"
    CONFIRM = "confirm"
    CHOOSE = "choose"
    REPEAT = "repeat"
    HUMAN = "human"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision and what it rests on."""

    action: DecisionAction
    thema: str | None = None
    """For ``route`` and ``confirm``."""
    options: tuple[str, ...] = ()
    """For ``choose``: themas in menu order."""
    costs: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Expected seconds per action that was possible."""
    ranking: tuple[RankedThema, ...] = ()
    confidence: float = 1.0


class Policy(Protocol):
    """Chooses an action for a ranking; :func:`decide` is the one in use and says what it takes."""

    def __call__(
        self,
        ranking: Sequence[RankedThema],
        *,
        costs: Costs,
        routable: frozenset[str],
        confidence: float = 1.0,
        may_repeat: bool = True,
        may_propose: bool = True,
    ) -> Decision:
        """Return the decision and what it rests on."""


def decide(
    ranking: Sequence[RankedThema],
    *,
    costs: Costs,
    routable: frozenset[str],
    confidence: float = 1.0,
    may_repeat: bool = True,
    may_propose: bool = True,
) -> Decision:
    """Choose the action with the lowest expected cost.

    Args:
        ranking: Calibrated, likeliest first, non-themas included; empty when nothing was
            understood.
        costs: In seconds.
        routable: Themas that have a group. What else is ranked, the labels that are no thema among
            it, belongs with the general group.
        confidence: The recogniser's, 0..1: how much there is to gain by asking again.
        may_repeat: Whether the caller may still be asked to say it again.
        may_propose: False once the caller has refused a proposal: then neither route nor
            confirm is possible.

    Returns:
        The decision, with the cost of every action that was possible. Ties go to the action
        that keeps the caller's word: route, confirm, choose, repeat, human.
    """
    ranking = tuple(ranking)
    themas = [ranked for ranked in ranking if ranked.thema in routable]
    spoken_of = sum(ranked.probability for ranked in themas)
    seconds: dict[str, float] = {}
    options: tuple[str, ...] = ()
    # A general voorlichter is the right place for whoever asked for one, speaks another
    # language or asks what is not ours; for all others it is one conversation too many.
    seconds[DecisionAction.HUMAN] = costs.human_seconds * spoken_of
    if themas:
        best = themas[0]
        options, seconds[DecisionAction.CHOOSE] = _cheapest_menu(themas, costs)
        if may_propose:
            seconds[DecisionAction.ROUTE] = (1.0 - best.probability) * costs.misroute(best.thema)
            wrong = 1.0 - best.probability
            # Known then: it is one of the others, which become as much likelier.
            _, menu_after_no = _cheapest_menu(themas[1:] or themas, costs, outof=wrong)
            seconds[DecisionAction.CONFIRM] = costs.confirm_seconds + wrong * menu_after_no
    if may_repeat:
        clearer = costs.repeat_success * (1.0 - confidence) if ranking else costs.repeat_success
        otherwise = min(seconds.values()) if themas else costs.human_seconds
        seconds[DecisionAction.REPEAT] = costs.repeat_seconds + (1.0 - clearer) * otherwise
    if not ranking:
        # Nothing was understood: there is no ranking to build a menu on, and a person is the
        # most expensive answer, so the machine offers the busiest groups when it may not ask again.
        seconds = {key: seconds[key] for key in seconds if key == DecisionAction.REPEAT}
        if not seconds:
            return Decision(action=DecisionAction.CHOOSE, confidence=confidence)
    order = list(DecisionAction)
    action = min(
        (DecisionAction(key) for key in seconds), key=lambda a: (seconds[a], order.index(a))
    )
    proposes = action in (DecisionAction.ROUTE, DecisionAction.CONFIRM)
    return Decision(
        action=action,
        thema=themas[0].thema if proposes else None,
        options=options if action is DecisionAction.CHOOSE else (),
        costs=MappingProxyType({str(key): round(value, 3) for key, value in seconds.items()}),
        ranking=ranking,
        confidence=confidence,
    )


def _cheapest_menu(
    themas: Sequence[RankedThema], costs: Costs, *, outof: float = 1.0
) -> tuple[tuple[str, ...], float]:
    """Return the options, likeliest first, and the cost of the menu length that costs least.

    Args:
        themas: Likeliest first; not empty.
        costs: In seconds.
        outof: The probability that all labels still possible have together.
    """
    best: tuple[tuple[str, ...], float] = ((), float("inf"))
    covered = 0.0
    for count, ranked in enumerate(themas[:MENU_MOST], start=1):
        covered += ranked.probability
        price = (
            costs.menu_seconds
            + count * costs.menu_option_seconds
            + max(0.0, 1.0 - covered / max(outof, 1e-9)) * costs.human_seconds
        )
        # A menu of one option is a confirmation, which the caller answers faster.
        if (count > 1 or len(themas) == 1) and price < best[1]:
            best = (tuple(option.thema for option in themas[:count]), price)
    return best
