"""What the engine tells the contact register: frozen facts, each with its own key.

A fact may arrive twice (a spool is replayed after a crash); the key of each makes the second
arrival harmless. Speech, digits, numbers and targets are personal data: ``repr`` hides them.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from ivr.call.states import Outcome


def _check(call_id: str, *moments: datetime | None) -> None:
    if not call_id:
        raise ValueError("call_id is empty")
    for moment in moments:
        if moment is not None and moment.tzinfo is None:
            raise ValueError("a moment needs a time zone: use datetime.now(UTC)")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOpened:
    """A call rings. Key: ``call_id``."""

    call_id: str
    started_at: datetime
    line: str
    """Called number."""
    mode: str
    """``collect``, ``shadow`` or ``route``."""
    sip_call_id: str = field(default="", repr=False)
    caller_hash: str = field(default="", repr=False)
    """From :meth:`ivr.contacts.privacy.CallerPrivacy.hash`; empty when withheld."""
    caller_encrypted: bytes | None = field(default=None, repr=False)
    """Only where the line's setting allows."""

    def __post_init__(self) -> None:
        _check(self.call_id, self.started_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswered:
    """Audio flows. Key: ``call_id``; the first one counts."""

    call_id: str
    answered_at: datetime

    def __post_init__(self) -> None:
        _check(self.call_id, self.answered_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class WordHeard:
    """One recognised word."""

    text: str = field(repr=False)
    confidence: float
    """0..1."""
    start_seconds: float
    """From the start of the utterance."""
    end_seconds: float


UNFINISHED: Final = "recognition_unfinished"
"""Failure of an utterance of which it is not known yet, or never will be, what was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceRecorded:
    """A caller turn ended and is being recognised. Key: ``call_id``, ``number``.

    :class:`UtteranceHeard` completes it, unless the process ends before.
    """

    call_id: str
    number: int
    at: datetime
    """When the turn ended."""
    audio_seconds: float = 0.0
    recording: str | None = None

    def __post_init__(self) -> None:
        _check(self.call_id, self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceHeard:
    """One caller turn. Key: ``call_id``, ``number``."""

    call_id: str
    number: int
    """1, 2, ... within the call."""
    at: datetime
    """When the turn ended."""
    audio_seconds: float = 0.0
    recording: str | None = None
    """Relative to the recordings folder (:meth:`ivr.files.home.Home.recording_reference`)."""
    transcript: str = field(default="", repr=False)
    """Empty: nothing was understood."""
    confidence: float | None = None
    words: tuple[WordHeard, ...] = field(default=(), repr=False)
    alternatives: tuple[str, ...] = field(default=(), repr=False)
    """Further hypotheses, likeliest first."""
    recogniser: str = ""
    recogniser_version: str = ""
    failure: str = ""
    """Code of the recogniser's failure, empty when there was none."""

    def __post_init__(self) -> None:
        _check(self.call_id, self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherReadingHeard:
    """What an engine heard in a turn that was decided on what another one heard.

    For those who label; it expires with the recording. Key: ``call_id``, ``number``, ``heard_in``.
    """

    call_id: str
    number: int
    """Of the utterance."""
    heard_in: str
    """``first``; ``second``, while the caller waited; or ``background``, after the call."""
    at: datetime
    """When the turn ended."""
    transcript: str = field(default="", repr=False)
    """Empty: nothing was understood."""
    confidence: float | None = None
    """0..1; ``None`` when the engine failed."""
    words: tuple[WordHeard, ...] = field(default=(), repr=False)
    alternatives: tuple[str, ...] = field(default=(), repr=False)
    recogniser: str = ""
    recogniser_version: str = ""
    seconds: float = 0.0
    """How long the engine worked on it after the turn."""
    failure: str = ""
    """Code of the engine's failure, empty when there was none."""

    def __post_init__(self) -> None:
        _check(self.call_id, self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionTaken:
    """One decision of the policy, the caller's key, or a rule. Key: ``call_id``, ``number``."""

    call_id: str
    number: int
    """1, 2, ... within the call."""
    at: datetime
    action: str
    """``route``, ``confirm``, ``choose``, ``repeat`` or ``human``."""
    decided_by: str = "policy"
    """``policy``, ``keypad``, ``confirmation`` or the name of a rule."""
    utterance_number: int | None = None
    """Of the utterance it rests on; ``None`` for a key."""
    thema: str | None = None
    group: str | None = None
    probability: float | None = None
    """Calibrated, 0..1."""
    ranking: tuple[tuple[str, float], ...] = ()
    """Thema and probability, likeliest first."""
    costs: Mapping[str, float] = field(default_factory=dict)
    """Expected seconds by action."""
    policy_version: str = ""
    model_version: str = ""
    language: str = ""

    def __post_init__(self) -> None:
        _check(self.call_id, self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferTried:
    """One transfer attempt that is over. Key: ``call_id``, ``number``."""

    call_id: str
    number: int
    """1, 2, ... within the call."""
    started_at: datetime
    group: str
    target: str = field(repr=False)
    method: str
    """``refer`` or ``bridge``."""
    result: str
    """``succeeded``, ``failed``, ``timeout``, ``unconfirmed`` or ``abandoned``."""
    sip_status: int | None = None
    """Last SIP status heard about it; ``None`` when there was none."""
    seconds: float = 0.0

    def __post_init__(self) -> None:
        _check(self.call_id, self.started_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMeasured:
    """How long one stage of one turn took. Key: ``call_id``, ``turn``, ``stage``."""

    call_id: str
    turn: int
    stage: str
    """For example ``endpoint``, ``recognition``, ``classification``, ``decision``, ``dead_air``."""
    seconds: float

    def __post_init__(self) -> None:
        _check(self.call_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """The call is over. Key: ``call_id``; the first one counts."""

    call_id: str
    ended_at: datetime
    outcome: Outcome
    thema: str | None = None
    group: str | None = None
    """Where the caller went, when anywhere."""
    sip_status: int | None = None
    """Of the end, or of the refusal."""
    caller_encrypted: bytes | None = field(default=None, repr=False)
    """For a callback that the caller asked for on a line which stores no numbers otherwise."""

    def __post_init__(self) -> None:
        _check(self.call_id, self.ended_at)
        Outcome(self.outcome)


ContactRecord = (
    CallOpened
    | CallAnswered
    | UtteranceRecorded
    | UtteranceHeard
    | OtherReadingHeard
    | DecisionTaken
    | TransferTried
    | StageMeasured
    | CallEnded
)

_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        CallOpened,
        CallAnswered,
        UtteranceRecorded,
        UtteranceHeard,
        OtherReadingHeard,
        DecisionTaken,
        TransferTried,
        StageMeasured,
        CallEnded,
    )
}
_MOMENTS = frozenset({"started_at", "answered_at", "ended_at", "at"})


def plain_text(text: str) -> str:
    """What every database can store: no NUL, no half surrogate pairs."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


def plain(value: Any) -> Any:
    """Turn a field into what JSON and every database can store; NaN and infinity become None."""
    if isinstance(value, str):
        return plain_text(str(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {plain_text(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def to_json(record: ContactRecord) -> str:
    """One line of the spool: the record's kind and fields, without a line end."""
    fields: dict[str, Any] = {"kind": type(record).__name__}
    for item in dataclasses.fields(record):
        value = getattr(record, item.name)
        if isinstance(value, datetime):
            value = value.astimezone(UTC).isoformat()
        elif isinstance(value, bytes):
            value = base64.b64encode(value).decode("ascii")
        fields[item.name] = plain(value)
    return json.dumps(fields, ensure_ascii=True, separators=(",", ":"))


def from_json(line: str) -> ContactRecord:
    """Read a line that :func:`to_json` wrote.

    Raises:
        ValueError: The line is not a record; the message does not quote it.
    """
    try:
        fields = json.loads(line)
        kind = _KINDS[fields.pop("kind")]
        for name, value in fields.items():
            if name in _MOMENTS:
                fields[name] = datetime.fromisoformat(value)
            elif name == "caller_encrypted" and value is not None:
                fields[name] = base64.b64decode(value, validate=True)
            elif name == "words":
                fields[name] = tuple(WordHeard(**word) for word in value)
            elif name == "ranking":
                fields[name] = tuple((str(thema), float(share)) for thema, share in value)
            elif name == "alternatives":
                fields[name] = tuple(value)
            elif name == "outcome":
                fields[name] = Outcome(value)
        record: ContactRecord = kind(**fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        # "from None": these exceptions quote the line, which holds the caller's words.
        raise ValueError("the line is not a contact record") from None
    return record
