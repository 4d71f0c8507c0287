"""What a call machine can hear.

*Signals* come unasked. *Replies* answer an action and carry the epoch of the state entry that
asked; the machine drops and counts a reply of an older epoch. News of transfers carries the
attempt instead, because a late success of an earlier attempt counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum, unique

from ivr.call.ranking import RankedThema

_DIGITS = frozenset("0123456789*#ABCD")


@unique
class Admission(StrEnum):
    """Whether a call may come in. The values are metric labels."""

    ADMITTED = "admitted"
    FULL = "full"
    DRAINING = "draining"
    NOT_READY = "not_ready"
    NO_CODEC = "no_codec"
    BLOCKED = "blocked"
    UNKNOWN_LINE = "unknown_line"


@unique
class Answer(StrEnum):
    """What the caller said to a yes-or-no question."""

    YES = "yes"
    NO = "no"
    UNCLEAR = "unclear"


# --- signals ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """An INVITE came in and admission was decided."""

    admission: Admission
    open: bool = True
    """Whether the line is within its opening hours."""
    can_call_back: bool = False
    """Whether the line offers callbacks and the caller's number is known."""


@dataclass(frozen=True, slots=True)
class MediaReady:
    """Audio flows both ways."""


@dataclass(frozen=True, slots=True)
class Digit:
    """One key. Personal data: not shown."""

    digit: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what is no key, without showing it."""
        if self.digit not in _DIGITS or len(self.digit) != 1:
            raise ValueError("a digit must be one of 0-9, *, #, A-D")


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller has been voiced long enough to count as speaking."""


@dataclass(frozen=True, slots=True)
class UtteranceEnded:
    """The caller's turn is over."""


@dataclass(frozen=True, slots=True)
class CallerHungUp:
    """The caller's leg is gone."""

    by_us: bool = False
    """Not the caller ended it, but our SIP side: it broke, or the process stops."""


@dataclass(frozen=True, slots=True)
class MediaLost:
    """No audio arrives any more."""


@dataclass(frozen=True, slots=True)
class CallLimitReached:
    """The caller has been with us, before any transfer, longer than the limit."""


@dataclass(frozen=True, slots=True)
class ComponentFailed:
    """Something of ours broke that this call depends on."""


# --- replies ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFinished:
    """The prompt was heard to its end."""

    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerExpired:
    """The state's timer ran out."""

    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThemaRanked:
    """The question was recognised and classified."""

    epoch: int
    ranking: tuple[RankedThema, ...]
    """Likeliest first; probabilities are calibrated, 0..1, and sum to at most 1 (plus rounding).
    Empty when nothing was understood."""
    confidence: float = 1.0
    """The recogniser's, 0..1."""
    turn: int | None = None
    """Number of the caller's turn that it rests on."""

    def __post_init__(self) -> None:
        """Refuse a ranking that is no ranking."""
        if sum(ranked.probability for ranked in self.ranking) > 1.001:
            raise ValueError("probabilities of a ranking sum to more than 1")
        if list(self.ranking) != sorted(self.ranking, key=lambda r: -r.probability):
            raise ValueError("a ranking must be ordered likeliest first")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHeard:
    """The answer to a confirmation was recognised."""

    epoch: int
    answer: Answer
    turn: int | None = None
    """Number of the caller's turn that it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognitionFailed:
    """Recogniser or classifier broke or was late: our fault, not the caller's."""

    epoch: int


# --- news of transfers -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferAccepted:
    """The other side took the REFER (202) or our call to the target rings."""

    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSucceeded:
    """The target has the caller."""

    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFailed:
    """The target refused or cannot be reached; the caller is still ours."""

    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetHungUp:
    """The bridged voorlichter hung up."""

    attempt: int


Signal = (
    Offered
    | MediaReady
    | Digit
    | SpeechStarted
    | UtteranceEnded
    | CallerHungUp
    | MediaLost
    | CallLimitReached
    | ComponentFailed
)
Reply = PromptFinished | TimerExpired | ThemaRanked | AnswerHeard | RecognitionFailed
TransferNews = TransferAccepted | TransferSucceeded | TransferFailed | TargetHungUp
Event = Signal | Reply | TransferNews
