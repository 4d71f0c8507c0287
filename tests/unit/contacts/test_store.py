"""The register on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import math
import os
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import alembic.command
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from ivr.call.states import Outcome
from ivr.contacts.errors import RecordRefusedError
from ivr.contacts.models import Base
from ivr.contacts.records import (
    CallAnswered,
    CallEnded,
    CallOpened,
    DecisionTaken,
    StageMeasured,
    TransferTried,
    UtteranceHeard,
    WordHeard,
)
from ivr.contacts.store import ContactStore
from ivr.errors import ContactStoreError

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
MARKER = "kwikstaartmarkering"


def opened(call_id: str = "a", at: datetime = NOW) -> CallOpened:
    return CallOpened(call_id=call_id, started_at=at, line="1700", mode="route")


def ended(call_id: str = "a", outcome: Outcome = Outcome.ROUTED) -> CallEnded:
    return CallEnded(
        call_id=call_id,
        ended_at=NOW + timedelta(seconds=40),
        outcome=outcome,
        thema="energie",
        group="energie",
        sip_status=200,
    )


def test_whole_call_is_read_back_as_it_was_written(store: ContactStore) -> None:
    """
    Everything that design.md wants of a contact record survives the database.
    """
    word = WordHeard(text="meter", confidence=0.9, start_seconds=0.1, end_seconds=0.4)
    store.apply(
        CallOpened(
            call_id="a",
            started_at=NOW,
            line="1700",
            mode="route",
            sip_call_id="x@y",
            caller_hash="ab12",
            caller_encrypted=b"\x00\x01",
        )
    )
    store.apply(CallAnswered(call_id="a", answered_at=NOW + timedelta(seconds=1)))
    store.apply(
        UtteranceHeard(
            call_id="a",
            number=1,
            at=NOW + timedelta(seconds=9),
            audio_seconds=2.5,
            recording="2026/03/02/a-1.flac",
            transcript="de meter",
            confidence=0.8,
            words=(word,),
            alternatives=("de beter",),
            recogniser="vosk",
            recogniser_version="nl-8k",
        )
    )
    store.apply(
        DecisionTaken(
            call_id="a",
            number=1,
            at=NOW + timedelta(seconds=10),
            action="route",
            utterance_number=1,
            thema="energie",
            group="energie",
            probability=0.93,
            ranking=(("energie", 0.93), ("mobiliteit", 0.02)),
            costs={"route": 4.5, "choose": 15.0},
            policy_version="cost-1",
            model_version="m1",
            language="nl",
        )
    )
    store.apply(
        TransferTried(
            call_id="a",
            number=1,
            started_at=NOW + timedelta(seconds=12),
            group="energie",
            target="sip:energie@acd",
            method="refer",
            result="succeeded",
            sip_status=200,
            seconds=3.5,
        )
    )
    store.apply(StageMeasured(call_id="a", turn=1, stage="dead_air", seconds=0.6))
    store.apply(ended())

    call = store.get("a")

    assert call is not None
    assert (NOW, NOW + timedelta(seconds=1)) == (call.started_at, call.answered_at)
    assert ("routed", "energie", 200, False) == (
        call.outcome,
        call.group,
        call.sip_status,
        call.interrupted,
    )
    assert ("x@y", "ab12", b"\x00\x01") == (
        call.sip_call_id,
        call.caller_hash,
        call.caller_encrypted,
    )
    [utterance] = call.utterances
    assert "de meter" == utterance.transcript
    assert "meter" == (utterance.words or [])[0]["text"]
    assert ["de beter"] == utterance.alternatives
    [decision] = call.decisions
    assert [["energie", 0.93], ["mobiliteit", 0.02]] == decision.ranking
    assert {"route": 4.5, "choose": 15.0} == decision.costs
    assert [3.5] == [attempt.seconds for attempt in call.transfers]
    assert [("dead_air", 0.6)] == [(stage.stage, stage.seconds) for stage in call.latencies]


def test_migrations_from_empty_equal_the_models(store: ContactStore) -> None:
    """
    A table changed without its migration, or the other way round, fails here.
    """
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)

    assert [] == differences


def test_every_index_of_the_models_exists(store: ContactStore) -> None:
    """
    Comparison of metadata can miss indexes on one database; their names are counted here.
    """
    wanted = {index.name for table in Base.metadata.tables.values() for index in table.indexes}
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'index'"
        if store.engine.dialect.name == "sqlite"
        else "SELECT indexname FROM pg_indexes"
    )
    with store.engine.connect() as connection:
        found = {row[0] for row in connection.execute(text(query))}

    assert set() == wanted - found


def test_processes_that_start_together_all_find_a_register(url: str) -> None:
    """
    Phone and console of one machine start at the same moment on an empty database.
    """
    failures: list[Exception] = []
    barrier = threading.Barrier(4)

    def start() -> None:
        barrier.wait(20)
        try:
            ContactStore(url, node="test").close()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert [] == failures


def test_register_of_a_newer_version_is_refused(store: ContactStore, url: str) -> None:
    """
    An older program must not write into tables it does not know.
    """
    with store.engine.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.commit()

    with pytest.raises(ContactStoreError, match="newer version"):
        ContactStore(url)


def test_second_arrival_changes_nothing(store: ContactStore) -> None:
    """
    A spool may be replayed after a crash in the middle of its replay.
    """
    records = (
        opened(),
        UtteranceHeard(call_id="a", number=1, at=NOW, transcript="eerst"),
        ended(),
    )
    store.apply_all(records)
    store.apply_all(records)
    store.apply(UtteranceHeard(call_id="a", number=1, at=NOW, transcript="later"))
    store.apply(ended(outcome=Outcome.ABANDONED))

    call = store.get("a")

    assert call is not None
    assert ["eerst"] == [utterance.transcript for utterance in call.utterances]
    assert "routed" == call.outcome


def test_records_are_kept_when_their_opening_was_lost(store: ContactStore) -> None:
    """
    Late facts open the record themselves; a late opening completes it.
    """
    store.apply(UtteranceHeard(call_id="a", number=1, at=NOW, transcript="iets"))
    store.apply(opened(at=NOW - timedelta(seconds=5)))

    call = store.get("a")

    assert call is not None
    assert ("1700", "route", NOW - timedelta(seconds=5)) == (call.line, call.mode, call.started_at)
    assert 1 == len(call.utterances)


def test_batch_is_written_whole_or_not_at_all(store: ContactStore) -> None:
    """
    A record that can never be stored takes no half of its batch with it.
    """
    bad = DecisionTaken(call_id="a", number=2**70, at=NOW, action="route")

    with pytest.raises((RecordRefusedError, ContactStoreError)):
        store.apply_all((opened(), bad))

    assert store.get("a") is None


def test_refusal_does_not_quote_the_record(store: ContactStore) -> None:
    """
    Drivers quote parameters in their errors; ours name the code alone.
    """
    record = UtteranceHeard(call_id="a", number=2**70, at=NOW, transcript=MARKER)

    with pytest.raises(RecordRefusedError) as caught:
        store.apply(record)

    assert MARKER not in str(caught.value) + repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_hostile_text_is_stored(store: ContactStore) -> None:
    """
    NUL, half surrogates and endless called numbers come from the network.
    """
    store.apply(
        CallOpened(
            call_id="a",
            started_at=NOW,
            line="9" * 5000,
            mode="route",
            sip_call_id="a\0b\udc80",
            caller_hash="",
        )
    )
    store.apply(
        DecisionTaken(
            call_id="a",
            number=1,
            at=NOW,
            action="route",
            costs={"route": math.nan, "human": math.inf},
        )
    )

    call = store.get("a")

    assert call is not None
    assert ("ab?", 256) == (call.sip_call_id, len(call.line))
    assert {"route": None, "human": None} == call.decisions[0].costs


def test_moments_come_back_in_utc(store: ContactStore) -> None:
    """
    A moment of another zone is the same moment when it is read.
    """
    brussels = timezone(timedelta(hours=2))
    store.apply(opened(at=datetime(2026, 7, 1, 12, 0, tzinfo=brussels)))

    call = store.get("a")

    assert call is not None
    assert datetime(2026, 7, 1, 10, 0, tzinfo=UTC) == call.started_at
    assert UTC == call.started_at.tzinfo


def test_interrupted_calls_are_completed_by_the_next_process(url: str) -> None:
    """
    Only calls of this node, of another process, without an end; with their last known moment.
    """
    before = ContactStore(url, node="een")
    before.apply_all((opened("open"), opened("done"), ended("done")))
    before.apply(
        UtteranceHeard(call_id="open", number=1, at=NOW + timedelta(seconds=9), transcript="")
    )
    other = ContactStore(url, node="twee")
    other.apply(opened("elsewhere"))
    after = ContactStore(url, node="een")
    after.apply(opened("mine"))

    completed = after.recover(NOW + timedelta(hours=1))
    again = after.recover(NOW + timedelta(hours=2))

    calls = {call.call_id: call for call in after.list()}
    for store in (before, other, after):
        store.close()
    assert (1, 0) == (completed, again)
    assert ("media_failed", True) == (calls["open"].outcome, calls["open"].interrupted)
    assert NOW + timedelta(seconds=9) == calls["open"].ended_at
    assert NOW + timedelta(hours=1) == calls["open"].recovered_at
    assert ("routed", False) == (calls["done"].outcome, calls["done"].interrupted)
    assert (None, None) == (calls["elsewhere"].outcome, calls["mine"].outcome)


def test_true_end_from_a_late_spool_replaces_the_recovered_one(url: str) -> None:
    """
    The end was spooled while the register was down, and the process died afterwards.
    """
    before = ContactStore(url, node="een")
    before.apply(opened())
    after = ContactStore(url, node="een")
    after.recover(NOW + timedelta(hours=1))
    after.apply(ended())

    call = after.get("a")

    before.close()
    after.close()
    assert call is not None
    assert ("routed", False) == (call.outcome, call.interrupted)


def test_calls_are_listed_latest_first_and_filtered(store: ContactStore) -> None:
    """
    The reading side finds calls by moment, line and outcome.
    """
    for minute in range(5):
        store.apply(opened(str(minute), NOW + timedelta(minutes=minute)))
    store.apply(ended("3"))

    assert ["4", "3"] == [call.call_id for call in store.list(limit=2)]
    assert ["3"] == [call.call_id for call in store.list(outcome=Outcome.ROUTED)]
    since, until = NOW + timedelta(minutes=1), NOW + timedelta(minutes=3)
    assert ["2", "1"] == [call.call_id for call in store.list(since=since, until=until)]
    assert () == store.list(line="1701")


def test_reader_cannot_write(store: ContactStore, url: str) -> None:
    """
    A program that only looks is refused by the database itself.
    """
    store.apply(opened())
    reader = ContactStore(url, read_only=True)

    with pytest.raises(ContactStoreError):
        reader.apply(ended())

    call = reader.get("a")
    reader.close()
    assert call is not None
    assert call.outcome is None


def test_reader_does_not_make_a_register(tmp_path: Path) -> None:
    """
    A wrong home folder is named, not filled.
    """
    path = tmp_path / "none.sqlite"

    with pytest.raises(ContactStoreError, match="there is no contact register"):
        ContactStore(f"sqlite:///{path}", read_only=True)

    assert not path.exists()


def test_sqlite_is_private_and_durable(tmp_path: Path) -> None:
    """
    Mode 0600 for the file and its journal; WAL; synchronous FULL.
    """
    old = os.umask(0)
    try:
        store = ContactStore(f"sqlite:///{tmp_path}/deep/er/c.sqlite")
        store.apply(opened())
    finally:
        os.umask(old)
    with store.engine.connect() as connection:
        mode = connection.execute(text("PRAGMA journal_mode")).scalar()
        synchronous = connection.execute(text("PRAGMA synchronous")).scalar()
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in (tmp_path / "deep" / "er").iterdir()
        }
    store.close()

    assert ("wal", 2) == (mode, synchronous)
    assert {0o600} == set(modes.values())
    assert {"c.sqlite", "c.sqlite-wal", "c.sqlite-shm"} <= set(modes)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "is not a URL"),
        ("geheim wachtwoord", "is not a URL"),
        ("sqlite://", "in memory"),
        ("mysql://piet:geheim@host/db", "not supported"),
        ("postgresql://piet:geheim@127.0.0.1:1/db", "does not answer"),
        ("postgresql://piet:geheim@127.0.0.1:poort/db", "is not a URL"),
    ],
)
def test_unusable_urls_are_named_without_their_password(url: str, says: str) -> None:
    """
    Each mistake has a message with a remedy, and none shows a secret.
    """
    with pytest.raises(ContactStoreError, match=says) as caught:
        ContactStore(url)

    assert "geheim" not in str(caught.value)


def damage(path: Path) -> None:
    path.write_bytes(b"this is no database, " * 1000)


def make_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "says"), [(damage, "no SQLite database"), (make_folder, "cannot be opened")]
)
def test_unusable_files_are_named(tmp_path: Path, spoil: Callable[[Path], None], says: str) -> None:
    """
    A damaged file is never overwritten.
    """
    path = tmp_path / "c.sqlite"
    spoil(path)

    with pytest.raises(ContactStoreError, match=says) as caught:
        ContactStore(f"sqlite:///{path}")

    assert str(path) in str(caught.value)


def test_busy_register_waits_then_says_so(tmp_path: Path) -> None:
    """
    Another program may hold SQLite; after a while we say which remedy there is.
    """
    store = ContactStore(f"sqlite:///{tmp_path}/c.sqlite?timeout=0.2")
    holder = ContactStore(f"sqlite:///{tmp_path}/c.sqlite")
    with holder.writing() as session, session.begin():
        session.execute(text("SELECT 1"))
        with pytest.raises(ContactStoreError, match="SQLITE_BUSY"):
            store.apply(opened())

    store.apply(opened())

    assert store.get("a") is not None
    store.close()
    holder.close()


def test_downgrade_drops_what_upgrade_made(tmp_path: Path) -> None:
    """
    The step back is complete, so that a failed release can be taken back by hand.
    """
    from alembic.config import Config

    store = ContactStore(f"sqlite:///{tmp_path}/c.sqlite")
    config = Config()
    folder = Path(__file__).parents[3] / "ivr" / "contacts" / "migrations"
    config.set_main_option("script_location", str(folder))
    with store.engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        alembic.command.downgrade(config, "base")
        left = {
            row[0]
            for row in connection.execute(text("SELECT name FROM sqlite_master WHERE type='table'"))
        }
    store.close()

    assert {"alembic_version"} == left
