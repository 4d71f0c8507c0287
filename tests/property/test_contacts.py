"""What holds for every contact record."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.call.states import Outcome
from ivr.contacts.models import Call
from ivr.contacts.privacy import normalise_number
from ivr.contacts.spool import Spool
from ivr.contacts.store import ContactStore
from ivr.ports.records import (
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
    WordHeard,
    from_json,
    plain,
    to_json,
)

call_ids = st.sampled_from(["a", "b"])
numbers = st.integers(1, 3)
moments = st.builds(
    lambda seconds, hours: (
        datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=hours))) + timedelta(seconds=seconds)
    ),
    st.floats(-1e8, 1e8),
    st.integers(-11, 12),
)
shares = st.floats(0, 1)
words = st.builds(
    WordHeard, text=st.text(max_size=9), confidence=shares, start_seconds=shares, end_seconds=shares
)
records: st.SearchStrategy[ContactRecord] = st.one_of(
    st.builds(
        CallOpened,
        call_id=call_ids,
        started_at=moments,
        line=st.text(max_size=9),
        mode=st.sampled_from(["route", "shadow"]),
        sip_call_id=st.text(st.characters(), max_size=9),
        caller_hash=st.sampled_from(["", "ab"]),
        caller_encrypted=st.none() | st.binary(max_size=9),
    ),
    st.builds(CallAnswered, call_id=call_ids, answered_at=moments),
    st.builds(
        UtteranceRecorded,
        call_id=call_ids,
        number=numbers,
        at=moments,
        audio_seconds=st.floats(0, 60),
        recording=st.none() | st.text(max_size=9),
    ),
    st.builds(
        UtteranceHeard,
        call_id=call_ids,
        number=numbers,
        at=moments,
        transcript=st.text(max_size=40),
        words=st.lists(words, max_size=3).map(tuple),
        alternatives=st.lists(st.text(max_size=9), max_size=2).map(tuple),
    ),
    st.builds(
        OtherReadingHeard,
        call_id=call_ids,
        number=numbers,
        heard_in=st.sampled_from(["first", "second", "background"]),
        at=moments,
        transcript=st.text(max_size=40),
        confidence=st.none() | shares,
        words=st.lists(words, max_size=3).map(tuple),
        alternatives=st.lists(st.text(max_size=9), max_size=2).map(tuple),
        seconds=st.floats(),
    ),
    st.builds(
        DecisionTaken,
        call_id=call_ids,
        number=numbers,
        at=moments,
        action=st.just("route"),
        ranking=st.lists(st.tuples(st.text(max_size=9), shares), max_size=3).map(tuple),
        costs=st.dictionaries(st.text(max_size=9), st.floats(), max_size=3),
    ),
    st.builds(
        TransferTried,
        call_id=call_ids,
        number=numbers,
        started_at=moments,
        group=st.just("energie"),
        target=st.text(max_size=9),
        method=st.just("refer"),
        result=st.just("failed"),
        sip_status=st.none() | st.integers(100, 699),
    ),
    st.builds(
        StageMeasured, call_id=call_ids, turn=numbers, stage=st.just("dead_air"), seconds=shares
    ),
    st.builds(CallEnded, call_id=call_ids, ended_at=moments, outcome=st.sampled_from(Outcome)),
)


@given(records)
def test_a_spooled_line_is_the_record(record: ContactRecord) -> None:
    """
    What was spooled is what is committed later; numbers that are none become None.
    """
    line = to_json(record)

    assert line.isascii()
    assert "\n" not in line
    assert "\0" not in line
    assert plain(record) == plain(from_json(line))
    assert line == to_json(from_json(line))


@given(st.lists(records, max_size=12), st.integers(1, 5), st.integers(0, 400))
def test_a_cut_spool_gives_back_all_whole_lines(
    given_records: list[ContactRecord], size: int, cut: int
) -> None:
    """
    Wherever the power went away, whole lines in front of the cut are read.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.jsonl"
        if given_records:
            Spool(path).append(given_records)
        lines = path.read_bytes() if path.exists() else b""
        kept = lines[: max(0, len(lines) - cut)]
        path.write_bytes(kept)
        spool = Spool(path)
        read = [to_json(record) for batch in spool.batches(size) for record in batch]

    whole = [line.decode() for line in kept.split(b"\n")[:-1]]
    assert whole == read[: len(whole)]
    assert len(read) + spool.damaged <= len(whole) + 1


def look(call: Call | None) -> Any:
    if call is None:
        return None
    rows = [
        call,
        *call.utterances,
        *call.other_readings,
        *call.decisions,
        *call.transfers,
        *call.latencies,
    ]
    return [
        {column.key: getattr(row, column.key) for column in row.__mapper__.column_attrs}
        for row in rows
    ]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContactStore]:
    opened = ContactStore(f"sqlite:///{tmp_path_factory.mktemp('register')}/c.sqlite")
    yield opened
    opened.close()


@settings(max_examples=30, deadline=None)
@given(st.lists(records, max_size=12), st.data())
def test_replaying_any_beginning_changes_nothing(
    store: ContactStore, given_records: list[ContactRecord], data: st.DataObject
) -> None:
    """
    A replay that was cut short and starts again leaves the same register.
    """
    prefix = uuid.uuid4().hex
    named = [replace(record, call_id=prefix + record.call_id) for record in given_records]
    again = named[: data.draw(st.integers(0, len(named)))]

    store.apply_all(named)
    once = [look(store.get(prefix + name)) for name in ("a", "b")]
    store.apply_all([*again, *named])
    twice = [look(store.get(prefix + name)) for name in ("a", "b")]

    assert once == twice


@given(st.text(max_size=30))
def test_spelling_a_number_twice_changes_nothing(number: str) -> None:
    """
    Normalising is a projection, so the hash does not depend on who normalised first.
    """
    spelled = normalise_number(number)

    assert spelled == normalise_number(spelled)
