"""``[lines.*]`` and ``[groups.*]``: called numbers, and where voorlichter groups answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from ivr.call.rules import Mode, Target, TransferMethod
from ivr.config.values import Positive, Section, SipUri, Whole, YesNo


class TargetTable(Section):
    """A target with its own method or wait."""

    uri: SipUri
    """SIP URI at which the group answers."""
    method: TransferMethod = TransferMethod.REFER
    """How the caller gets there: "refer" asks the exchange to call the target, "bridge" calls it
    from here and stays in between."""
    wait_seconds: Positive = 600.0
    """How long the caller may wait in the queue for a voorlichter to answer."""


TargetLike = Annotated[
    TargetTable,
    BeforeValidator(lambda value: {"uri": value} if isinstance(value, str) else value),
]


class GroupSection(Section):
    """``[groups.NAME]``: where a voorlichter group answers."""

    targets: tuple[TargetLike, ...] = Field(min_length=1)
    """Where the group answers, the first choice first. A plain SIP URI is reached by blind transfer
    (REFER); a table chooses otherwise."""

    def call_targets(self) -> tuple[Target, ...]:
        """The targets as the call machine takes them."""
        return tuple(Target(t.uri, t.method, t.wait_seconds) for t in self.targets)


class HoursSection(Section):
    """``[lines.NUMBER.hours]``: for example ``ma = "9:00-19:00"``; a day left out is closed."""

    ma: str = ""
    """Opening hours on Mondays, as "9:00-12:00, 13:00-17:00"; closed when left out, as every
    day below."""
    di: str = ""
    """Opening hours on Tuesdays."""
    wo: str = ""
    """Opening hours on Wednesdays."""
    do: str = ""
    """Opening hours on Thursdays."""
    vr: str = ""
    """Opening hours on Fridays."""
    za: str = ""
    """Opening hours on Saturdays."""
    zo: str = ""
    """Opening hours on Sundays."""
    holidays: tuple[str, ...] = ()
    """Days on which the line is closed whatever day of the week they are, as "2026-12-25"."""
    timezone: str = "Europe/Brussels"
    """Time zone in which these hours are meant, by its IANA name."""

    def weekly(self) -> dict[str, str]:
        """Ranges by day, Monday first; closed days left out."""
        days = ("ma", "di", "wo", "do", "vr", "za", "zo")
        return {day: getattr(self, day) for day in days if getattr(self, day)}


class LineSection(Section):
    """``[lines.NUMBER]``: a called number; ``"*"`` stands for every other number."""

    mode: Mode = Mode.ROUTE
    """How far the model is trusted: "route" lets it decide; "shadow" writes its decision down
    while the keuzemenu decides; "collect" only records callers, for training, and the keuzemenu
    decides."""
    barge_in: YesNo = True
    """Whether callers may speak while our question still sounds."""
    repeats: Whole = Field(default=1, ge=0, le=3)
    """How often the caller may be asked to say the question again."""
    no_input_retries: Whole = Field(default=1, ge=0, le=3)
    """How often the caller is asked again when nothing was heard; then the keuzemenu follows."""
    menu_replays: Whole = Field(default=1, ge=0, le=3)
    """How often the keuzemenu is read out again after a wrong key or none; who said nothing and
    pressed nothing goes to a voorlichter at once."""
    callback: YesNo = False
    """Whether a callback is offered when the line is closed or no voorlichter can be reached."""
    keep_caller_number: YesNo = False
    """Whether the caller's number is stored encrypted, where the law allows it, and not only as a
    keyed hash."""
    keep_recordings: YesNo = True
    """Whether callers' speech is recorded; the welcome then says so."""
    hours: HoursSection | None = None
    """When the line is open; always when absent."""
