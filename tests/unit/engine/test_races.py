"""News that comes too late, twice, or about somebody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ivr.ports import (
    DigitPressed,
    FramesDropped,
    HungUp,
    InbandDigit,
    LegEvent,
    MediaLost,
    MediaReady,
    PlayFinished,
    PlayStarted,
    SpeechStarted,
    TargetHungUp,
    TransferProgress,
    UtteranceEnded,
)
from ivr.ports.records import (
    CallEnded,
    DecisionTaken,
    StageMeasured,
    TransferTried,
    UtteranceHeard,
)
from tests.fakes.speech import Said
from tests.unit.engine.stage import ENERGY, TAXES, stage, uri


def ended(slot: int) -> UtteranceEnded:
    return UtteranceEnded(
        slot, at_seconds=1.0, last_energy_seconds=0.5, voiced_seconds=0.5, too_long=False
    )


def test_end_of_a_turn_that_the_timer_overtook_changes_nothing() -> None:
    """
    The silence timer asked again; the old turn's end is not the new turn's.
    """
    with stage() as s:
        leg = s.incoming()
        s.loop.pass_seconds(6.8)
        # The audio thread tells of a turn, and the loop is busy until after the timer.
        late = s.loop.time()
        s.loop.pass_seconds(0.3)
        assert "no_input" in s.heard(leg)
        s.engine._audio_event(SpeechStarted(leg.slot, 6.0), late)
        s.engine._audio_event(ended(leg.slot), late)

        assert "listening" == s.state()
        assert [] == s.records(UtteranceHeard)
        # Silence is still silence, not a turn of half a minute.
        s.loop.pass_seconds(7.0)
        assert "menu" == s.state()
        s.hang_up(leg)


def test_prompt_that_was_stopped_may_still_report_its_end() -> None:
    """
    A token of an older prompt starts nothing.
    """
    with stage() as s:
        leg = s.incoming(prompts_end=False)
        greeting = leg.commands[-1].arguments["token"]
        assert isinstance(greeting, int)
        leg.emit(DigitPressed("7"))
        s.loop.pass_seconds(0.1)
        assert "menu" == s.state()
        leg.emit(PlayFinished(greeting))
        s.loop.pass_seconds(5.0)
        assert "menu" == s.state()
        timers = len(s.loop.timers())
        leg.finish_playing()
        leg.emit(PlayFinished(greeting))
        s.loop.pass_seconds(0.1)

        assert timers == len(s.loop.timers())
        s.hang_up(leg)


def test_nothing_wakes_a_call_that_is_over() -> None:
    """
    Every event, after the last one: no command, no record, no second outcome.
    """
    with stage() as s:
        leg = s.incoming()
        s.say(leg, ENERGY)
        listener, slot = leg.listener, leg.slot
        s.loop.pass_seconds(20.0)
        records, commands = len(s.sink.records), len(leg.commands)
        late: list[LegEvent] = [
            MediaReady(slot),
            PlayStarted(4, 1.0),
            PlayFinished(4),
            DigitPressed("0"),
            TransferProgress(1, 202, final=False),
            TransferProgress(1, 200, final=True),
            TransferProgress(1, 503, final=True),
            TargetHungUp(1),
            MediaLost(),
            HungUp(200, by_us=False),
        ]
        for event in late:
            listener(event)
        s.engine.audio_event(SpeechStarted(slot, 1.0))
        s.engine.audio_event(ended(slot))
        s.engine.audio_event(InbandDigit(slot, "0"))
        s.loop.pass_seconds(20.0)

        assert (records, commands) == (len(s.sink.records), len(leg.commands))
        assert 1 == len(s.records(CallEnded))
        assert slot not in s.ears.opened


@pytest.mark.parametrize(
    "event", [SpeechStarted(5, 1.0), ended(5), InbandDigit(5, "0")], ids=lambda e: type(e).__name__
)
def test_audio_of_the_last_caller_does_not_reach_the_next(
    event: SpeechStarted | UtteranceEnded | InbandDigit,
) -> None:
    """
    A frame slot is used again at once when the house is full; what was told before is the past.
    """
    with stage() as s:
        first = s.quiet_leg(slot=5)
        first.emit(MediaReady(5))
        s.loop.pass_seconds(1.0)
        # Told by the audio thread while it still held the first caller's audio ...
        told_at = s.loop.time()
        s.loop.pass_seconds(0.05)
        s.hang_up(first)
        second = s.quiet_leg(slot=5)
        second.answers = True
        second.emit(MediaReady(5))
        token = {"greeting": 2, "prompting": 3}
        while s.state() in ("answering", *token):
            s.loop.pass_seconds(0.05)
            if s.state() in token:
                second.emit(PlayFinished(token[s.state()]))
        # ... and read by the loop after the next caller got the slot.
        s.engine._audio_event(event, told_at)
        s.loop.pass_seconds(0.1)

        assert "listening" == s.state()
        s.engine.audio_event(InbandDigit(5, "9"))
        s.loop.pass_seconds(0.1)
        assert "menu" == s.state()
        s.hang_up(second)


def test_events_of_a_slot_that_nobody_has_are_dropped() -> None:
    """
    Neither an error nor anybody's.
    """
    with stage() as s:
        leg = s.incoming()
        s.engine.audio_event(InbandDigit(999, "0"))
        s.loop.pass_seconds(0.1)

        assert "listening" == s.state()
        s.hang_up(leg)


def test_lost_frames_are_counted() -> None:
    """
    For the call that lost them, whatever its state.
    """
    with stage() as s:
        leg = s.incoming()
        s.engine.audio_event(FramesDropped(leg.slot, 7))
        s.loop.pass_seconds(0.1)

        assert 7 == s.observer.dropped
        s.hang_up(leg)


def test_media_that_is_ready_twice_opens_the_ears_once() -> None:
    """
    A re-INVITE changes nothing for the machine.
    """
    with stage() as s:
        leg = s.incoming()
        opened = dict(s.ears.opened)
        s.loop.pass_seconds(1.0)
        leg.emit(MediaReady(leg.slot))
        s.loop.pass_seconds(0.1)

        assert opened == s.ears.opened
        assert "listening" == s.state()
        s.hang_up(leg)


def test_result_on_its_way_when_the_deadline_passes_counts_once() -> None:
    """
    Both happen in the same turn of the loop: one transcript, one record, no error.
    """
    with stage(deadline_seconds=0.5) as s:
        leg = s.incoming()
        s.speech.script.append(Said(ENERGY))
        s.ears.speak(leg.slot, 1.0)
        s.loop.pass_seconds(1.5)
        # The pool's last item takes exactly as long as the deadline.
        s.threads.seconds = 0.5
        s.loop.pass_seconds(3.0)

        assert 1 == len(s.records(UtteranceHeard))
        assert [] == s.loop.failures
        assert "" == s.state() or "menu" == s.state()
        s.hang_up(leg)


@pytest.mark.parametrize("milliseconds", range(480, 521, 5))
def test_deadline_and_result_never_both_count(milliseconds: int) -> None:
    """
    A little before, at, and a little after.
    """
    with stage(deadline_seconds=0.5) as s:
        leg = s.incoming()
        s.speech.script.append(Said(ENERGY))
        s.ears.speak(leg.slot, 1.0)
        s.loop.pass_seconds(1.5)
        s.threads.seconds = milliseconds / 1000
        s.loop.pass_seconds(3.0)

        assert 1 == len(s.records(UtteranceHeard))
        s.hang_up(leg)


def test_result_of_an_older_turn_leaves_the_new_deadline_alone() -> None:
    """
    Key 2 while the answer was recognised, then a question whose recogniser hangs: its deadline
    still passes, and each of the three utterances is recorded.
    """
    with stage(deadline_seconds=5.0) as s:
        leg = s.incoming()
        s.say(leg, TAXES, confidence=0.35)
        assert "confirming" == s.state()
        s.speech.script.append(Said("ja"))
        s.ears.speak(leg.slot, 0.5)
        s.loop.pass_seconds(0.8)
        s.threads.seconds = 3.0
        s.loop.pass_seconds(0.3)
        leg.emit(DigitPressed("2"))
        s.loop.pass_seconds(0.1)
        assert "listening" == s.state()
        s.threads.seconds = 0.01
        s.ears.speak(leg.slot, 0.5)
        s.loop.pass_seconds(0.9)
        s.threads.seconds = float("inf")
        s.loop.pass_seconds(0.4)
        assert "deciding" == s.state()
        s.loop.pass_seconds(6.0)

        failures = [(r.number, r.failure) for r in s.records(UtteranceHeard)]
        assert [(1, ""), (2, ""), (3, "recogniser_late")] == failures
        s.hang_up(leg)
        s.speech.opened[-1].closed = True  # its thread never came back


def test_key_wins_over_the_answer_that_is_being_recognised() -> None:
    """
    The caller pressed 0 while we were thinking: the late decision changes nothing.
    """
    with stage() as s:
        leg = s.incoming()
        s.threads.seconds = 0.4
        s.speech.script.append(Said(ENERGY))
        s.ears.speak(leg.slot, 1.0)
        s.loop.pass_seconds(1.85)
        assert "deciding" == s.state()
        leg.emit(DigitPressed("0"))
        s.loop.pass_seconds(3.0)

        assert [uri("algemeen")] == s.targets(leg)
        assert [ENERGY] == [r.transcript for r in s.records(UtteranceHeard)]


def test_pause_is_not_changed_after_the_turn() -> None:
    """
    A partial that is late would set the pause of the next turn, or of the next caller.
    """
    with stage(deadline_seconds=5.0) as s:
        leg = s.incoming()
        s.loop.call_later(0.45, lambda: setattr(s.threads, "seconds", 1.5))
        s.speech.script.append(Said(TAXES, partials=["euh", TAXES, "euh", *(ENERGY, "euh") * 9]))
        s.ears.speak(leg.slot, 1.0)
        s.loop.pass_seconds(1.0)
        while "listening" == s.state():
            s.loop.pass_seconds(0.05)
        changes = list(s.ears.changes)
        asked = len(s.classifier.asked)
        s.loop.pass_seconds(0.9)

        assert changes == s.ears.changes
        # The result alone: nobody waits for partials any more.
        assert asked + 1 == len(s.classifier.asked)
        s.loop.pass_seconds(2.0)
        s.hang_up(leg)


@pytest.mark.parametrize(
    "news",
    [
        [TransferProgress(1, 200, True), HungUp(200, by_us=False)],
        [TransferProgress(1, 202, False), HungUp(200, by_us=False)],
        [HungUp(200, by_us=False)],
        [TransferProgress(1, 486, True), HungUp(200, by_us=False)],
    ],
    ids=["success", "accepted", "nothing", "failure"],
)
def test_hang_up_right_behind_the_news_of_a_transfer(news: list[LegEvent]) -> None:
    """
    In one burst, before anything that follows from the first could happen.
    """
    with stage() as s:
        s.telephony.transfers = {uri("energie"): ()}
        leg = s.incoming()
        s.say(leg, ENERGY)
        for event in news:
            leg.emit(event)
        s.loop.pass_seconds(0.5)
        expected = {200: "routed", 202: "transfer_unconfirmed"}
        first = news[0]
        status = first.status if isinstance(first, TransferProgress) else 0

        assert expected.get(status, "abandoned") == s.end().outcome
        assert len(s.records(TransferTried)) == len(s.targets(leg))


def test_leg_that_ends_inside_a_command_is_handled_after_it() -> None:
    """
    News that comes while an event is being handled waits its turn.
    """
    with stage() as s:
        leg = s.telephony.incoming()
        real: Callable[[LegEvent], None] = leg.listener

        class Impatient:
            """Reports the end from within the play command."""

            done = False

        played = leg.play

        def play(wavs: object, *, token: int) -> None:
            played(wavs, token=token)  # type: ignore[arg-type]
            if not Impatient.done:
                Impatient.done = True
                real(HungUp(200, by_us=False))

        leg.play = play  # type: ignore[method-assign]
        s.loop.pass_seconds(1.0)

        assert "abandoned" == s.end().outcome
        assert 1 == leg.names().count("play")


def test_many_calls_do_not_mix() -> None:
    """
    Each caller's words lead that caller, and only that one.
    """
    with stage(max_calls=40) as s:
        legs = [s.telephony.incoming() for _ in range(40)]
        s.loop.pass_seconds(0.2)
        wanted = []
        for number, leg in enumerate(legs):
            wanted.append("energie" if number % 2 else "algemeen")
            if number % 2:
                s.speech.script.append(Said(ENERGY))
                s.ears.speak(leg.slot, 1.0 + number * 0.02)
            else:
                leg.emit(DigitPressed("0"))
            s.loop.pass_seconds(0.013)
        s.loop.pass_seconds(5.0)

        assert [[uri(group)] for group in wanted] == [s.targets(leg) for leg in legs]
        assert 40 == len(s.records(CallEnded)) == len({r.call_id for r in s.records(CallEnded)})


def test_a_turn_that_a_timer_ends_has_its_own_number() -> None:
    """
    The audio core never tells an end: utterance, decision and stages still name the second turn.
    """
    with stage() as s:
        leg = s.incoming()
        s.say(leg, "", confidence=0.0)
        s.loop.pass_seconds(1.0)
        s.speech.script.append(Said(ENERGY))
        s.ears.attending[leg.slot].max_seconds = float("inf")
        s.ears.speak(leg.slot, 60.0)
        s.loop.pass_seconds(40.0)
        decision = s.records(DecisionTaken)[-1]
        stages = [(r.turn, r.stage) for r in s.records(StageMeasured)]

        assert [1, 2] == [r.number for r in s.records(UtteranceHeard)]
        assert (2, "energie") == (decision.utterance_number, decision.thema)
        assert [
            *((1, name) for name in ("endpoint", "recognition", "dead_air")),
            *((2, name) for name in ("recognition", "classification")),
        ] == stages
