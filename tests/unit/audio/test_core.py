"""The core as its users see it: frames in, events and utterances out."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.testing import capture_logs

from ivr.audio.core import AudioCore, AudioSettings
from ivr.audio.frames import FrameMatrix
from ivr.ports import (
    AudioEvent,
    FramesDropped,
    InbandDigit,
    SpeechStarted,
    UtteranceEnded,
)
from tests.unit.audio.signals import Line, key, silence, voice


def test_turn_is_one_start_one_end_and_its_audio() -> None:
    """
    Pre-roll to endpoint, in order, the same to the sink as to the one who takes it.
    """
    line = Line()
    line.attend(pause_ms=500)
    said = voice(1.5)

    line.hear(silence(1.0), said, silence(2.0))

    (start,) = line.starts()
    (end,) = line.ends()
    assert pytest.approx(1.0, abs=0.041) == start.at_seconds
    assert pytest.approx(2.5, abs=0.021) == end.last_energy_seconds
    assert pytest.approx(0.5, abs=1e-9) == end.at_seconds - end.last_energy_seconds
    assert pytest.approx(1.5, abs=0.15) == end.voiced_seconds
    assert end.too_long is False
    utterance = line.core.take_utterance(0)
    begin = round((start.at_seconds - 0.3) * 8000)
    whole = np.concatenate([silence(1.0), said, silence(2.0)])
    np.testing.assert_array_equal(whole[begin : round(end.at_seconds * 8000)], utterance)
    np.testing.assert_array_equal(utterance, line.sunk())
    assert 0 == len(line.core.take_utterance(0))


def test_sink_gets_chunks_while_the_caller_speaks() -> None:
    """
    The recogniser works during the turn: first the pre-roll, then 100 ms at a time.
    """
    line = Line()
    line.attend()

    line.hear(silence(1.0), voice(1.0))

    assert [] == line.ends()
    lengths = [len(chunk) for chunk in line.chunks[0]]
    assert lengths[0] >= 2400
    assert {800} == set(lengths[1:])
    heard = line.core.take_utterance(0)
    assert sum(lengths) <= len(heard) < sum(lengths) + 800


def test_nothing_is_a_turn_before_attend_and_after_ignore() -> None:
    """
    Speech while we do not listen starts nothing; keys are heard all the same.
    """
    line = Line()
    line.hear(silence(0.5), voice(1.0))
    line.attend()
    line.core.ignore(0)

    line.hear(voice(1.0), silence(0.1), key("4", 80), silence(1.0))

    assert [InbandDigit(0, "4")] == line.events


def test_ignore_in_a_turn_forgets_it() -> None:
    """
    No end comes, and there is nothing to take.
    """
    line = Line()
    line.attend()
    line.hear(silence(0.5), voice(1.0))

    line.core.ignore(0)
    line.hear(voice(1.0), silence(2.0))

    assert 1 == len(line.starts())
    assert [] == line.ends()
    assert 0 == len(line.core.take_utterance(0))


def test_barge_in_needs_a_quarter_of_a_second() -> None:
    """
    A cough does not stop a prompt; while we listen the same sound counts.
    """
    short = np.concatenate([silence(0.5), voice(0.2), silence(1.5)])
    playing, listening = Line(), Line()
    playing.attend(playing=True)
    listening.attend(playing=False)

    playing.hear(short)
    listening.hear(short)

    assert [] == playing.starts()
    assert 1 == len(listening.starts())


def test_attend_after_barge_in_keeps_the_turn() -> None:
    """
    The turn that stopped the prompt goes on with new parameters, nothing of it lost.
    """
    line = Line()
    line.attend(playing=True, pause_ms=600)
    said = voice(2.0)
    line.hear(silence(1.0), said[:8000])
    assert 1 == len(line.starts())

    line.attend(playing=False, pause_ms=1000)
    line.hear(said[8000:], silence(2.0))

    assert 1 == len(line.starts())
    (end,) = line.ends()
    assert pytest.approx(1.0, abs=1e-9) == end.at_seconds - end.last_energy_seconds
    np.testing.assert_array_equal(line.core.take_utterance(0), line.sunk())


def test_new_sink_in_a_turn_gets_it_from_the_beginning() -> None:
    """
    Whoever joins late misses nothing.
    """
    line = Line()
    line.attend()
    line.hear(silence(0.5), voice(1.0))
    late: list[NDArray[np.int16]] = []

    line.core.attend(0, playing=False, pause_ms=600, max_seconds=12, sink=late.append)
    line.hear(voice(0.5), silence(1.0))

    np.testing.assert_array_equal(line.core.take_utterance(0), np.concatenate(late))
    assert len(line.sunk()) < sum(map(len, late))


def test_shorter_pause_ends_the_running_pause() -> None:
    """
    The classifier became certain after 300 ms of silence: no need to wait for a second.
    """
    line = Line()
    line.attend(pause_ms=1000)
    line.hear(silence(0.5), voice(1.0), silence(0.3))
    assert [] == line.ends()

    line.core.set_pause(0, 240)
    line.hear(silence(0.02))

    (end,) = line.ends()
    assert pytest.approx(0.32, abs=0.021) == end.at_seconds - end.last_energy_seconds


def test_too_long_turn_says_so() -> None:
    """
    The limit counts from the start of the voiced stretch.
    """
    line = Line()
    line.attend(max_seconds=2.0)

    line.hear(silence(0.5), voice(4.0))

    (start,) = line.starts()
    (end,) = line.ends()
    assert end.too_long is True
    assert pytest.approx(2.0, abs=1e-9) == end.at_seconds - start.at_seconds
    assert len(line.core.take_utterance(0)) <= 2.3 * 8000


def test_two_callers_do_not_disturb_each_other() -> None:
    """
    One speaks, one is silent and sends fewer frames; only one has a turn.
    """
    line = Line(callers=2)
    line.attend(0)
    line.attend(1)
    said = np.concatenate([silence(0.5), voice(1.0), silence(1.0)])
    for start in range(0, len(said), 160):
        line.deliver(said[start : start + 160], 0)
        if start % 320 == 0:
            line.deliver(silence(0.02), 1)
        line.core.tick()

    assert (1, 0) == (len(line.ends(0)), len(line.ends(1)))
    assert pytest.approx(2.5) == line.core.clock(0)
    assert pytest.approx(1.26) == line.core.clock(1)


def test_clock_counts_frames_from_the_claim() -> None:
    """
    Frames before open are time too: telephony counts them as well.
    """
    line = Line()
    line.core.close(0)
    line.hear(silence(0.4))
    line.core.open(0)
    line.attend()

    line.hear(silence(0.6), voice(1.0), silence(1.0))

    assert pytest.approx(1.0, abs=0.041) == line.starts()[0].at_seconds
    assert pytest.approx(3.0) == line.core.clock(0)


def test_closed_slot_hears_nothing_and_keeps_nothing() -> None:
    """
    After the call neither events nor audio of it remain.
    """
    line = Line()
    line.attend()
    line.hear(silence(0.5), voice(1.0))
    line.core.close(0)
    line.hear(voice(1.0), silence(1.0), key("4", 100), silence(0.1))

    assert 1 == len(line.events)
    assert 0 == len(line.core.take_utterance(0))

    line.attend()
    line.hear(voice(1.0))
    assert 1 == len(line.events)


def test_next_caller_in_a_slot_gets_nothing_of_the_last() -> None:
    """
    Neither the pre-roll nor the utterance of the one before.
    """
    line = Line()
    line.attend(pause_ms=200)
    line.hear(silence(0.5), voice(1.0), silence(0.3))
    line.matrix.release(line.slots[0])
    line.core.close(0)
    slot = line.matrix.claim()
    assert slot is not None
    line.slots[0] = slot
    line.core.open(0)
    line.attend()

    line.hear(voice(0.5))

    assert 2 == len(line.starts())
    assert pytest.approx(0.0, abs=0.041) == line.starts()[1].at_seconds
    assert len(line.core.take_utterance(0)) == 4000


def test_dropped_frames_are_told_and_counted() -> None:
    """
    The core did not tick for two seconds: it says what it lost and goes on.
    """
    line = Line()
    line.attend(pause_ms=600)
    line.hear(silence(0.5), voice(1.0))
    line.deliver(np.concatenate([voice(1.0), silence(0.3), voice(0.7)]))

    line.core.tick()
    line.hear(silence(1.0))

    assert [FramesDropped(0, 100 - 63)] == [
        event for event in line.events if isinstance(event, FramesDropped)
    ]
    assert 37 == line.core.counters().dropped_frames
    assert pytest.approx(4.5) == line.core.clock(0)
    (end,) = line.ends()
    assert pytest.approx(3.5, abs=0.041) == end.last_energy_seconds


def test_sink_that_raises_is_called_no_more() -> None:
    """
    The turn goes on and can be taken; the log has the error's type, not its text.
    """
    line = Line()
    calls: list[int] = []

    def broken(pcm: NDArray[np.int16]) -> None:
        calls.append(len(pcm))
        raise RuntimeError("vuurtorenwachter")

    line.core.attend(0, playing=False, pause_ms=500, max_seconds=12, sink=broken)
    with capture_logs() as logged:
        line.hear(silence(0.5), voice(1.0), silence(1.0))

    assert 1 == len(calls)
    assert 1 == len(line.ends())
    assert len(line.core.take_utterance(0)) > 8000
    assert 1 == line.core.counters().failed_calls_out
    assert ["RuntimeError"] == [entry["error"] for entry in logged]
    assert "vuurtorenwachter" not in str(logged)


def test_listener_that_raises_does_not_stop_the_core() -> None:
    """
    The other callers must not suffer from it.
    """
    matrix = FrameMatrix(1)
    heard: list[AudioEvent] = []

    def listener(event: AudioEvent) -> None:
        heard.append(event)
        raise RuntimeError

    line = Line()
    line.matrix = matrix
    line.core = AudioCore(matrix, listener)
    slot = matrix.claim()
    assert slot is not None
    line.slots = [slot]
    line.core.open(0)
    line.attend()
    line.hear(silence(0.5), voice(1.0), silence(1.0))

    assert [SpeechStarted, UtteranceEnded] == [type(event) for event in heard]
    assert 2 == line.core.counters().failed_calls_out


def test_silent_sinkless_attend_records_too() -> None:
    """
    Without a recogniser the turn can still be taken.
    """
    line = Line()
    line.core.attend(0, playing=False, pause_ms=500, max_seconds=12, sink=None)

    line.hear(silence(0.5), voice(1.0), silence(1.0))

    assert len(line.core.take_utterance(0)) > 8000


@pytest.mark.parametrize(("pause_ms", "max_seconds"), [(0, 5.0), (-20, 5.0), (500, 0.0)])
def test_attend_that_never_ends_is_refused(pause_ms: int, max_seconds: float) -> None:
    """
    A turn without a pause or a limit is a mistake of ours, told at once.
    """
    line = Line()

    with pytest.raises(ValueError, match="positive"):
        line.core.attend(0, playing=False, pause_ms=pause_ms, max_seconds=max_seconds)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("barge_in_ms", lambda: AudioSettings(barge_in_ms=5)),
        ("barge_in_ms", lambda: AudioSettings(barge_in_ms=900)),
        ("preroll_ms", lambda: AudioSettings(preroll_ms=800)),
        ("voiced_periodicity", lambda: AudioSettings(voiced_periodicity=1.5)),
    ],
)
def test_impossible_setting_is_refused(name: str, make: Callable[[], AudioSettings]) -> None:
    """
    What the history cannot hold is told at start.
    """
    with pytest.raises(ValueError, match=name):
        make()


def test_inband_digits_can_be_switched_off() -> None:
    """
    A trunk that sends RFC 4733 beside the tones would press each key twice.
    """
    line = Line(settings=AudioSettings(inband_digits=False))

    line.hear(silence(0.1), key("4", 100), silence(0.1))

    assert [] == line.events


def test_thread_hears_a_call_and_stops() -> None:
    """
    The core's own thread ticks, takes commands from ours and ends when told to.
    """
    ended = threading.Event()
    line = Line()

    def listener(event: AudioEvent) -> None:
        if isinstance(event, UtteranceEnded):
            ended.set()

    matrix = FrameMatrix(1, depth=256)
    core = AudioCore(matrix, listener)
    slot = matrix.claim()
    assert slot is not None
    line.slots = [slot]
    assert core.is_alive() is False
    core.start()
    try:
        core.open(0)
        core.attend(0, playing=False, pause_ms=400, max_seconds=10)
        line.deliver(np.concatenate([silence(0.5), voice(1.0), silence(1.0)]))

        assert ended.wait(100)
        assert core.is_alive() is True
        assert len(core.take_utterance(0)) > 8000
        with pytest.raises(RuntimeError, match="already started"):
            core.start()
    finally:
        core.stop()
        core.stop()
    assert core.is_alive() is False
    counters = core.counters()
    assert counters.ticks.ticks >= 1
    assert counters.ticks.failed_ticks == 0
    assert counters.frames == 125
    bounds = [count for _, count in counters.ticks.tick_seconds_buckets]
    assert bounds == sorted(bounds)
    assert bounds[-1] <= counters.ticks.ticks
