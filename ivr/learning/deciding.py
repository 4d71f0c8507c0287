"""What a call would do with a classification, outside any call: for commands and measurements."""

from __future__ import annotations

from typing import Protocol

from intent.catalogue import Catalogue
from intent.classifier import Classification
from ivr.call.policy import Decision, decide
from ivr.call.ranking import ranking_of
from ivr.call.rules import Costs


class Decide(Protocol):
    """Decides on one classification."""

    def __call__(self, found: Classification, confidence: float = 1.0) -> Decision:
        """Return the decision; ``confidence`` is the recogniser's, 0..1."""


def decider(catalogue: Catalogue, costs: Costs) -> Decide:
    """Return the decision policy as a call's first question meets it.

    Args:
        catalogue: Its themas may be routed on, whatever groups a configuration has.
        costs: In seconds.
    """
    routable = frozenset(thema.slug for thema in catalogue.themas if not thema.non_thema)

    def by_cost(found: Classification, confidence: float = 1.0) -> Decision:
        ranking = ranking_of((ranked.thema, ranked.probability) for ranked in found.ranking)
        return decide(ranking, costs=costs, routable=routable, confidence=confidence)

    return by_cost
