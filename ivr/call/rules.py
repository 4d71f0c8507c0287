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
    """SIP URI at which the group answers."""
    method: TransferMethod = TransferMethod.REFER
    """How the caller gets there."""
    wait_seconds: float = 600.0
    """How long an accepted transfer may stay unanswered: the longest wait in the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """Bounds of every wait, in seconds."""

    answer_seconds: float = 10.0
    """How long the caller's sound may take to come after our 200; then the call ends."""
    prompt_seconds: float = 60.0
    """How long any prompt may take to sound; longer means that the player broke, and the call
    goes on without it."""
    no_input_seconds: float = 7.0
    """How long a caller may be silent after the question before we ask again."""
    utterance_seconds: float = 30.0
    """How long a caller may speak in one turn; what was said until then is decided on."""
    deciding_seconds: float = 2.0
    """How long recogniser and classifier may take together; then the keuzemenu follows."""
    confirm_seconds: float = 8.0
    """How long we wait for a yes or no, from the end of our question."""
    menu_seconds: float = 8.0
    """How long we wait for a key, from the end of the keuzemenu."""
    transfer_seconds: float = 10.0
    """How long the other side may take to accept a transfer; then the next target is tried."""
    bridged_seconds: float = 14_400.0
    """How long a conversation through a bridge may last."""
    call_seconds: float = 300.0
    """How long a caller may stay with us before being put through; then the general group
    follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """How long the caller must be silent before the turn is over, by how sure we are."""

    settled_ms: int = 480
    """Silence that ends a turn whose words so far leave no doubt about the thema."""
    usual_ms: int = 700
    """Silence that ends any other turn."""
    unsettled_ms: int = 900
    """Silence that ends a turn in which nothing said so far points anywhere, so that the caller
    has time to come to the point."""
    answer_ms: int = 500
    """Silence that ends the answer to a question of yes or no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds of citizen and voorlichter time that an action costs."""

    misroute_seconds: float = 80.0
    """What a blind misroute costs: 65 s in which the wrong voorlichter listens, explains and sends
    the caller on (the published figure), and 15 s in which the caller waits for the second desk."""
    misroute_seconds_by_thema: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """What a misroute costs to themas where it is more or less than usual."""
    confirm_seconds: float = 8.0
    """What it costs to ask "gaat uw vraag over ...?" (7.5 s, which most callers interrupt) and to
    hear the answer."""
    menu_seconds: float = 8.0
    """What a keuzemenu costs before its first option."""
    menu_option_seconds: float = 3.0
    """What each option of a keuzemenu costs."""
    repeat_seconds: float = 8.0
    """What it costs to ask again, and to hear the question once more."""
    repeat_success: float = 0.7
    """Share of the questions that were not understood at all, 0 to 1, which are clear when they
    are said again."""
    human_seconds: float = 45.0
    """What it costs when the general voorlichter takes in the question and sends the caller on."""

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
