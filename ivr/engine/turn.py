"""One turn of a caller: from the moment we listen to the one result of what was heard.

Sans-IO: who drives it passes the time in, brings what comes from other threads to the loop's, and
calls :meth:`Turn.timer` when :attr:`Turn.next_deadline` has come.

::

    listening ──finish──▶ recognising ──result or deadline──▶ heard
        └─────drop──────▶ dropped
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique

from asr.recogniser import Partial, Transcript
from intent.classifier import Classification
from ivr.call.actions import Purpose
from ivr.engine.classification import Classified, TurnClassifier
from ivr.engine.end_rule import EndRule
from ivr.ports import EngineReading, Pcm, Recognised, Recognition, UtteranceEnded

Post = Callable[[Callable[[float], None]], None]
"""Runs it soon on the loop's thread, with the moment of this call on the loop's clock."""


@unique
class TurnState(StrEnum):
    """Where a turn stands."""

    LISTENING = "listening"
    """The caller may speak; what is heard goes to the recogniser."""
    RECOGNISING = "recognising"
    """The turn is over; its words are awaited, within a deadline."""
    HEARD = "heard"
    """Its one result was told."""
    DROPPED = "dropped"
    """Nobody wants its words: no result was told, and none will be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came of one turn."""

    number: int
    """Of the turn: utterances, decisions and stage times carry it."""
    purpose: Purpose
    transcript: Transcript | None = field(repr=False)
    """None when no recogniser gave one, and there was no stable partial."""
    classification: Classification | None = field(repr=False)
    """None when nothing was understood, the classifier failed, or the turn was a yes or no."""
    failure: str
    """Code of the failure; empty when there was none."""
    other: EngineReading | None
    """What the engine heard that was not believed; None when only one was asked."""
    stages: Mapping[str, float]
    """Seconds by stage: ``endpoint``, ``recognition``, ``second_pass``, ``classification``."""

    @property
    def second_heard(self) -> bool:
        """Whether the second engine has given a reading of the turn."""
        other = self.other
        return other is not None and not (other.heard_in == "second" and other.failure)


class Turn:
    """One turn. On the loop's thread, but for :meth:`feed`.

    Args:
        number: 1, 2, ... within the call, in the order in which we began to listen.
        purpose: What the caller is expected to say.
        recognition: Whoever recognises it: one engine, or several behind one form.
        classifier: Tells what it is about; asked on the recogniser's threads.
        end: Says which pause ends it.
        deadline_seconds: From its end to its result.
        post: To the loop's thread.
        pause_changed: Told the new pause in milliseconds, while the caller speaks.
        heard: Told the result, once; never of a turn that was dropped.
        failed: Told a fixed word for what went wrong here and was survived.
        now: Seconds on the loop's clock.
    """

    def __init__(
        self,
        number: int,
        purpose: Purpose,
        recognition: Recognition,
        classifier: TurnClassifier,
        end: EndRule,
        *,
        deadline_seconds: float,
        post: Post,
        pause_changed: Callable[[int], None],
        heard: Callable[[Heard], None],
        failed: Callable[[str], None],
        now: float,
    ) -> None:
        self.number = number
        self.purpose = purpose
        self.since = now
        """What the audio thread told before is about an earlier turn."""
        self.state = TurnState.LISTENING
        self.next_deadline: float | None = None
        """On the loop's clock, when :meth:`timer` must be called; None: not at all."""
        self._classifier = classifier
        self._end = end
        self._deadline_seconds = deadline_seconds
        self._ask_early_seconds = recognition.ask_early_seconds
        self._pause_changed = pause_changed
        self._heard = heard
        self._failed = failed
        self._ended_at = 0.0
        self._early: tuple[Recognised, Classified] | None = None
        """The result of an engine that broke while the caller still spoke."""
        self._provisional: tuple[Transcript, Classified] | None = None
        """What stands if nothing better comes, classified already."""
        self._stages: dict[str, float] = {}
        self._recogniser = recognition.open(_OnOtherThreads(self, classifier, post))

    @property
    def pause_ms(self) -> int:
        """A pause of so many milliseconds ends the turn, as far as is known now."""
        return self._end.pause_ms

    def feed(self, pcm: Pcm) -> None:
        """Take the next samples, on the audio thread; returns at once."""
        self._recogniser.feed(pcm)

    def partial(self, partial: Partial, classification: Classification, now: float) -> None:
        """Take what was heard so far: it decides how long the caller may pause."""
        # After the end nobody waits for a partial any more, and its pause would be the next
        # turn's.
        if self.state is not TurnState.LISTENING:
            return
        before = self._end.pause_ms
        try:
            self._end.heard(partial, classification, now)
        except Exception:
            # What a classifier gives may be no ranking. The pause then stays as it was.
            self._failed("end_rule")
            return
        if self._end.pause_ms != before:
            self._pause_changed(self._end.pause_ms)

    def finish(self, ended: UtteranceEnded | None, now: float) -> None:
        """The turn is over, and its words are wanted.

        Args:
            ended: How the audio core told the end; None when a timer ended the turn.
            now: Seconds on the loop's clock.
        """
        if self.state is not TurnState.LISTENING:
            return
        self.state = TurnState.RECOGNISING
        self._ended_at = now
        if ended is not None:
            self._measure("endpoint", ended.at_seconds - ended.last_energy_seconds)
        self._set_deadline()
        self._recogniser.finish()
        if self._early is not None:
            result, classified = self._early
            self._conclude(result, classified, 0.0)

    def timer(self, now: float) -> None:
        """A deadline has come."""
        if self.state is not TurnState.RECOGNISING or self.next_deadline is None:
            return
        if now < self.next_deadline:
            return
        last = now >= self._ended_at + self._deadline_seconds
        result = self._recogniser.give_up() if last else self._recogniser.result_so_far()
        if result is None:
            self._set_deadline(asked_early=True)
            return
        self._conclude(result, self._classified(result), now - self._ended_at)

    def recognised(self, result: Recognised, classified: Classified, told_at: float) -> None:
        """Take the recogniser's result and what it is about.

        Args:
            result: The one of this turn.
            classified: Its words; empty for a yes or no.
            told_at: When both were there, on the loop's clock.
        """
        if self.state is TurnState.LISTENING:
            self._early = (result, classified)
        elif self.state is TurnState.RECOGNISING:
            took = max(0.0, told_at - self._ended_at - classified.seconds)
            self._conclude(result, classified, took)

    def provisional(self, words: Transcript, classified: Classified) -> None:
        """Take what stands if nothing better comes in time."""
        self._provisional = (words, classified)

    def drop(self) -> None:
        """Nobody listens any more; a turn that is over already is understood all the same."""
        if self.state is TurnState.LISTENING:
            self.state = TurnState.DROPPED
            self._recogniser.cancel()

    def _set_deadline(self, *, asked_early: bool = False) -> None:
        patience = self._ask_early_seconds
        seconds = self._deadline_seconds
        if patience is not None and not asked_early:
            seconds = min(patience, seconds)
        self.next_deadline = self._ended_at + seconds

    def _classified(self, result: Recognised) -> Classified:
        if self.purpose is Purpose.ANSWER:
            return Classified()
        if self._provisional is not None and self._provisional[0] is result.transcript:
            return self._provisional[1]
        return self._classifier.whole(result.transcript)

    def _conclude(self, result: Recognised, classified: Classified, took: float) -> None:
        self.state = TurnState.HEARD
        self.next_deadline = None
        self._measure("recognition", took)
        if result.second_pass_seconds is not None:
            self._measure("second_pass", result.second_pass_seconds)
        if classified.classification is not None:
            self._measure("classification", classified.seconds)
        self._heard(
            Heard(
                number=self.number,
                purpose=self.purpose,
                transcript=result.transcript,
                classification=classified.classification,
                failure=result.failure or classified.failure,
                other=result.other,
                stages=dict(self._stages),
            )
        )

    def _measure(self, stage: str, seconds: float) -> None:
        if stage in self._stages:
            raise RuntimeError(f"stage {stage} of turn {self.number} was measured already")
        self._stages[stage] = seconds


class _OnOtherThreads:
    """Hears the recogniser on its threads, classifies there, and brings both to the loop's."""

    def __init__(self, turn: Turn, classifier: TurnClassifier, post: Post) -> None:
        self._turn = turn
        self._purpose = turn.purpose
        self._classifier = classifier
        self._post = post

    def partial(self, partial: Partial) -> None:
        if self._purpose is Purpose.ANSWER:
            return
        classification = self._classifier.so_far(partial)
        if classification is not None:
            turn = self._turn
            self._post(lambda at: turn.partial(partial, classification, at))

    def provisional(self, result: Recognised) -> None:
        words, turn = result.transcript, self._turn
        if words is not None and self._purpose is not Purpose.ANSWER:
            classified = self._classifier.whole(words)
            self._post(lambda at: turn.provisional(words, classified))

    def recognised(self, result: Recognised) -> None:
        answer = self._purpose is Purpose.ANSWER
        classified = Classified() if answer else self._classifier.whole(result.transcript)
        turn = self._turn
        self._post(lambda at: turn.recognised(result, classified, at))
