"""What expires, when, and that nothing of it is left."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivr.call.states import Outcome
from ivr.contacts.retention import RetentionReport, ages, purge
from ivr.contacts.store import ContactStore
from ivr.errors import ContactStoreError
from ivr.files.home import Home
from ivr.ports.records import (
    CallEnded,
    CallOpened,
    DecisionTaken,
    TransferTried,
    UtteranceHeard,
    WordHeard,
)

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
MARKER = "kwikstaartmarkering"
DAY = timedelta(days=1)


def add_call(store: ContactStore, home: Home, call_id: str, age: timedelta) -> Path:
    """A call with a recording on disk; returns the recording's path."""
    at = NOW - age
    path = home.recording_path(call_id, 1, at)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"audio")
    os.utime(path, (at.timestamp(), at.timestamp()))
    word = WordHeard(text=MARKER, confidence=0.9, start_seconds=0.0, end_seconds=0.4)
    store.apply_all(
        (
            CallOpened(
                call_id=call_id,
                started_at=at,
                line="1700",
                mode="route",
                sip_call_id=MARKER,
                caller_hash="ab" + MARKER,
                caller_encrypted=MARKER.encode(),
            ),
            UtteranceHeard(
                call_id=call_id,
                number=1,
                at=at,
                recording=home.recording_reference(path),
                transcript=MARKER,
                words=(word,),
                alternatives=(MARKER,),
            ),
            DecisionTaken(
                call_id=call_id,
                number=1,
                at=at,
                action="route",
                thema="energie",
                probability=0.9,
                ranking=((MARKER, 0.9),),
                costs={MARKER: 1.0},
            ),
            TransferTried(
                call_id=call_id,
                number=1,
                started_at=at,
                group="energie",
                target=MARKER,
                method="refer",
                result="succeeded",
            ),
            CallEnded(call_id=call_id, ended_at=at, outcome=Outcome.ROUTED, group="energie"),
        )
    )
    return path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").create()


def run(store: ContactStore, home: Home, batch_size: int = 500) -> RetentionReport:
    return purge(
        store,
        home.recordings,
        now=NOW,
        audio_days=10,
        text_days=20,
        features_days=30,
        batch_size=batch_size,
    )


def proof(report: RetentionReport) -> list[float | None]:
    return [
        report.oldest_recording_seconds,
        report.oldest_text_seconds,
        report.oldest_features_seconds,
    ]


def test_audio_then_text_then_features_expire(store: ContactStore, home: Home) -> None:
    """
    Each on its own clock, and the bare call stays for statistics.
    """
    paths = {
        days: add_call(store, home, f"c{days}", timedelta(days=days)) for days in (5, 15, 25, 35)
    }

    report = run(store, home)

    assert [True, False, False, False] == [paths[days].exists() for days in (5, 15, 25, 35)]
    calls = {call.call_id: call for call in store.list()}
    kept = {
        name: (
            call.utterances[0].recording is not None,
            call.utterances[0].transcript == MARKER,
            call.caller_encrypted is not None,
            call.decisions[0].ranking is not None,
            call.caller_hash is not None,
        )
        for name, call in calls.items()
    }
    assert {
        "c5": (True, True, True, True, True),
        "c15": (False, True, True, True, True),
        "c25": (False, False, False, True, True),
        "c35": (False, False, False, False, False),
    } == kept
    expired = calls["c35"]
    assert (None, None) == (expired.utterances[0].words, expired.sip_call_id)
    assert "" == expired.transfers[0].target
    assert ("1700", "routed", "energie") == (expired.line, expired.outcome, expired.group)
    assert (3, 0, 2, 1, 0) == (
        report.recordings_deleted,
        report.orphans_deleted,
        report.texts_expired,
        report.features_expired,
        report.failures,
    )
    assert [5 * 86400, 15 * 86400, 25 * 86400] == proof(report)
    assert proof(report) == proof(ages(store, home.recordings, now=NOW))


def test_second_purge_finds_nothing(store: ContactStore, home: Home) -> None:
    """
    A purge that is repeated, or was interrupted, ends in the same state.
    """
    add_call(store, home, "old", 100 * DAY)
    run(store, home)

    assert RetentionReport() == run(store, home)


def test_expired_words_are_not_in_the_files_any_more(tmp_path: Path, home: Home) -> None:
    """
    Deleted is not hidden: neither the database nor its journal holds the words.
    """
    store = ContactStore(home.database_url)
    for number in range(30):
        add_call(store, home, f"c{number}", 100 * DAY)
    before = b"".join(path.read_bytes() for path in home.path.glob("contacts.sqlite*"))
    run(store, home)

    after = b"".join(path.read_bytes() for path in home.path.glob("contacts.sqlite*"))

    store.close()
    assert MARKER.encode() in before
    assert MARKER.encode() not in after


def test_batches_reach_everything(store: ContactStore, home: Home) -> None:
    """
    More than one batch, with files that cannot be deleted in the first one.
    """
    paths = [add_call(store, home, f"c{number}", 100 * DAY) for number in range(10)]
    for path in paths[:4]:
        path.unlink()
        path.mkdir()

    report = run(store, home, batch_size=3)

    assert (6, 4, 10, 10) == (
        report.recordings_deleted,
        report.failures,
        report.texts_expired,
        report.features_expired,
    )
    assert [] == [path for path in paths if path.is_file()]


def test_orphans_expire_by_their_own_age(store: ContactStore, home: Home) -> None:
    """
    A recording without a record goes too, by its folder's day when its own date is younger.
    """
    young = home.recording_path("young", 1, NOW)
    restored = home.recording_path("restored", 1, NOW - 100 * DAY)
    draft = home.recordings / ".draft"
    for path in (young, restored, draft):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"audio")
        os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    os.utime(draft, (0, 0))

    report = run(store, home)

    assert (True, False, False) == (young.exists(), restored.exists(), draft.exists())
    assert 2 == report.orphans_deleted
    assert not restored.parent.exists()


def test_reference_cannot_delete_outside_the_recordings(store: ContactStore, home: Home) -> None:
    """
    A tampered reference is counted as a failure and its target stays.
    """
    precious = home.path / "precious"
    precious.write_text("keep")
    store.apply(CallOpened(call_id="a", started_at=NOW, line="1700", mode="route"))
    for number, reference in enumerate(("../precious", str(precious)), start=1):
        store.apply(
            UtteranceHeard(
                call_id="a", number=number, at=NOW - 100 * DAY, transcript="", recording=reference
            )
        )

    report = run(store, home)

    assert precious.exists()
    assert 2 == report.failures


def test_refused_records_expire_with_text(store: ContactStore, home: Home) -> None:
    """
    What the database refused holds words too, and no table knows of it.
    """
    old, young = home.spool / "records.jsonl.rejected", home.spool / "new.jsonl.rejected"
    for path, age in ((old, 21), (young, 19)):
        path.write_text(MARKER)
        os.utime(path, ((NOW - age * DAY).timestamp(),) * 2)
    purge(
        store,
        home.recordings,
        now=NOW,
        audio_days=10,
        text_days=20,
        features_days=30,
        spool=home.spool,
    )

    assert (False, True) == (old.exists(), young.exists())


@pytest.mark.parametrize("days", [(20, 10, 30), (10, 40, 30), (-1, 10, 30)])
def test_contradicting_clocks_are_refused(
    store: ContactStore, home: Home, days: tuple[int, int, int]
) -> None:
    """
    Text without its audio may stay; audio without its text may not.
    """
    audio, words, features = days
    with pytest.raises(ContactStoreError, match="audio expires first"):
        purge(
            store,
            home.recordings,
            now=NOW,
            audio_days=audio,
            text_days=words,
            features_days=features,
        )
