"""Tables of the contact register. Changed only together with a migration."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: needs a time zone going in, has UTC coming out, on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC.

        Raises:
            ValueError: ``value`` has no time zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone: use datetime.now(UTC)")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give UTC back; SQLite forgets the time zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of every table; names of constraints are fixed, so that migrations can drop them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {str: Text, float: Double, datetime: UtcDateTime}


class Call(Base):
    """One call, from its first ring."""

    __tablename__ = "calls"
    __table_args__ = (
        Index("ix_calls_started_at", "started_at"),
        Index("ix_calls_open", "node", "ended_at"),
        Index("ix_calls_caller_hash", "caller_hash"),
    )

    call_id: Mapped[str] = mapped_column(primary_key=True)
    node: Mapped[str]
    process: Mapped[str]
    """Random name of the process that took the call; tells a dead one's calls from ours."""
    line: Mapped[str]
    mode: Mapped[str]
    sip_call_id: Mapped[str | None]
    caller_hash: Mapped[str | None]
    caller_encrypted: Mapped[bytes | None] = mapped_column(LargeBinary)
    started_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    """One of :class:`ivr.ports.records.Outcome`; ``None`` while the call goes on."""
    thema: Mapped[str | None]
    group: Mapped[str | None] = mapped_column("voorlichter_group")
    sip_status: Mapped[int | None]
    recovered_at: Mapped[datetime | None]
    """When a later process completed this record, because the one that took the call died."""

    utterances: Mapped[list[Utterance]] = relationship(order_by="Utterance.number")
    other_readings: Mapped[list[OtherReading]] = relationship(
        order_by="(OtherReading.number, OtherReading.heard_in)"
    )
    decisions: Mapped[list[Decision]] = relationship(order_by="Decision.number")
    transfers: Mapped[list[TransferAttempt]] = relationship(order_by="TransferAttempt.number")
    latencies: Mapped[list[StageLatency]] = relationship(
        order_by="(StageLatency.turn, StageLatency.stage)"
    )

    @property
    def interrupted(self) -> bool:
        """Whether the process died during the call."""
        return self.recovered_at is not None


class Transcribed:
    """What an engine heard in one turn, its columns."""

    transcript: Mapped[str | None]
    """``None`` when it has expired: an utterance's with the text, another reading's with the
    recording."""
    confidence: Mapped[float | None]
    """0..1."""
    words: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    alternatives: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    recogniser: Mapped[str]
    recogniser_version: Mapped[str]
    failure: Mapped[str]
    """A code of ours; empty when the engine did not fail."""


class Utterance(Transcribed, Base):
    """One turn of the caller; audio, text and features expire one after the other."""

    __tablename__ = "utterances"
    __table_args__ = (Index("ix_utterances_at", "at"),)

    call_id: Mapped[str] = mapped_column(ForeignKey(Call.call_id), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    audio_seconds: Mapped[float | None]
    recording: Mapped[str | None]
    """Relative to the recordings folder; ``None`` when there is none or it has expired."""


class OtherReading(Transcribed, Base):
    """What a second engine heard in a turn whose decision rests on the first one."""

    __tablename__ = "other_readings"
    __table_args__ = (Index("ix_other_readings_at", "at"),)

    call_id: Mapped[str] = mapped_column(ForeignKey(Call.call_id), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    heard_in: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    seconds: Mapped[float | None]
    """How long the engine took."""


class Decision(Base):
    """One decision with what it rested on."""

    __tablename__ = "decisions"
    __table_args__ = (Index("ix_decisions_at", "at"),)

    call_id: Mapped[str] = mapped_column(ForeignKey(Call.call_id), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    utterance_number: Mapped[int | None]
    at: Mapped[datetime]
    action: Mapped[str]
    decided_by: Mapped[str]
    thema: Mapped[str | None]
    group: Mapped[str | None] = mapped_column("voorlichter_group")
    probability: Mapped[float | None]
    ranking: Mapped[list[list[Any]] | None] = mapped_column(JSON(none_as_null=True))
    """Pairs of thema and probability, likeliest first; ``None`` when expired."""
    costs: Mapped[dict[str, float | None] | None] = mapped_column(JSON(none_as_null=True))
    policy_version: Mapped[str]
    model_version: Mapped[str]
    language: Mapped[str]


class TransferAttempt(Base):
    """One attempt to reach a voorlichter group."""

    __tablename__ = "transfer_attempts"

    call_id: Mapped[str] = mapped_column(ForeignKey(Call.call_id), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    group: Mapped[str] = mapped_column("voorlichter_group")
    target: Mapped[str]
    method: Mapped[str]
    result: Mapped[str]
    sip_status: Mapped[int | None]
    seconds: Mapped[float | None]


class StageLatency(Base):
    """How long one stage of one turn took."""

    __tablename__ = "stage_latencies"

    call_id: Mapped[str] = mapped_column(ForeignKey(Call.call_id), primary_key=True)
    turn: Mapped[int] = mapped_column(primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    seconds: Mapped[float | None]
