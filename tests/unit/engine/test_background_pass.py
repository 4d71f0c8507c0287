"""Recordings that are heard again after the call: which ones, by whom, and how many may wait."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ivr.engine.second_opinion import SecondRules
from ivr.files.home import Home
from ivr.ports.records import OtherReadingHeard, UtteranceHeard
from tests.fakes.speech import Said
from tests.unit.engine.stage import ENERGY, VAGUE, readings, stage

UNSURE = Said(VAGUE, 0.3)
CLEAR = Said(ENERGY, 0.9)
BROKEN = Said(finish_error=RuntimeError("broke"))


def test_recordings_are_heard_again_after_the_call(tmp_path: Path) -> None:
    """
    Not before its end, and with the moment of the utterance: the reading expires with the sound.
    """
    home = Home(tmp_path)
    with stage(second=SecondRules(), share_of_calls=1.0, folder=home) as s:
        leg = s.incoming()
        s.say(leg, VAGUE, confidence=0.9)
        s.other_speech.script.append(Said("een premie", 0.7))
        s.write_recordings()
        before = len(s.other_speech.opened)
        s.hang_up(leg)
        s.write_recordings()
        heard = s.records(UtteranceHeard)[0]
        other = s.records(OtherReadingHeard)[0]

        assert (0, 1) == (before, len(s.other_speech.opened))
        assert ("background", "other", "other-1", "een premie", 0.7) == (
            other.heard_in,
            other.recogniser,
            other.recogniser_version,
            other.transcript,
            other.confidence,
        )
        assert (heard.call_id, heard.number, heard.at) == (other.call_id, other.number, other.at)
        assert s.other_speech.opened[0].samples == round(8000 * heard.audio_seconds)
        assert s.background is not None
        assert {"done": 1} == s.background.results()
        assert 0 == s.background.waiting()


def test_what_the_second_heard_already_is_not_heard_again(tmp_path: Path) -> None:
    """
    One reading of each engine is enough; a pass that was late is made up for.
    """
    with stage(second=SecondRules(), share_of_calls=1.0, folder=Home(tmp_path)) as s:
        s.say_unclearly(s.incoming(), replace(UNSURE), replace(CLEAR))
        s.other_threads.seconds = 5.0
        leg = s.incoming()
        s.say_unclearly(leg, replace(UNSURE))
        s.loop.pass_seconds(5.0)
        s.hang_up(leg)
        s.other_speech.script.append(replace(CLEAR))
        s.write_recordings()

        assert [
            ("first", "fake", VAGUE, ""),
            ("second", "other", "", "recogniser_late"),
            ("background", "other", ENERGY, ""),
        ] == readings(s)


def test_a_line_that_keeps_no_recordings_is_not_heard_again(tmp_path: Path) -> None:
    """
    While the caller waits the second engine may listen; afterwards there is nothing to hear.
    """
    with stage(
        second=SecondRules(), share_of_calls=1.0, folder=Home(tmp_path), keeps_recordings=False
    ) as s:
        s.say_unclearly(s.incoming(), replace(UNSURE), replace(CLEAR))
        s.say(s.incoming(), ENERGY)
        s.write_recordings()

        assert [("first", "fake", VAGUE, "")] == readings(s)
        assert s.background is not None
        assert {} == s.background.results()
        assert [] == list(tmp_path.rglob("*.flac"))


def test_a_recording_that_is_gone_is_not_heard_again(tmp_path: Path) -> None:
    """
    Retention, or an erasure, came first.
    """
    with stage(second=SecondRules(), share_of_calls=1.0, folder=Home(tmp_path)) as s:
        leg = s.incoming()
        s.say(leg, VAGUE, confidence=0.9)
        s.write_recordings()
        for recording in tmp_path.rglob("*.flac"):
            recording.unlink()
        s.hang_up(leg)
        s.write_recordings()

        assert [] == s.other_speech.opened
        assert [] == readings(s)
        assert s.background is not None
        assert {"gone": 1} == s.background.results()


def test_too_many_recordings_are_dropped_and_counted(tmp_path: Path) -> None:
    """
    The queue is bounded: what does not fit is a number, not memory.
    """
    with stage(
        second=SecondRules(), share_of_calls=1.0, most_waiting=2, folder=Home(tmp_path)
    ) as s:
        s.background_threads.seconds = 100.0
        for _ in range(4):
            s.say(s.incoming(), ENERGY)
        s.write_recordings()
        assert s.background is not None

        assert 2 == s.background.waiting()
        assert {"dropped": 2} == s.background.results()
        s.loop.pass_seconds(100.0)
        assert {"dropped": 2, "done": 2} == s.background.results()


def test_a_background_pass_that_breaks_is_a_reading_too(tmp_path: Path) -> None:
    """
    Who labels sees that there was none; the next recording is heard.
    """
    with stage(second=SecondRules(), share_of_calls=1.0, folder=Home(tmp_path)) as s:
        for _ in range(2):
            s.say(s.incoming(), ENERGY)
        s.other_speech.script.extend([replace(BROKEN), replace(CLEAR)])
        s.write_recordings()

        assert [
            ("background", "other", "", "recogniser_crashed"),
            ("background", "other", ENERGY, ""),
        ] == readings(s)


def test_a_background_that_is_stopped_takes_nothing_more(tmp_path: Path) -> None:
    """
    At the end of the process what waits is dropped, and counted.
    """
    with stage(second=SecondRules(), share_of_calls=1.0, folder=Home(tmp_path)) as s:
        s.background_threads.seconds = 50.0
        s.say(s.incoming(), ENERGY)
        s.write_recordings()
        assert s.background is not None
        s.background.stop()
        s.loop.pass_seconds(60.0)
        s.say(s.incoming(), ENERGY)
        s.write_recordings()

        assert [] == s.other_speech.opened
        assert 0 == s.background.waiting()
        assert {"dropped": 2} == s.background.results()


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_share_of_the_calls_is_heard_again(share: float) -> None:
    """
    Whole calls, by their random id: a quarter is about a quarter.
    """
    with stage(second=SecondRules(), share_of_calls=share or 1e-12) as s:
        background = s.background
        assert background is not None
        ids = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in range(2000)]
        wanted = sum(background.wants(call_id) for call_id in ids)

        assert share == pytest.approx(wanted / 2000, abs=0.02)
