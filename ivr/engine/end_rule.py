"""When a caller's turn is over: a strategy that says which pause ends it.

Another strategy, for example a trained model of turn ends, is another class of this form, given
to the calls as :class:`EndRules`.
"""

from __future__ import annotations

from typing import Protocol

from asr.recogniser import Partial
from intent.classifier import Classification
from ivr.call.actions import Purpose
from ivr.call.policy import DecisionAction, decide
from ivr.call.ranking import ranking_of
from ivr.call.rules import CallRules, Pauses
from ivr.lines.line import Line


class EndRule(Protocol):
    """Of one turn; on the loop's thread."""

    @property
    def pause_ms(self) -> int:
        """A pause of so many milliseconds ends the turn, as far as is known now."""

    def heard(self, partial: Partial, classification: Classification, now: float) -> None:
        """Take what was said so far and what it is about.

        Args:
            partial: The newest one.
            classification: Of its text.
            now: Seconds on the loop's clock.
        """


class EndRules(Protocol):
    """Makes the strategy of each turn."""

    def __call__(self, line: Line, purpose: Purpose) -> EndRule:
        """Return one for a turn that begins on this line."""


class FixedPause:
    """Always the same pause, whatever is said.

    Args:
        pause_ms: In milliseconds.
    """

    def __init__(self, pause_ms: int) -> None:
        self.pause_ms = pause_ms

    def heard(self, partial: Partial, classification: Classification, now: float) -> None:
        """Change nothing."""


class PauseByCertainty:
    """A short pause when it is clear what the caller wants, a long one when nothing is clear.

    Args:
        rules: The line's: clear is what the policy would route on.
        pauses: The line's.
    """

    def __init__(self, rules: CallRules, pauses: Pauses) -> None:
        self._rules = rules
        self._pauses = pauses
        self._last: tuple[DecisionAction, str | None] | None = None
        self.pause_ms = pauses.usual_ms

    def heard(self, partial: Partial, classification: Classification, now: float) -> None:
        """Take what was said so far and what it is about."""
        decision = decide(
            ranking_of((ranked.thema, ranked.probability) for ranked in classification.ranking),
            costs=self._rules.costs,
            routable=frozenset(self._rules.groups),
            confidence=partial.confidence,
            may_repeat=False,
        )
        now_decided = (decision.action, decision.thema)
        # Two partials in a row must agree: a single one flips with the next word.
        if decision.action is DecisionAction.ROUTE and now_decided == self._last:
            self.pause_ms = self._pauses.settled_ms
        elif not decision.ranking or decision.ranking[0].probability < 0.5:
            # Whatever it is, it is likelier something else: the point is still to come.
            self.pause_ms = self._pauses.unsettled_ms
        else:
            self.pause_ms = self._pauses.usual_ms
        self._last = now_decided


def pause_by_certainty(line: Line, purpose: Purpose) -> EndRule:
    """The strategy of every line today; a yes or no needs no certainty."""
    if purpose is Purpose.ANSWER:
        return FixedPause(line.pauses.answer_ms)
    return PauseByCertainty(line.rules, line.pauses)
