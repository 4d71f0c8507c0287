"""A call machine brought into the state that a test begins with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ivr.call import actions as act
from ivr.call import events as ev
from ivr.call.machine import CallMachine
from ivr.call.prompts import Prompt, SpokenPrompt
from ivr.call.ranking import RankedThema
from ivr.call.rules import CallRules, Target, TransferMethod
from ivr.call.states import CallState

THEMAS = ("belastingen", "energie", "mobiliteit", "onderwijs", "welzijn-zorg")


def uri(group: str, number: int = 1) -> str:
    return f"sip:{group}{number}@acd.invalid"


RULES = CallRules(
    groups={thema: thema for thema in THEMAS},
    targets={group: (Target(uri(group)),) for group in (*THEMAS, "algemeen")},
    busiest=THEMAS,
)
BRIDGES = replace(
    RULES,
    targets={g: (Target(uri(g), TransferMethod.BRIDGE),) for g in (*THEMAS, "algemeen")},
)


def ranking(best: str, probability: float) -> tuple[RankedThema, ...]:
    """``best`` with its probability; the other themas share the rest."""
    share = (1.0 - probability) / (len(THEMAS) - 1)
    ranked = [RankedThema(t, probability if t == best else share) for t in THEMAS]
    return tuple(sorted(ranked, key=lambda r: -r.probability))


@dataclass
class Talk:
    """A machine, what it was told, and what it asked for."""

    machine: CallMachine
    actions: list[act.Action] = field(default_factory=list)

    def send(self, *events: ev.Event) -> list[act.Action]:
        """Send events; returns the actions of the last one."""
        last: list[act.Action] = []
        for event in events:
            last = self.machine.handle(event)
            self.actions += last
        return last

    @property
    def state(self) -> CallState:
        return self.machine.state

    @property
    def where(self) -> str:
        """The state's value, where a test asks twice: mypy would take it for unchanged."""
        return self.machine.state.value

    @property
    def epoch(self) -> int:
        return self.machine.epoch

    def prompt_finished(self) -> list[act.Action]:
        return self.send(ev.PromptFinished(epoch=self.epoch))

    def timeout(self) -> list[act.Action]:
        return self.send(ev.TimerExpired(epoch=self.epoch))

    def ranked(
        self, best: str = "energie", probability: float = 0.97, confidence: float = 0.9
    ) -> list[act.Action]:
        return self.send(
            ev.ThemaRanked(
                epoch=self.epoch, ranking=ranking(best, probability), confidence=confidence
            )
        )

    def answered(self, answer: ev.Answer) -> list[act.Action]:
        return self.send(ev.AnswerHeard(epoch=self.epoch, answer=answer))

    def said(self) -> list[SpokenPrompt]:
        """Every prompt so far."""
        return [p for a in self.actions if isinstance(a, act.PlayPrompt) for p in a.prompts]

    def tried(self) -> list[act.Transfer]:
        """Every transfer so far."""
        return [a for a in self.actions if isinstance(a, act.Transfer)]

    def end(self) -> act.End:
        """The only end."""
        ends = [a for a in self.actions if isinstance(a, act.End)]
        assert 1 == len(ends)
        return ends[0]


def call_in(
    state: CallState,
    rules: CallRules = RULES,
    *,
    can_call_back: bool = False,
    open_: bool = True,
) -> Talk:
    """A call that came into ``state`` on its shortest way."""
    talk = Talk(CallMachine(rules))
    if state is CallState.OFFERED:
        return talk
    admitted = ev.Offered(
        admission=ev.Admission.ADMITTED,
        open=open_ and state is not CallState.CLOSED,
        can_call_back=can_call_back,
    )
    talk.send(admitted)
    steps = {
        CallState.GREETING: [ev.MediaReady()],
        CallState.CLOSED: [ev.MediaReady()],
    }
    if state is CallState.ANSWERING:
        return talk
    if state in steps:
        talk.send(*steps[state])
        return talk
    talk.send(ev.MediaReady())
    talk.prompt_finished()
    if state is CallState.PROMPTING:
        return talk
    if state is CallState.MENU:
        talk.send(ev.Digit("9"))
        return talk
    talk.prompt_finished()
    if state is CallState.LISTENING:
        return talk
    talk.send(ev.SpeechStarted(), ev.UtteranceEnded())
    if state is CallState.DECIDING:
        return talk
    if state is CallState.CONFIRMING:
        talk.ranked("energie", 0.6)
        return talk
    talk.ranked()
    if state is CallState.ANNOUNCING:
        return talk
    talk.prompt_finished()
    if state is CallState.TRANSFERRING:
        return talk
    if state is CallState.BRIDGED:
        talk.send(ev.TransferSucceeded(attempt=1))
        return talk
    if state is CallState.ENDED:
        talk.send(ev.CallerHungUp())
        return talk
    while talk.state is not CallState.CLOSING:
        if talk.state is CallState.ANNOUNCING:
            talk.prompt_finished()
        else:
            talk.timeout()
    if state is CallState.CALLBACK:
        talk.send(ev.Digit("1"))
    return talk


def prompts(actions: list[act.Action]) -> list[Prompt]:
    """The prompts that these actions play, in order."""
    return [p.prompt for a in actions if isinstance(a, act.PlayPrompt) for p in a.prompts]
