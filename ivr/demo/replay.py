"""What the service said in a call, found by running the call's machine once more. Pure.

The contact record keeps what was heard and decided, the log keeps the states; what was said
follows from both, because the machine is deterministic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ivr.call import actions as act
from ivr.call import events as ev
from ivr.call.machine import CallMachine, UndeclaredEventError
from ivr.call.prompts import Prompt, SpokenPrompt
from ivr.call.ranking import RankedThema
from ivr.call.rules import CallRules
from ivr.call.states import CallState


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The call went from one state to another."""

    time: float
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """The caller pressed a key."""

    time: float
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """What a turn of the caller was taken for."""

    ranking: tuple[tuple[str, float], ...]
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Prompts that began at one moment."""

    time: float
    prompts: tuple[SpokenPrompt, ...]


def replay(
    rules: CallRules,
    happened: Sequence[Moved | Pressed],
    questions: Sequence[Understood],
    answers: Sequence[ev.Answer],
    transfers: Sequence[tuple[int, str]],
) -> tuple[Said, ...]:
    """Return what the service said, in order.

    Args:
        rules: The line's.
        happened: States and keys, in order of time.
        questions: What the policy decided on, in order.
        answers: Spoken answers to confirmations, in order.
        transfers: Number and result of each transfer attempt, in order.

    Returns:
        Everything up to the first state that cannot be explained; all of it as a rule.
    """
    again = _Replay(rules, list(questions), list(answers), list(transfers))
    for item in happened:
        if isinstance(item, Pressed):
            again.keys.append(item.key)
        elif not again.move(item):
            break
    return tuple(again.said)


def menu_of(said: Sequence[Said]) -> tuple[str, ...]:
    """Themas of the last keuzemenu, in the order of the keys; empty when there was none."""
    offered = [
        prompt.options
        for moment in said
        for prompt in moment.prompts
        if prompt.prompt in (Prompt.KEUZEMENU, Prompt.INVALID_CHOICE)
    ]
    return offered[-1] if offered else ()


def proposed_in(said: Sequence[Said]) -> str | None:
    """The thema last asked about in a confirmation."""
    asked = [
        prompt.thema
        for moment in said
        for prompt in moment.prompts
        if prompt.prompt is Prompt.CONFIRM
    ]
    return asked[-1] if asked else None


Make = Callable[[CallMachine], ev.Event]


@dataclass(frozen=True, slots=True)
class _Script:
    """Events that may explain a step, and the evidence whose first item is used up by them."""

    makes: tuple[Make, ...]
    uses: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class _Replay:
    rules: CallRules
    questions: list[Understood]
    answers: list[ev.Answer]
    transfers: list[tuple[int, str]]
    keys: list[str] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    history: list[ev.Event] = field(default_factory=list)

    def move(self, moved: Moved) -> bool:
        """Find what brought the machine from one state to the next; False when nothing does."""
        for count in range(len(self.keys), -1, -1):
            keys = tuple(_always(ev.Digit(key)) for key in self.keys[:count])
            alone = [_Script(())] if keys else []
            for script in [*alone, *self._scripts(CallState(moved.old))]:
                tried = self._tried((*keys, *script.makes), moved.new)
                if tried is None:
                    continue
                events, actions = tried
                self.history += events
                self.said += [
                    Said(time=moved.time, prompts=action.prompts)
                    for action in actions
                    if isinstance(action, act.PlayPrompt)
                ]
                del script.uses[:1]
                del self.keys[:count]
                return True
        return False

    def _tried(
        self, makes: Sequence[Make], new: str
    ) -> tuple[list[ev.Event], list[act.Action]] | None:
        """Run a fresh machine through the call so far and what is made.

        Returns:
            What was made and done, when it leads to exactly one entry, of state ``new``.
        """
        machine = CallMachine(self.rules)
        for event in self.history:
            machine.handle(event)
        epoch = machine.epoch
        events: list[ev.Event] = []
        actions: list[act.Action] = []
        for make in makes:
            event = make(machine)
            try:
                actions += machine.handle(event)
            except UndeclaredEventError:
                return None
            events.append(event)
        fits = machine.state.value == new and machine.epoch == epoch + 1
        return (events, actions) if fits else None

    def _scripts(self, state: CallState) -> Iterator[_Script]:
        """What may happen in a state, likeliest first."""
        match state:
            case CallState.OFFERED:
                yield _Script((_always(ev.Offered(admission=ev.Admission.ADMITTED)),))
            case CallState.ANSWERING:
                yield _Script((_always(ev.MediaReady()),))
            case CallState.LISTENING:
                yield _Script((_always(ev.UtteranceEnded()),))
            case CallState.DECIDING:
                if self.questions:
                    yield _Script((_ranked(self.questions[0]),), self.questions)
                yield _Script((lambda machine: ev.RecognitionFailed(epoch=machine.epoch),))
            case CallState.CONFIRMING:
                if self.answers:
                    yield _Script((_answer(self.answers[0]),), self.answers)
            case CallState.TRANSFERRING:
                if self.transfers:
                    yield _Script((_transfer_over(*self.transfers[0]),), self.transfers)
        yield _Script((_prompt_finished,))
        yield _Script((_always(ev.SpeechStarted()),))
        yield _Script((_timeout,))
        for signal in (ev.ComponentFailed(), ev.CallLimitReached(), ev.CallerHungUp()):
            yield _Script((_always(signal),))


def _always(event: ev.Event) -> Make:
    return lambda _: event


def _prompt_finished(machine: CallMachine) -> ev.Event:
    return ev.PromptFinished(epoch=machine.epoch)


def _timeout(machine: CallMachine) -> ev.Event:
    return ev.TimerExpired(epoch=machine.epoch)


def _ranked(understood: Understood) -> Make:
    ranking = tuple(RankedThema(thema, share) for thema, share in understood.ranking)
    return lambda machine: ev.ThemaRanked(
        epoch=machine.epoch, ranking=ranking, confidence=understood.confidence
    )


def _answer(answer: ev.Answer) -> Make:
    return lambda machine: ev.AnswerHeard(epoch=machine.epoch, answer=answer)


def _transfer_over(number: int, result: str) -> Make:
    def make(machine: CallMachine) -> ev.Event:
        if result == "succeeded":
            return ev.TransferSucceeded(attempt=number)
        if result == "timeout":
            return ev.TimerExpired(epoch=machine.epoch)
        return ev.TransferFailed(attempt=number)

    return make
