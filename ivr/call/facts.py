"""What one call has come to know; the machine's memory beside its state."""

from __future__ import annotations

from dataclasses import dataclass, field

from ivr.call.policy import Decision
from ivr.call.prompts import SpokenPrompt
from ivr.call.routing import Attempt
from ivr.call.rules import CallRules
from ivr.call.states import CallState, Outcome


@dataclass(slots=True)
class Facts:
    """What a call knows.

    Where it stands is written by :meth:`enter` and :meth:`consider`, which only the machine calls;
    all the rest by the steps of ``ivr.call.steps``, and nobody else.
    """

    rules: CallRules
    state: CallState = CallState.OFFERED
    epoch: int = 0
    """Counts state entries; replies of older entries are dropped."""
    considered: Decision | None = None
    """What the policy says to the event being handled; None where it is not asked."""
    can_call_back: bool = False
    open: bool = True

    say: tuple[SpokenPrompt, ...] = ()
    """What the next state plays on entry."""
    playing: bool = False
    attending: bool = False
    speaking: bool = False
    """A turn of the caller is under way."""
    recognising: bool = False
    timer_running: bool = False
    rearmed: bool = False
    """The state's timer was re-armed; it may be only once."""

    repeats: int = 0
    no_inputs: int = 0
    replays: int = 0
    silent: bool = False
    """The menu follows silence, and no key was pressed since."""

    decision: Decision | None = None
    """On the caller's question; a proposal that is refused stays here."""
    likeliest: tuple[str, ...] = ()
    """Themas for the next menu, from the last decision; empty means the busiest."""
    options: tuple[str, ...] = ()
    """Themas behind the keys of the menu that plays."""
    refused: list[str] = field(default_factory=list)
    """Themas the caller said no to."""

    thema: str | None = None
    group: str | None = None
    via_menu: bool = False
    plan: tuple[Attempt, ...] = ()
    """Attempts still to make; the first is the current one while transferring."""
    tried: dict[int, Attempt] = field(default_factory=dict)
    """Every attempt made, by number."""
    unconfirmed: set[int] = field(default_factory=set)
    """Attempts the other side accepted, without final news."""

    bridged: int | None = None
    """Number of the attempt that connected the audio through us."""
    broken: bool = False
    """Something of ours broke before audio flowed: there is no asking then."""

    outcome: Outcome | None = None
    reason: str = ""

    def consider(self, decision: Decision | None) -> None:
        """Keep what the policy says to the event being handled."""
        self.considered = decision

    def enter(self, state: CallState) -> None:
        """Go to a state, or into the same one anew."""
        self.state = state
        self.epoch += 1

    def attempt(self, number: int) -> Attempt | None:
        """Return the current attempt when it has this number."""
        return self.plan[0] if self.plan and self.plan[0].number == number else None
