"""How long a pause must be to end a turn, from what the partial transcripts say so far."""

from __future__ import annotations

from collections.abc import Callable

from intent.classifier import Classification
from ivr.call.events import Ranked
from ivr.call.policy import DecisionAction, decide
from ivr.call.rules import CallRules, Pauses


class Settling:
    """Follows the partials of one turn; called on one pool thread at a time.

    Args:
        rules: The line's.
        pauses: The line's.
        set_pause: Tells the audio core, in milliseconds; called only when it changes.
    """

    def __init__(self, rules: CallRules, pauses: Pauses, set_pause: Callable[[int], None]) -> None:
        self._rules = rules
        self._pauses = pauses
        self._set_pause = set_pause
        self._last: tuple[DecisionAction, str | None] | None = None
        self._pause_ms = pauses.usual_ms

    def partial(self, classification: Classification, confidence: float) -> None:
        """Take the classification of one more partial."""
        decision = decide(
            to_ranking(classification),
            costs=self._rules.costs,
            routable=frozenset(self._rules.groups),
            confidence=confidence,
            may_repeat=False,
        )
        now = (decision.action, decision.thema)
        # Two partials in a row must agree: a single one flips with the next word.
        if decision.action is DecisionAction.ROUTE and now == self._last:
            pause_ms = self._pauses.settled_ms
        elif not decision.ranking or decision.ranking[0].probability < 0.5:
            # Whatever it is, it is likelier something else: the point is still to come.
            pause_ms = self._pauses.unsettled_ms
        else:
            pause_ms = self._pauses.usual_ms
        self._last = now
        if pause_ms != self._pause_ms:
            self._pause_ms = pause_ms
            self._set_pause(pause_ms)


def to_ranking(classification: Classification) -> tuple[Ranked, ...]:
    """The classifier's ranking as the call machine takes it."""
    return tuple(
        Ranked(ranked.thema, min(1.0, max(0.0, ranked.probability)))
        for ranked in classification.ranking
    )
