"""What one line allows and costs: everything a call machine knows beside its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from types import MappingProxyType

MENU_MOST = 4
"""A spoken menu of more options than this is forgotten before it ends."""


@unique
class Mode(StrEnum):
    """How far a line trusts the model. The values are configuration words."""

    COLLECT = "collect"
    """The caller may speak, everything is recorded for training, the menu decides."""
    SHADOW = "shadow"
    """The model decides on paper, the menu in reality."""
    ROUTE = "route"
    """The model decides."""


@unique
class TransferMethod(StrEnum):
    """How a caller is handed over. The values are configuration words and metric labels."""

    REFER = "refer"
    """Blind transfer: the caller's side is asked to call the target."""
    BRIDGE = "bridge"
    """We call the target ourselves and connect the audio."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a voorlichter group answers."""

    uri: str
    method: TransferMethod = TransferMethod.REFER
    wait_seconds: float = 600.0
    """How long an accepted transfer may stay unanswered: the longest wait in the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """Bounds of every wait, in seconds."""

    answer_seconds: float = 10.0
    """From our 200 to audio."""
    prompt_seconds: float = 60.0
    """Guard of any prompt: longer means that the player broke."""
    no_input_seconds: float = 7.0
    """Silence after the question before we ask again."""
    utterance_seconds: float = 30.0
    """The longest turn of a caller."""
    deciding_seconds: float = 2.0
    """Recogniser and classifier together; later means the keuzemenu."""
    confirm_seconds: float = 8.0
    """For the yes or no, from the end of our question."""
    menu_seconds: float = 8.0
    """For a key, from the end of the menu."""
    transfer_seconds: float = 10.0
    """For the other side to accept a transfer."""
    bridged_seconds: float = 14_400.0
    """The longest conversation through a bridge."""
    call_seconds: float = 300.0
    """The longest stay with us before a transfer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """How long the caller must be silent before the turn is over, by how sure we are."""

    settled_ms: int = 480
    """The last partials agree on a thema that would be routed on."""
    usual_ms: int = 700
    unsettled_ms: int = 900
    """Nothing said so far points anywhere: the caller gets time to come to the point."""
    answer_ms: int = 500
    """After a yes or no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds of citizen and voorlichter time that an action costs."""

    misroute_seconds: float = 80.0
    """A blind misroute: 65 s in which the wrong voorlichter listens, explains and sends the caller
    on (the published figure), and 15 s in which the caller waits for the second desk."""
    misroute_seconds_by_thema: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({})
    )
    confirm_seconds: float = 8.0
    """Asking "gaat uw vraag over ...?" (7.5 s, which most interrupt) and hearing the answer."""
    menu_seconds: float = 8.0
    """A menu before its first option."""
    menu_option_seconds: float = 3.0
    """Each option of a menu."""
    repeat_seconds: float = 8.0
    """Asking again, and the caller saying it again."""
    repeat_success: float = 0.7
    """Share of questions, not heard at all, that are clear the second time."""
    human_seconds: float = 45.0
    """The general voorlichter takes in the question and sends the caller on."""

    def misroute(self, thema: str) -> float:
        """Return the cost of sending a caller wrongly to ``thema``."""
        return self.misroute_seconds_by_thema.get(thema, self.misroute_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRules:
    """One line's rules."""

    groups: Mapping[str, str]
    """Thema slug to voorlichter group; only themas that may be routed on."""
    targets: Mapping[str, tuple[Target, ...]]
    """Voorlichter group to its SIP targets, first choice first."""
    general: str = "algemeen"
    """The group that takes whatever has no other place."""
    busiest: tuple[str, ...] = ()
    """Themas by share of calls, for a menu without a ranking."""
    mode: Mode = Mode.ROUTE
    barge_in: bool = True
    records: bool = True
    """Whether the caller's audio is kept, and the notice says so."""
    repeats_most: int = 1
    no_input_most: int = 1
    menu_replays_most: int = 1
    attempts_most: int = 8
    retry_after_seconds: int = 30
    timers: Timers = field(default_factory=Timers)
    costs: Costs = field(default_factory=Costs)
