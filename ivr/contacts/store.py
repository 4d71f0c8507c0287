"""The contact register: commits records one by one, reads calls back.

Synchronous; the service writes from one thread (:mod:`ivr.contacts.writer`), readers may be
in other threads and processes.
"""

from __future__ import annotations

import platform
import uuid
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, selectinload

from ivr.call.states import Outcome
from ivr.contacts.database import migrate, open_engine, translated
from ivr.contacts.errors import RecordRefusedError
from ivr.contacts.models import (
    Base,
    Call,
    Decision,
    OtherReading,
    StageLatency,
    TransferAttempt,
    Utterance,
)
from ivr.ports.records import (
    UNFINISHED,
    CallAnswered,
    CallEnded,
    CallOpened,
    ContactRecord,
    DecisionTaken,
    OtherReadingHeard,
    StageMeasured,
    TransferTried,
    UtteranceHeard,
    UtteranceRecorded,
    plain,
)

__all__ = ["ContactStore", "RecordRefusedError"]

_LONGEST_INDEXED_TEXT = 256  # PostgreSQL refuses index entries above 2704 octets
_PARTS: dict[type[Any], tuple[type[Base], tuple[str, ...]]] = {
    OtherReadingHeard: (OtherReading, ("number", "heard_in")),
    DecisionTaken: (Decision, ("number",)),
    TransferTried: (TransferAttempt, ("number",)),
    StageMeasured: (StageLatency, ("turn", "stage")),
}


class ContactStore:
    """Opens the register and brings its tables up to date.

    Args:
        url: ``sqlite:////absolute/file`` or ``postgresql://user@host/database``.
        node: Name of this machine among several on one database; the host name by default.
        read_only: For programs that only look: nothing is made, migrated or written.

    Raises:
        ContactStoreError: The register cannot be opened; the message says what to do.
    """

    def __init__(self, url: str, *, node: str = "", read_only: bool = False) -> None:
        self.node = node or platform.node() or "node"
        self.process = uuid.uuid4().hex
        self._engine = open_engine(url, read_only=read_only)
        try:
            if read_only:
                self.check()
            else:
                migrate(self._engine)
        except BaseException:
            self._engine.dispose()
            raise

    @property
    def engine(self) -> Engine:
        """For retention and reports."""
        return self._engine

    def writing(self) -> Session:
        """A session whose transaction is a writer from its first statement."""
        return Session(self._engine.execution_options(wegwijs_writes=True), expire_on_commit=False)

    def apply(self, record: ContactRecord) -> None:
        """Commit one record; a second arrival of the same one changes nothing.

        Raises:
            RecordRefusedError: The database will never take it.
            ContactStoreError: Not now: disk full, locked, server down.
        """
        self.apply_all((record,))

    def apply_all(self, records: Sequence[ContactRecord]) -> None:
        """Commit records together, in their order: all or none.

        Raises:
            RecordRefusedError: One of them will never be taken.
            ContactStoreError: Not now: disk full, locked, server down.
        """
        with (
            translated(self._engine, "writing a contact record"),
            self.writing() as session,
            session.begin(),
        ):
            for record in records:
                self._put(session, record)

    def _put(self, session: Session, record: ContactRecord) -> None:
        call = session.get(Call, record.call_id)
        if isinstance(record, CallOpened):
            if call is None:
                session.add(self._opened(record))
            elif not call.mode:
                # A later record of this call came first, and made the row without these.
                call.line, call.mode = plain(record.line)[:_LONGEST_INDEXED_TEXT], record.mode
                call.started_at = record.started_at
                call.sip_call_id = plain(record.sip_call_id)
                call.caller_hash = record.caller_hash or None
                call.caller_encrypted = call.caller_encrypted or record.caller_encrypted
            session.flush()
            return
        if call is None:
            call = self._opened(_unopened(record))
            session.add(call)
            session.flush()
        if isinstance(record, CallAnswered):
            call.answered_at = call.answered_at or record.answered_at
        elif isinstance(record, CallEnded):
            if call.ended_at is None or call.recovered_at is not None:
                call.ended_at = record.ended_at
                call.outcome = str(Outcome(record.outcome))
                call.thema, call.group = record.thema, record.group
                call.sip_status = record.sip_status
                call.recovered_at = None
                call.caller_encrypted = record.caller_encrypted or call.caller_encrypted
        elif isinstance(record, UtteranceRecorded):
            if session.get(Utterance, (record.call_id, record.number)) is None:
                heard = {f.name: getattr(record, f.name) for f in fields(record)}
                session.add(_utterance(UtteranceHeard(**heard, failure=UNFINISHED)))
        elif isinstance(record, UtteranceHeard):
            known = session.get(Utterance, (record.call_id, record.number))
            if known is None or known.failure == UNFINISHED:
                session.merge(_utterance(record))
        else:
            table, key = _PARTS[type(record)]
            identity = (record.call_id, *(getattr(record, name) for name in key))
            if session.get(table, identity) is None:
                session.add(
                    table(**{f.name: plain(getattr(record, f.name)) for f in fields(record)})
                )
        session.flush()

    def _opened(self, record: CallOpened) -> Call:
        return Call(
            call_id=record.call_id,
            node=self.node,
            process=self.process,
            line=plain(record.line)[:_LONGEST_INDEXED_TEXT],
            mode=record.mode,
            sip_call_id=plain(record.sip_call_id),
            caller_hash=record.caller_hash or None,
            caller_encrypted=record.caller_encrypted,
            started_at=record.started_at,
        )

    def recover(self, now: datetime) -> int:
        """Complete the records which a dead process of this node left open.

        Each ends with the last moment known of it, as ``media_failed`` and marked interrupted.
        To be called once, after a spool is replayed and before the first call.

        Args:
            now: Stored as the moment of recovery.

        Returns:
            How many records were completed.

        Raises:
            ContactStoreError: The register cannot be read or written.
        """
        with (
            translated(self._engine, "completing interrupted records"),
            self.writing() as session,
            session.begin(),
        ):
            left_open = session.scalars(
                select(Call).where(
                    Call.node == self.node,
                    Call.ended_at.is_(None),
                    Call.process != self.process,
                )
            ).all()
            for call in left_open:
                call.ended_at = min(now, max(_moments(session, call), default=now))
                call.outcome = Outcome.MEDIA_FAILED.value
                call.recovered_at = now
            return len(left_open)

    def get(self, call_id: str) -> Call | None:
        """Everything known of one call, detached from the database.

        Raises:
            ContactStoreError: The register cannot be read.
        """
        with translated(self._engine, "reading a contact record"), Session(self._engine) as session:
            return session.scalars(_whole().where(Call.call_id == call_id)).one_or_none()

    def list(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        line: str | None = None,
        outcome: str | None = None,
        caller_hash: str | None = None,
        limit: int = 100,
    ) -> tuple[Call, ...]:
        """Calls, latest first, each with all its parts.

        Args:
            since: Started at this moment or later.
            until: Started before this moment.
            line: Called number.
            outcome: One of :class:`ivr.ports.records.Outcome`.
            caller_hash: Calls of one caller.
            limit: At most so many.

        Raises:
            ContactStoreError: The register cannot be read.
        """
        query = _whole().order_by(Call.started_at.desc(), Call.call_id).limit(limit)
        if since is not None:
            query = query.where(Call.started_at >= since)
        if until is not None:
            query = query.where(Call.started_at < until)
        if line is not None:
            query = query.where(Call.line == line)
        if outcome is not None:
            query = query.where(Call.outcome == str(outcome))
        if caller_hash is not None:
            query = query.where(Call.caller_hash == caller_hash)
        with translated(self._engine, "reading contact records"), Session(self._engine) as session:
            return tuple(session.scalars(query))

    def check(self) -> None:
        """Prove that the register answers and has its tables.

        Raises:
            ContactStoreError: It does not.
        """
        doing = "reading the contact register"
        with translated(self._engine, doing), Session(self._engine) as session:
            session.execute(select(Call.call_id).limit(1)).all()

    def close(self) -> None:
        """Give the connections back. Idempotent."""
        self._engine.dispose()


def _whole() -> Any:
    return select(Call).options(
        selectinload(Call.utterances),
        selectinload(Call.other_readings),
        selectinload(Call.decisions),
        selectinload(Call.transfers),
        selectinload(Call.latencies),
    )


def _utterance(record: UtteranceHeard) -> Utterance:
    return Utterance(**{f.name: plain(getattr(record, f.name)) for f in fields(record)})


def _unopened(record: ContactRecord) -> CallOpened:
    """Stand-in for the opening of a call that was never written, so that the rest is kept."""
    for name in ("at", "started_at", "answered_at", "ended_at"):
        moment = getattr(record, name, None)
        if moment is not None:
            break
    else:
        moment = datetime.now(UTC)
    return CallOpened(call_id=record.call_id, started_at=moment, line="", mode="")


def _moments(session: Session, call: Call) -> tuple[datetime, ...]:
    last = (
        session.scalar(select(func.max(column)).where(owner == call.call_id))
        for column, owner in (
            (Utterance.at, Utterance.call_id),
            (Decision.at, Decision.call_id),
            (TransferAttempt.started_at, TransferAttempt.call_id),
        )
    )
    known = (call.started_at, call.answered_at, *last)
    return tuple(moment for moment in known if moment is not None)
