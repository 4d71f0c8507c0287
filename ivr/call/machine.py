"""One call's machine: looks up the table, changes state, returns what to do."""

from __future__ import annotations

from ivr.call.actions import Action, CancelTimer, End, Ignore, StopPrompt
from ivr.call.events import (
    AnswerHeard,
    Event,
    PromptFinished,
    RecognitionFailed,
    ThemaRanked,
    TimerExpired,
)
from ivr.call.facts import Facts
from ivr.call.rules import CallRules
from ivr.call.states import CallState, Outcome
from ivr.call.table import ENTRY, Row, rows_for


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
    """

    def __init__(self, rules: CallRules) -> None:
        self._facts = Facts(rules=rules)
        self.state = CallState.OFFERED
        self.stale_replies = 0
        """Replies dropped because the state that asked was left."""

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
        row = self._row(event)
        actions = list(row.do(self._facts, event))
        if row.next is None:
            return actions
        leaving = self._leave(row.next)
        self.state = row.next
        self._facts.epoch += 1
        entering = list(ENTRY[row.next](self._facts))
        if row.next is CallState.ENDED:
            return [*leaving, *actions, *entering, self._end()]
        return [*leaving, *actions, *entering]

    def _row(self, event: Event) -> Row:
        for row in rows_for(self.state, type(event)):
            if row.when is None or row.when(self._facts, event):
                return row
        raise UndeclaredEventError(self.state, event)

    def _leave(self, to: CallState) -> list[Action]:
        facts = self._facts
        actions: list[Action] = []
        if facts.timer_running:
            actions.append(CancelTimer())
        if facts.playing:
            actions.append(StopPrompt())
        # Speech that interrupts the question is the question: its turn goes on. And a turn that
        # is to be understood must not be forgotten before.
        if facts.attending and to not in (CallState.LISTENING, CallState.DECIDING):
            actions.append(Ignore())
            facts.attending = False
            facts.speaking = False
        facts.timer_running = facts.playing = facts.rearmed = facts.recognising = False
        return actions

    def _end(self) -> End:
        facts = self._facts
        if facts.outcome is None:
            raise RuntimeError(f"ended without an outcome ({facts.reason})")
        return End(outcome=facts.outcome, reason=facts.reason, thema=facts.thema, group=facts.group)
