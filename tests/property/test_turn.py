"""The invariants of a caller's turn, alone and in whole calls, whatever comes in whatever order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.recogniser import Partial, Transcript
from ivr.call.actions import Purpose
from ivr.call.rules import Mode, Pauses, Timers
from ivr.engine.breaker import BreakerRules
from ivr.engine.classification import TurnClassifier
from ivr.engine.end_rule import PauseByCertainty
from ivr.engine.second_opinion import SecondRules
from ivr.engine.turn import Heard, Turn, TurnState
from ivr.ports import MediaLost, Recognised, UtteranceEnded
from ivr.ports.records import (
    DecisionTaken,
    OtherReadingHeard,
    StageMeasured,
    UtteranceHeard,
    UtteranceRecorded,
)
from tests.fakes.speech import FakeClassifier, FakeRecognition, Said
from tests.unit.engine.stage import ENERGY, RULES, TAXES, VAGUE, Stage

PCM = np.zeros(160, np.int16)
DEADLINE_SECONDS = 1.0
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "feed",
                "partial",
                "result",
                "failure",
                "arrive",
                "ended",
                "timed out",
                "timer",
                "drop",
            ]
        ),
        st.floats(0.0, 0.6),
    ),
    max_size=25,
)


@given(STEPS, st.sampled_from(list(Purpose)), st.one_of(st.none(), st.floats(0.05, 2.0)))
def test_exactly_one_result_of_a_turn_that_is_over(
    steps: list[tuple[str, float]], purpose: Purpose, patience: float | None
) -> None:
    """
    Of any order of frames, partials, ends, results and deadlines; of a dropped turn there is none.
    """
    now = 0.0
    posted: list[Callable[[float], None]] = []
    heard: list[Heard] = []
    recognition = FakeRecognition(patience)
    turn = Turn(
        1,
        purpose,
        recognition,
        TurnClassifier(FakeClassifier),
        PauseByCertainty(RULES, Pauses()),
        deadline_seconds=DEADLINE_SECONDS,
        post=posted.append,
        pause_changed=lambda pause_ms: None,
        heard=heard.append,
        failed=lambda what: None,
        now=now,
    )
    words = Transcript(ENERGY, 0.9, (), (), "fake", "fake-1")
    ended = UtteranceEnded(0, 2.0, 1.5, 1.0, too_long=False)

    def arrive() -> None:
        for work in posted:
            work(now)
        posted.clear()

    for what, seconds in [*steps, ("arrive", 0.0), ("timer", 5.0), ("timer", 5.0)]:
        now += seconds
        before, was = list(heard), turn.state
        match what:
            case "feed":
                turn.feed(PCM)
            case "partial":
                recognition.listener.partial(Partial(ENERGY, ENERGY, 0.9))
            case "result":
                recognition.listener.recognised(Recognised(transcript=words))
            case "failure":
                recognition.listener.recognised(Recognised(failure="recogniser_crashed"))
            case "arrive":
                arrive()
            case "ended":
                turn.finish(ended, now)
            case "timed out":
                turn.finish(None, now)
            case "timer":
                turn.timer(now)
            case "drop":
                turn.drop()

        assert len(heard) <= 1
        if was in (TurnState.HEARD, TurnState.DROPPED):
            assert (was, before) == (turn.state, heard)
        assert (turn.state is TurnState.RECOGNISING) is (turn.next_deadline is not None)

    over = {TurnState.HEARD: 1, TurnState.DROPPED: 0, TurnState.LISTENING: 0}
    assert over[turn.state] == len(heard)
    assert 1 >= recognition.finished
    for result in heard:
        assert 1 == result.number
        assert all(seconds >= 0.0 for seconds in result.stages.values())


SAID = st.sampled_from(
    [
        Said(ENERGY, 0.9, partials=("zonnepanelen", ENERGY)),
        Said(TAXES, 0.9),
        Said(VAGUE, 0.3, partials=(VAGUE,)),
        Said("ja", 0.9),
        Said("nee", 0.9),
        Said("", 0.0),
        Said("", 0.0, partials=("een", "een vraag")),
        Said(open_error=MemoryError()),
        Said(accept_error=RuntimeError("broke")),
        Said(finish_error=RuntimeError("broke")),
        Said(returns="geen transcript"),
    ]
)
HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("speak"), st.floats(0.1, 3.0), SAID, SAID),
        st.tuples(st.just("wait"), st.floats(0.0, 12.0)),
        st.tuples(st.just("press"), st.sampled_from("0123*")),
        st.tuples(st.just("threads"), st.sampled_from([0.0, 0.01, 0.3, 1.5, float("inf")])),
        st.tuples(st.just("other threads"), st.sampled_from([0.0, 0.1, 0.6, 5.0])),
        st.tuples(st.just("hang up")),
        st.tuples(st.just("lost")),
    ),
    max_size=12,
)


@settings(max_examples=150)
@given(
    HAPPENINGS,
    st.sampled_from(list(Mode)),
    st.sampled_from([None, SecondRules(), SecondRules(deadline_seconds=0.3)]),
    st.sampled_from([1.0, 1.9]),
    st.sampled_from([0.5, 30.0]),
)
def test_utterances_decisions_and_stages_carry_the_number_of_their_turn(
    happenings: list[tuple[object, ...]],
    mode: Mode,
    second: SecondRules | None,
    deadline: float,
    longest_turn: float,
) -> None:
    """
    One utterance and one result a turn that is over, whoever ended it; no stage twice; and every
    decision and stage belongs to a turn that there was.
    """
    s = Stage(
        replace(RULES, mode=mode, timers=Timers(utterance_seconds=longest_turn)),
        second=second,
        deadline_seconds=deadline,
        breaker=BreakerRules(failures=3, cooldown_seconds=5.0),
    )
    leg = s.incoming()
    for what, *how in happenings:
        match what, how:
            case "speak", [float() as seconds, Said() as said, Said() as other]:
                s.speech.script.append(replace(said))
                s.other_speech.script.append(replace(other))
                s.ears.speak(leg.slot, seconds)
                s.loop.pass_seconds(seconds / 2)
            case "wait", [float() as seconds]:
                s.loop.pass_seconds(seconds)
            case "press", [str() as key]:
                s.ears.press(leg.slot, key)
            case "threads", [float() as seconds]:
                s.threads.seconds = seconds
            case "other threads", [float() as seconds]:
                s.other_threads.seconds = seconds
            case "hang up", _:
                s.hang_up(leg)
            case "lost", _:
                leg.emit(MediaLost())
    s.threads.seconds = s.other_threads.seconds = 0.01
    s.loop.pass_seconds(900.0)
    failures = list(s.loop.failures)
    open_uses = [health.open_uses for health in s.engines.engines()]
    left_open = [r for r in (*s.speech.opened, *s.other_speech.opened) if not r.closed]
    s.loop.close()

    recorded = [r.number for r in s.records(UtteranceRecorded)]
    heard = [r.number for r in s.records(UtteranceHeard)]
    stages = [(r.turn, r.stage) for r in s.records(StageMeasured)]
    decisions = s.records(DecisionTaken)
    assert ([], [], {0}) == (failures, left_open, set(open_uses))
    assert sorted(set(recorded)) == recorded
    assert Counter(recorded) == Counter(heard)
    assert sorted(set(stages)) == sorted(stages)
    assert {turn for turn, _ in stages} <= set(recorded)
    assert {r.number for r in s.records(OtherReadingHeard)} <= set(recorded)
    assert {turn for turn, stage in stages if stage == "recognition"} == set(recorded)
    by_policy = [r for r in decisions if r.decided_by in ("policy", "shadow", "confirmation")]
    spoken = [r for r in by_policy if r.utterance_number is not None]
    assert {r.utterance_number for r in decisions} <= {*recorded, None}
    assert all(r.decided_by == "confirmation" for r in by_policy if r not in spoken)
    assert len({r.utterance_number for r in spoken}) == len(spoken)
    transcripts = {r.number: r.transcript for r in s.records(UtteranceHeard)}
    for decision in spoken:
        if decision.decided_by != "confirmation":
            assert decision.utterance_number is not None
            words = transcripts[decision.utterance_number]
            about = s.classifier.classify(words).ranking if words else ()
            assert decision.ranking == tuple((r.thema, r.probability) for r in about)
