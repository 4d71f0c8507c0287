"""One turn: its one result, its number, its times, and what its partials do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from asr.recogniser import Partial, Transcript
from intent.classifier import Classification, Ranked
from ivr.call.actions import Purpose
from ivr.engine.classification import Classified, TurnClassifier
from ivr.engine.end_rule import FixedPause
from ivr.engine.turn import Heard, Turn, TurnState
from ivr.ports import Recognised, UtteranceEnded
from tests.fakes.speech import FakeClassifier, FakeRecognition, ranking

PCM = np.zeros(160, np.int16)
TEXT = "een vraag"
WORDS = Transcript(TEXT, 0.9, (), (), "fake", "fake-1")
ENDED = UtteranceEnded(
    0, at_seconds=9.0, last_energy_seconds=8.3, voiced_seconds=2.0, too_long=False
)


class Pauses:
    """Asks for the pauses that it is given, one a partial."""

    def __init__(self, *pauses: int) -> None:
        self.pause_ms = 700
        self.given = list(pauses)
        self.moments: list[float] = []

    def heard(self, partial: Partial, classification: Classification, now: float) -> None:
        self.moments.append(now)
        self.pause_ms = self.given.pop(0)


class Listening:
    """A turn that listens, and all it tells. Other threads' news comes when the test says so."""

    def __init__(
        self,
        end: Pauses | FixedPause | None = None,
        *,
        purpose: Purpose = Purpose.QUESTION,
        ask_early: float | None = None,
    ) -> None:
        self.recognition = FakeRecognition(ask_early)
        self.classifier = FakeClassifier()
        self.posted: list[Callable[[float], None]] = []
        self.heard: list[Heard] = []
        self.pauses: list[int] = []
        self.failures: list[str] = []
        self.turn = Turn(
            3,
            purpose,
            self.recognition,
            TurnClassifier(lambda: self.classifier),
            end or FixedPause(700),
            deadline_seconds=1.0,
            post=self.posted.append,
            pause_changed=self.pauses.append,
            heard=self.heard.append,
            failed=self.failures.append,
            now=5.0,
        )

    def arrive(self, at: float) -> None:
        """Let everything that other threads told come to the loop."""
        for work in self.posted:
            work(at)
        self.posted.clear()

    def partial(self, text: str, at: float) -> None:
        self.recognition.listener.partial(Partial(text, text, 0.8))
        self.arrive(at)

    def recognised(self, result: Recognised, at: float) -> None:
        self.recognition.listener.recognised(result)
        self.arrive(at)


def test_a_turn_is_heard_once_with_its_times() -> None:
    """
    From its end to its words: each stage once, under the turn's number.
    """
    on = Listening()
    on.turn.feed(PCM)
    on.turn.finish(ENDED, 9.1)
    on.recognised(Recognised(transcript=WORDS), 9.35)
    (heard,) = on.heard

    assert (3, TEXT, "", TurnState.HEARD) == (
        heard.number,
        heard.transcript.text if heard.transcript else None,
        heard.failure,
        on.turn.state,
    )
    assert ["endpoint", "recognition", "classification"] == list(heard.stages)
    assert 0.7 == pytest.approx(heard.stages["endpoint"])
    assert 0.25 == pytest.approx(heard.stages["recognition"] + heard.stages["classification"])
    assert on.turn.next_deadline is None


def test_a_turn_that_a_timer_ended_has_no_endpoint() -> None:
    """
    The caller was still speaking: there was no pause, and none is made up.
    """
    on = Listening()
    on.turn.feed(PCM)
    on.turn.finish(None, 9.1)
    on.recognised(Recognised(transcript=WORDS), 9.2)

    assert ["recognition", "classification"] == list(on.heard[0].stages)


def test_the_deadline_gives_what_there_is() -> None:
    """
    And what comes after it changes nothing.
    """
    on = Listening()
    on.turn.finish(ENDED, 9.0)
    early = on.turn.next_deadline
    on.turn.timer(9.5)
    before = list(on.heard)
    on.recognition.on_give_up = Recognised(transcript=WORDS)
    on.turn.timer(10.0)
    on.recognised(Recognised(failure="recogniser_crashed"), 10.1)
    on.turn.timer(11.0)

    assert (10.0, []) == (early, before)
    assert [TEXT] == [h.transcript.text for h in on.heard if h.transcript]
    assert 1.0 == on.heard[0].stages["recognition"]
    assert on.heard[0].classification is not None


def test_a_result_so_far_is_taken_before_the_deadline() -> None:
    """
    Who waits only for something better is hurried; who has nothing yet has until the deadline.
    """
    on = Listening(ask_early=0.4)
    on.turn.finish(ENDED, 9.0)
    first = on.turn.next_deadline
    on.turn.timer(9.4)
    second = on.turn.next_deadline
    on.turn.timer(10.0)

    other = Listening(ask_early=0.4)
    other.recognition.on_result_so_far = Recognised(transcript=WORDS)
    other.turn.finish(ENDED, 9.0)
    other.turn.timer(9.4)

    assert (9.4, 10.0) == (first, second)
    assert ["recogniser_late"] == [h.failure for h in on.heard]
    assert [TEXT] == [h.transcript.text for h in other.heard if h.transcript]


def test_an_engine_that_broke_before_the_end_is_told_at_the_end() -> None:
    """
    The caller is let finish; nothing is waited for then.
    """
    on = Listening()
    on.turn.feed(PCM)
    on.recognised(Recognised(failure="recogniser_crashed"), 6.0)
    before = list(on.heard)
    on.turn.finish(ENDED, 9.0)

    assert [] == before
    assert ["recogniser_crashed"] == [h.failure for h in on.heard]
    assert 0.0 == on.heard[0].stages["recognition"]


def test_a_dropped_turn_tells_nothing() -> None:
    """
    Whatever still arrives of it.
    """
    on = Listening(Pauses(400))
    on.turn.feed(PCM)
    on.turn.drop()
    on.partial("een", 6.0)
    on.recognised(Recognised(transcript=WORDS), 6.0)
    on.turn.finish(ENDED, 9.0)
    on.turn.timer(99.0)

    assert ([], [], True) == (on.heard, on.pauses, on.recognition.cancelled)
    assert TurnState.DROPPED is on.turn.state


def test_partials_are_classified_once_each_and_change_the_pause() -> None:
    """
    The strategy is given the moment, and the audio core is told only what changes.
    """
    end = Pauses(700, 480, 480)
    on = Listening(end)
    for number, text in enumerate(("een", "een vraag", "een vraag over")):
        on.partial(text, 6.0 + number)

    assert ["een", "een vraag", "een vraag over"] == on.classifier.asked
    assert [6.0, 7.0, 8.0] == end.moments
    assert [480] == on.pauses
    assert 480 == on.turn.pause_ms


def test_a_partial_after_the_end_changes_no_pause() -> None:
    """
    It would be the next turn's.
    """
    on = Listening(Pauses(480))
    on.turn.finish(ENDED, 9.0)
    on.partial(TEXT, 9.1)

    assert [] == on.pauses


def test_a_strategy_that_breaks_leaves_the_pause() -> None:
    """
    Counted, and the turn goes on.
    """
    on = Listening(Pauses())
    on.partial(TEXT, 6.0)
    on.turn.finish(ENDED, 9.0)
    on.recognised(Recognised(transcript=WORDS), 9.1)

    assert (["end_rule"], [], 1) == (on.failures, on.pauses, len(on.heard))


def test_a_classifier_that_breaks_is_a_failure_of_the_turn() -> None:
    """
    While the caller speaks it costs nothing; at the end the words are there and what they mean not.
    """
    on = Listening(Pauses(480))
    on.classifier.error = KeyError("geheim")
    on.partial(TEXT, 6.0)
    on.turn.finish(ENDED, 9.0)
    on.recognised(Recognised(transcript=WORDS), 9.1)

    assert [] == on.pauses
    assert [("classifier_failed", None)] == [(h.failure, h.classification) for h in on.heard]


def test_a_yes_or_no_is_not_classified() -> None:
    """
    Nor are its partials.
    """
    on = Listening(purpose=Purpose.ANSWER)
    on.partial("ja", 6.0)
    on.turn.finish(ENDED, 9.0)
    on.recognised(Recognised(transcript=WORDS), 9.1)
    late = Listening(purpose=Purpose.ANSWER)
    late.recognition.on_give_up = Recognised(transcript=WORDS)
    late.turn.finish(ENDED, 9.0)
    late.turn.timer(10.0)

    assert [] == on.classifier.asked + late.classifier.asked
    assert [None, None] == [h.classification for h in (*on.heard, *late.heard)]


def test_a_promoted_classifier_is_used_by_the_next_turn() -> None:
    """
    Whoever is speaking now is not disturbed.
    """
    models = [FakeClassifier(), FakeClassifier()]
    models[0].known = {TEXT: ranking("energie", 0.9)}
    classifier = TurnClassifier(lambda: models[0])
    before = classifier.whole(WORDS)
    models.reverse()
    after = classifier.whole(WORDS)

    assert [[TEXT], [TEXT]] == [model.asked for model in models]
    assert isinstance(before, Classified)
    assert before.classification is not None
    assert after.classification is not None
    assert Ranked("energie", 0.9) in before.classification.ranking
    assert Ranked("energie", 0.9) not in after.classification.ranking


def test_what_stands_if_nothing_better_comes_is_classified_before_the_deadline() -> None:
    """
    Where it was recognised: the loop, which runs all calls, has nothing to compute then.
    """
    on = Listening(ask_early=0.4)
    on.turn.finish(ENDED, 9.0)
    on.recognition.listener.provisional(Recognised(transcript=WORDS))
    on.arrive(9.1)
    on.recognition.on_result_so_far = Recognised(transcript=WORDS)
    before = list(on.classifier.asked)
    on.turn.timer(9.4)

    assert [TEXT] == before == on.classifier.asked
    assert on.heard[0].classification is not None
