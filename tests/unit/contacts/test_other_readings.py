"""What another engine heard: beside the utterance, and gone with its recording."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import alembic.command
import pytest
from alembic.config import Config
from sqlalchemy import text

from ivr.contacts import migrations
from ivr.contacts.database import open_engine
from ivr.contacts.retention import ages, purge
from ivr.contacts.store import ContactStore
from ivr.files.home import Home
from ivr.ports.records import OtherReadingHeard, UtteranceHeard, WordHeard
from tests.unit.contacts.records import MARKER, NOW, ended, opened

DAY = timedelta(days=1)
WORD = WordHeard(text=MARKER, confidence=0.9, start_seconds=0.0, end_seconds=0.4)


def reading(heard_in: str, age: timedelta = timedelta(0), call_id: str = "a") -> OtherReadingHeard:
    return OtherReadingHeard(
        call_id=call_id,
        number=1,
        heard_in=heard_in,
        at=NOW - age,
        transcript=MARKER,
        confidence=0.7,
        words=(WORD,),
        alternatives=(MARKER,),
        recogniser="whisper",
        recogniser_version="small@12345678",
        seconds=0.4,
    )


def utterance(age: timedelta = timedelta(0), call_id: str = "a") -> UtteranceHeard:
    return UtteranceHeard(call_id=call_id, number=1, at=NOW - age, transcript=MARKER)


def test_each_way_of_hearing_has_a_row(store: ContactStore) -> None:
    """
    Late while the caller waited, and heard after the call: both are told, whatever comes twice.
    """
    late = OtherReadingHeard(
        call_id="a", number=1, heard_in="second", at=NOW, failure="recogniser_late"
    )
    store.apply_all((opened(), utterance(), late, ended(), reading("background")))
    store.apply_all((reading("background"), late))
    call = store.get("a")

    assert call is not None
    assert [
        ("background", "whisper", "small@12345678", MARKER, 0.7, ""),
        ("second", "", "", "", None, "recogniser_late"),
    ] == [
        (r.heard_in, r.recogniser, r.recogniser_version, r.transcript, r.confidence, r.failure)
        for r in call.other_readings
    ]
    assert MARKER == call.other_readings[0].words[0]["text"]  # type: ignore[index]
    assert "routed" == call.outcome


def test_a_reading_may_come_before_all_else(store: ContactStore) -> None:
    """
    A spool that lost its beginning still gives back what it has.
    """
    store.apply(reading("background"))
    store.apply(opened())
    call = store.get("a")

    assert call is not None
    assert ("1700", 1) == (call.line, len(call.other_readings))


def test_readings_expire_with_the_recording(store: ContactStore, tmp_path: Path) -> None:
    """
    Their words go with the sound, before the text of the call; that there was one stays known.
    """
    home = Home(tmp_path / "home").create()
    for call_id, age in (("young", 5 * DAY), ("old", 15 * DAY)):
        store.apply_all((opened(call_id, NOW - age), utterance(age, call_id)))
        store.apply(reading("second", age, call_id))
        store.apply(reading("background", age, call_id))
    before = ages(store, home.recordings, now=NOW)
    purge(
        store,
        home.recordings,
        now=NOW,
        audio_days=10,
        text_days=20,
        features_days=30,
        batch_size=1,
    )
    old, young = store.get("old"), store.get("young")

    assert old is not None
    assert young is not None
    assert [(None, None, None, 0.7, "whisper")] * 2 == [
        (r.transcript, r.words, r.alternatives, r.confidence, r.recogniser)
        for r in old.other_readings
    ]
    assert [MARKER] * 2 == [r.transcript for r in young.other_readings]
    assert MARKER == old.utterances[0].transcript
    assert 15 * 86400 == before.oldest_text_seconds


def test_readings_alone_count_as_text_that_is_left(store: ContactStore, tmp_path: Path) -> None:
    """
    The proof that nothing old is kept looks at them too.
    """
    store.apply(reading("background", 40 * DAY))

    assert 40 * 86400 == ages(store, tmp_path, now=NOW).oldest_text_seconds


def test_a_register_of_before_is_brought_up_to_date(tmp_path: Path) -> None:
    """
    Calls that were recorded by the version without second engines stay as they are.
    """
    url = f"sqlite:///{tmp_path}/c.sqlite"
    engine = open_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with (
        engine.connect().execution_options(wegwijs_writes=True) as connection,
        connection.begin(),
    ):
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO calls (call_id, node, process, line, mode, started_at) "
                "VALUES ('old', 'n', 'p', '1700', 'route', '2026-03-01 10:00:00.000000')"
            )
        )
    engine.dispose()
    store = ContactStore(url)
    store.apply(reading("background", call_id="old"))
    call = store.get("old")
    store.close()

    assert call is not None
    assert ["background"] == [r.heard_in for r in call.other_readings]


def test_words_are_not_shown(store: ContactStore) -> None:
    """
    Like all that a caller said.
    """
    assert MARKER not in repr(reading("second"))


def test_a_reading_needs_a_moment_with_a_time_zone() -> None:
    """
    Its age is what it expires by.
    """
    with pytest.raises(ValueError, match="time zone"):
        OtherReadingHeard(call_id="a", number=1, heard_in="second", at=NOW.replace(tzinfo=None))
