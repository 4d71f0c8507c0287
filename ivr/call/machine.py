"""One call's machine: looks up the table, changes state, returns what to do."""

from __future__ import annotations

from ivr.call.actions import Action, End
from ivr.call.events import (
    AnswerHeard,
    Event,
    PromptFinished,
    RecognitionFailed,
    ThemaRanked,
    TimerExpired,
)
from ivr.call.facts import Facts
from ivr.call.policy import Decision, Policy, decide
from ivr.call.rules import CallRules
from ivr.call.states import CallState, Outcome
from ivr.call.steps.entries import leave
from ivr.call.table import CONSIDERED, ENTRY, Row, rows_for


class UndeclaredEventError(Exception):
    """The table has no row for this event in this state: a bug of ours.

    The machine is unchanged. The message names types only, never what the caller did.
    """

    def __init__(self, state: CallState, event: Event) -> None:
        self.state = state
        self.event_name = type(event).__name__
        super().__init__(f"no row for {self.event_name} in state {state.value}")


class CallMachine:
    """Drives one call from its INVITE to exactly one outcome. Not thread-safe.

    ``handle`` takes every event and returns the actions to carry out in order. It needs no
    clock: waits are actions (``StartTimer``) whose end is an event (``TimerExpired``).

    Args:
        rules: The line's.
        policy: Decides on rankings; asked once for each.
    """

    def __init__(self, rules: CallRules, policy: Policy = decide) -> None:
        self._facts = Facts(rules=rules)
        self._policy = policy
        self.stale_replies = 0
        """Replies dropped because the state that asked was left."""

    @property
    def state(self) -> CallState:
        """Where the call stands."""
        return self._facts.state

    @property
    def epoch(self) -> int:
        """Number of the current state entry."""
        return self._facts.epoch

    @property
    def outcome(self) -> Outcome | None:
        """How the call ended; ``None`` while it lasts."""
        return self._facts.outcome

    @property
    def thema(self) -> str | None:
        """The thema the call is routed on, once it is known."""
        return self._facts.thema

    @property
    def rules(self) -> CallRules:
        """The line's rules."""
        return self._facts.rules

    def handle(self, event: Event) -> list[Action]:
        """Take one event.

        Returns:
            Actions in the order in which to carry them out; empty when nothing is to be done.

        Raises:
            UndeclaredEventError: The table declares no row; the machine is unchanged.
        """
        if (
            isinstance(
                event,
                PromptFinished | TimerExpired | ThemaRanked | AnswerHeard | RecognitionFailed,
            )
            and event.epoch != self._facts.epoch
        ):
            self.stale_replies += 1
            return []
        considered = self._consider(event)
        row = self._row(event, considered)
        self._facts.consider(considered)
        actions = list(row.do(self._facts, event))
        if row.next is None:
            return actions
        leaving = list(leave(self._facts, row.next))
        self._facts.enter(row.next)
        entering = list(ENTRY[row.next](self._facts))
        if row.next is CallState.ENDED:
            return [*leaving, *actions, *entering, self._end()]
        return [*leaving, *actions, *entering]

    def _consider(self, event: Event) -> Decision | None:
        consider = CONSIDERED.get((self.state, type(event)))
        return None if consider is None else consider(self._facts, event, self._policy)

    def _row(self, event: Event, considered: Decision | None) -> Row:
        for row in rows_for(self.state, type(event)):
            fits = row.action is None or (considered and considered.action is row.action)
            if fits and (row.when is None or row.when(self._facts, event)):
                return row
        raise UndeclaredEventError(self.state, event)

    def _end(self) -> End:
        facts = self._facts
        if facts.outcome is None:
            raise RuntimeError(f"ended without an outcome ({facts.reason})")
        return End(outcome=facts.outcome, reason=facts.reason, thema=facts.thema, group=facts.group)
