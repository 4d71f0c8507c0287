"""The register on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ivr.call.states import Outcome
from ivr.contacts.errors import RecordRefusedError
from ivr.contacts.store import ContactStore
from ivr.errors import ContactStoreError
from ivr.ports.records import (
    UNFINISHED,
    CallAnswered,
    CallOpened,
    DecisionTaken,
    StageMeasured,
    TransferTried,
    UtteranceHeard,
    UtteranceRecorded,
    WordHeard,
)
from tests.unit.contacts.records import MARKER, NOW, ended, opened


def test_whole_call_is_read_back_as_it_was_written(store: ContactStore) -> None:
    """
    Everything that a contact record holds survives the database.
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


def test_turn_that_was_not_understood_in_time_is_kept(store: ContactStore) -> None:
    """
    Its recording and that recognition did not finish; what is heard later completes it, once.
    """
    recorded = UtteranceRecorded(
        call_id="a", number=1, at=NOW, audio_seconds=2.5, recording="a/1.flac"
    )
    store.apply_all((opened(), recorded))
    [unfinished] = looked_up(store)
    heard = UtteranceHeard(
        call_id="a", number=1, at=NOW, audio_seconds=2.5, recording="a/1.flac", transcript="iets"
    )
    for record in (heard, recorded, UtteranceHeard(call_id="a", number=1, at=NOW)):
        store.apply(record)
    [finished] = looked_up(store)

    assert ("a/1.flac", 2.5, UNFINISHED) == unfinished[:3]
    assert ("a/1.flac", 2.5, "", "iets") == finished


def looked_up(store: ContactStore) -> list[tuple[str | None, float | None, str, str | None]]:
    """Recording, length, failure and words of each utterance of the call."""
    call = store.get("a")
    assert call is not None
    return [(u.recording, u.audio_seconds, u.failure, u.transcript) for u in call.utterances]


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
