"""Expires what was kept: audio first, then text, then features, each on its own clock.

What another engine heard goes with the recording: it is kept for those who label, and they need
both.

What stays for statistics is the bare call: line, moments, outcome, thema, group, latencies.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from ivr.contacts.database import translated
from ivr.contacts.models import Call, Decision, OtherReading, TransferAttempt, Utterance
from ivr.contacts.store import ContactStore
from ivr.errors import ContactStoreError

_DAY_FOLDER = re.compile(r"(\d{4})/(\d{2})/(\d{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionReport:
    """What a purge did, and the proof of it: the ages of the oldest things that are left."""

    recordings_deleted: int = 0
    orphans_deleted: int = 0
    """Recordings that no record refers to."""
    texts_expired: int = 0
    """Utterances whose transcript was wiped."""
    features_expired: int = 0
    """Decisions whose ranking and costs were wiped."""
    failures: int = 0
    """Files that could not be deleted; the next purge tries again."""
    oldest_recording_seconds: float | None = None
    """Age of the oldest recording on disk; ``None`` when there is none."""
    oldest_text_seconds: float | None = None
    oldest_features_seconds: float | None = None


def purge(
    store: ContactStore,
    recordings: Path,
    *,
    now: datetime,
    audio_days: float,
    text_days: float,
    features_days: float,
    batch_size: int = 500,
    spool: Path | None = None,
) -> RetentionReport:
    """Wipe what is too old, in batches that hold no lock for long.

    With the text go the caller's encrypted number, the SIP Call-ID and the transfer targets;
    with the features goes the caller's hash.

    Args:
        store: The register.
        recordings: Root of the recordings (:attr:`ivr.files.home.Home.recordings`).
        now: Ages are counted back from here.
        audio_days: Recordings older than this are deleted; orphans too.
        text_days: At least ``audio_days``.
        features_days: At least ``text_days``.
        batch_size: So many rows are locked at once.
        spool: Folder of the spool (:attr:`ivr.files.home.Home.spool`): records that the database
            refused are kept there, and go when text goes.

    Raises:
        ContactStoreError: The days contradict the order, or the register is down. Audio is
            deleted before text is wiped, so an interrupted purge is completed by the next one.
    """
    if not 0 <= audio_days <= text_days <= features_days:
        raise ContactStoreError(
            f"retention of audio ({audio_days} days), text ({text_days}) and features "
            f"({features_days}) must not shrink in this order; audio expires first"
        )
    audio_before = now - timedelta(days=audio_days)
    report = _purge_audio(store, recordings, audio_before, batch_size)
    report = _purge_orphans(recordings, audio_before, report)
    if spool is not None:
        _purge_rejected(spool, now - timedelta(days=text_days))
    with translated(store.engine, "expiring contact records"):
        _purge_readings(store, audio_before, batch_size)
        texts = _purge_text(store, now - timedelta(days=text_days), batch_size)
        features = _purge_features(store, now - timedelta(days=features_days), batch_size)
        _forget_journal(store)
    report = replace(report, texts_expired=texts, features_expired=features)
    return _with_ages(store, recordings, now, report)


def ages(store: ContactStore, recordings: Path, *, now: datetime) -> RetentionReport:
    """The oldest ages alone, without wiping anything.

    Args:
        store: The register.
        recordings: Root of the recordings.
        now: Ages are counted back from here; aware.

    Raises:
        ContactStoreError: The register cannot be read.
    """
    return _with_ages(store, recordings, now, RetentionReport())


def _purge_audio(
    store: ContactStore, recordings: Path, before: datetime, batch_size: int
) -> RetentionReport:
    deleted = failures = 0
    after: tuple[str, int] = ("", 0)
    while True:
        with (
            translated(store.engine, "expiring recordings"),
            store.writing() as session,
            session.begin(),
        ):
            batch = session.scalars(
                select(Utterance)
                .where(Utterance.recording.is_not(None), Utterance.at < before)
                .where(tuple_(Utterance.call_id, Utterance.number) > tuple_(*after))
                .order_by(Utterance.call_id, Utterance.number)
                .limit(batch_size)
            ).all()
            for utterance in batch:
                # The file first: after a kill in between, the reference is still there.
                gone = _delete(recordings, utterance.recording or "")
                if gone is None:
                    failures += 1
                else:
                    deleted += gone
                    utterance.recording = None
        if len(batch) < batch_size:
            return RetentionReport(recordings_deleted=deleted, failures=failures)
        after = (batch[-1].call_id, batch[-1].number)


def _delete(recordings: Path, reference: str) -> bool | None:
    """Delete one recording. False: it was gone already; ``None``: it cannot be deleted."""
    path = recordings / reference
    if ".." in Path(reference).parts or Path(reference).is_absolute():
        return None
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return True


def _purge_orphans(recordings: Path, before: datetime, report: RetentionReport) -> RetentionReport:
    """Delete files that are too old whatever the register says of them, and empty day folders."""
    deleted, failures = 0, report.failures
    for path, moment in _files(recordings):
        if moment < before:
            try:
                path.unlink()
                deleted += 1
            except OSError:
                failures += 1
    for folder, _, _ in os.walk(recordings, topdown=False):
        day = _day(recordings, Path(folder))
        if day is not None and day + timedelta(days=1) < before:
            try:
                Path(folder).rmdir()
            except OSError:
                pass  # not empty: a file could not be deleted, which is counted
    return replace(report, orphans_deleted=deleted, failures=failures)


def _purge_rejected(spool: Path, before: datetime) -> None:
    for path in spool.glob("*.rejected"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < before.timestamp():
                path.unlink()


def _files(recordings: Path) -> Iterator[tuple[Path, datetime]]:
    """Every file with its moment: a restored backup is as old as its folder says."""
    for folder, _, names in os.walk(recordings):
        day = _day(recordings, Path(folder))
        for name in names:
            path = Path(folder) / name
            try:
                moment = datetime.fromtimestamp(path.lstat().st_mtime, UTC)
            except OSError:
                continue
            if day is not None:
                moment = min(moment, day + timedelta(days=1))
            yield path, moment


def _day(recordings: Path, folder: Path) -> datetime | None:
    match = _DAY_FOLDER.fullmatch(folder.relative_to(recordings).as_posix())
    if match is None:
        return None
    try:
        return datetime(int(match[1]), int(match[2]), int(match[3]), tzinfo=UTC)
    except ValueError:
        return None


def _text_left(table: type[Utterance] | type[OtherReading] = Utterance) -> Any:
    return or_(
        table.transcript.is_not(None), table.words.is_not(None), table.alternatives.is_not(None)
    )


def _purge_readings(store: ContactStore, before: datetime, batch_size: int) -> None:
    table = OtherReading
    key = (table.call_id, table.number, table.heard_in)
    _in_batches(
        store,
        batch_size,
        select(*key).where(table.at < before, _text_left(table)),
        lambda keys: (
            update(table)
            .where(tuple_(*key).in_(keys))
            .values(transcript=None, words=None, alternatives=None)
        ),
    )


def _purge_text(store: ContactStore, before: datetime, batch_size: int) -> int:
    expired = _in_batches(
        store,
        batch_size,
        select(Utterance.call_id, Utterance.number).where(Utterance.at < before, _text_left()),
        lambda keys: (
            update(Utterance)
            .where(tuple_(Utterance.call_id, Utterance.number).in_(keys))
            .values(transcript=None, words=None, alternatives=None)
        ),
    )
    _in_batches(
        store,
        batch_size,
        select(Call.call_id).where(
            Call.started_at < before,
            or_(Call.caller_encrypted.is_not(None), Call.sip_call_id.is_not(None)),
        ),
        lambda keys: (
            update(Call)
            .where(Call.call_id.in_([key[0] for key in keys]))
            .values(caller_encrypted=None, sip_call_id=None)
        ),
    )
    _in_batches(
        store,
        batch_size,
        select(TransferAttempt.call_id, TransferAttempt.number).where(
            TransferAttempt.started_at < before, TransferAttempt.target != ""
        ),
        lambda keys: (
            update(TransferAttempt)
            .where(tuple_(TransferAttempt.call_id, TransferAttempt.number).in_(keys))
            .values(target="")
        ),
    )
    return expired


def _purge_features(store: ContactStore, before: datetime, batch_size: int) -> int:
    expired = _in_batches(
        store,
        batch_size,
        select(Decision.call_id, Decision.number).where(
            Decision.at < before, or_(Decision.ranking.is_not(None), Decision.costs.is_not(None))
        ),
        lambda keys: (
            update(Decision)
            .where(tuple_(Decision.call_id, Decision.number).in_(keys))
            .values(ranking=None, costs=None, probability=None)
        ),
    )
    _in_batches(
        store,
        batch_size,
        select(Call.call_id).where(Call.started_at < before, Call.caller_hash.is_not(None)),
        lambda keys: (
            update(Call).where(Call.call_id.in_([key[0] for key in keys])).values(caller_hash=None)
        ),
    )
    return expired


def _in_batches(store: ContactStore, batch_size: int, expired: Any, wipe: Any) -> int:
    """Run ``wipe`` on the keys that ``expired`` finds until it finds no more."""
    count = 0
    while True:
        with store.writing() as session, session.begin():
            keys = [tuple(row) for row in session.execute(expired.limit(batch_size))]
            if not keys:
                return count
            session.execute(wipe(keys), execution_options={"synchronize_session": False})
            count += len(keys)


def _forget_journal(store: ContactStore) -> None:
    """SQLite keeps old pages in its journal until they are written back."""
    if store.engine.dialect.name == "sqlite":
        connection = store.engine.raw_connection()  # a checkpoint refuses to run in a transaction
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()


def _with_ages(
    store: ContactStore, recordings: Path, now: datetime, report: RetentionReport
) -> RetentionReport:
    def age(moment: datetime | None) -> float | None:
        return None if moment is None else max(0.0, (now - moment).total_seconds())

    with translated(store.engine, "reading ages"), Session(store.engine) as session:
        oldest_texts = [
            session.scalar(select(func.min(table.at)).where(_text_left(table)))
            for table in (Utterance, OtherReading)
        ]
        oldest_features = session.scalar(
            select(func.min(Decision.at)).where(
                or_(Decision.ranking.is_not(None), Decision.costs.is_not(None))
            )
        )
    return replace(
        report,
        oldest_recording_seconds=age(min((m for _, m in _files(recordings)), default=None)),
        oldest_text_seconds=age(min((at for at in oldest_texts if at is not None), default=None)),
        oldest_features_seconds=age(oldest_features),
    )
