"""What a call machine asks of the engine. Actions are carried out in the order given."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique

from ivr.call.policy import Decision, DecisionAction
from ivr.call.prompts import SpokenPrompt
from ivr.call.routing import Attempt
from ivr.call.states import Outcome


@unique
class Purpose(StrEnum):
    """What the recognised words are for."""

    QUESTION = "question"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class AnswerCall:
    """Send 200."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Send a final SIP response instead of answering."""

    status: int
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayPrompt:
    """Play; :class:`~ivr.call.events.PromptFinished` replies. Replaces what plays now."""

    prompts: tuple[SpokenPrompt, ...]
    epoch: int


@dataclass(frozen=True, slots=True)
class StopPrompt:
    """Fall silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attend:
    """A caller's turn may begin now; a turn already under way goes on."""

    playing: bool
    """Our own prompt sounds: speech must last longer before it counts."""
    purpose: Purpose = Purpose.QUESTION
    """What the caller is expected to say."""


@dataclass(frozen=True, slots=True)
class Ignore:
    """No turn may begin or go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognise:
    """Understand the turn that just ended; what it was for, :class:`Attend` said."""

    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDecision:
    """Keep the decision in the contact record."""

    decision: Decision
    applied: bool
    """False where the line's mode let the menu decide instead."""
    turn: int | None
    """Number of the caller's turn that it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChoice:
    """Keep in the contact record that the caller, or a rule, decided instead of the policy."""

    decided_by: str
    """``keypad``, ``confirmation`` or the name of a rule."""
    action: DecisionAction
    thema: str | None
    group: str
    turn: int | None = None
    """Number of the caller's turn that it rests on; None for a key and for a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Hand the caller over; news carries ``attempt.number``."""

    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class AbandonTransfer:
    """Stop waiting for an attempt."""

    attempt: int


@dataclass(frozen=True, slots=True)
class NoteCallback:
    """Keep the caller's wish to be called back."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the caller's leg."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTimer:
    """:class:`~ivr.call.events.TimerExpired` replies; replaces the running timer."""

    seconds: float
    epoch: int


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Forget the running timer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The call is over; complete the contact record. Comes exactly once."""

    outcome: Outcome
    reason: str
    """A fixed word for logs and metrics; never personal data."""
    thema: str | None
    group: str | None


Action = (
    AnswerCall
    | Refuse
    | PlayPrompt
    | StopPrompt
    | Attend
    | Ignore
    | Recognise
    | RecordDecision
    | RecordChoice
    | Transfer
    | AbandonTransfer
    | NoteCallback
    | HangUp
    | StartTimer
    | CancelTimer
    | End
)
