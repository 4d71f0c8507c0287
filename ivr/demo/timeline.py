"""Puts together what every party did, when, and what came of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from ivr.call.confirmation import read_answer
from ivr.call.events import Answer
from ivr.call.prompts import Prompt, SpokenPrompt
from ivr.call.rules import CallRules
from ivr.contacts.models import Call, Decision, Utterance
from ivr.demo import recorded
from ivr.demo.dead_air import DeadAir
from ivr.demo.processes import Happening
from ivr.demo.replay import Moved, Pressed, Said, Understood, menu_of, proposed_in, replay
from ivr.demo.story import Entry, Story, Who

_SHOWN_RANKS: Final = 3
_SAME_MOMENT_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a story is told from."""

    said: str | None
    """What the caller was to say; the name of a recording when that is what was played."""
    happenings: Sequence[Happening]
    pressed: Sequence[Pressed] = ()
    dead_airs: Sequence[DeadAir] = ()
    call: Call | None = None
    """The service's contact record; None when it is not ours to read."""
    rules: CallRules | None = None
    prompt_text: Callable[[SpokenPrompt], str] = lambda prompt: prompt.prompt.value
    centre: str = ""
    """Source of the contact centre's happenings."""
    phone: str = ""
    caller: str = "caller"


def tell(evidence: Evidence) -> Story:
    """Put the evidence of all parties together."""
    teller = _Teller(evidence)
    call = evidence.call
    decision = teller.decision
    return Story(
        call_id=None if call is None else call.call_id,
        outcome=teller.outcome(),
        thema=teller.thema(),
        group=teller.group(),
        probability=teller.probability(),
        transcript=teller.transcript(),
        said=evidence.said,
        proposed=proposed_in(teller.prompts),
        menu=tuple(
            {"digit": str(key), "thema": thema}
            for key, thema in enumerate(menu_of(teller.prompts), start=1)
        ),
        ranking=recorded.ranking(decision),
        decision=None if decision is None else recorded.decision(decision),
        transfers=recorded.transfers(call),
        dead_air_ms=tuple(wait.ms for wait in evidence.dead_airs),
        latencies_ms=recorded.latencies(call),
        timeline=tuple(sorted(teller.entries(), key=_place)),
    )


@dataclass(slots=True)
class _Teller:
    evidence: Evidence
    offset: float = 0.0
    """Wall clock minus the recording's."""
    prompts: tuple[Said, ...] = ()
    decision: Decision | None = None
    """The policy's last; else the last of all."""
    by_caller: list[Happening] = field(default_factory=list)
    by_centre: list[Happening] = field(default_factory=list)

    def __post_init__(self) -> None:
        evidence = self.evidence
        self.by_caller = [h for h in evidence.happenings if h.source == evidence.caller]
        self.by_centre = self._of_this_call()
        on_both = [h for h in self.by_caller if h.fields.get("at")]
        first = on_both[:1] or self.by_caller[:1]
        if first:
            self.offset = first[0].time - float(first[0].fields.get("at", 0.0))
        call = evidence.call
        if call is not None and call.decisions:
            by_policy = [d for d in call.decisions if d.decided_by == recorded.POLICY]
            self.decision = (by_policy or call.decisions)[-1]
        self.prompts = self._prompts()

    # --- the whole --------------------------------------------------------------------------

    def outcome(self) -> str:
        call = self.evidence.call
        if call is not None and call.outcome is not None:
            return call.outcome
        events = {happening.event for happening in self.by_caller}
        if "transferred" in events:
            return "routed"
        return "answered" if "answered" in events else "refused"

    def group(self) -> str | None:
        """By the contact centre; without one, by the address that the caller was sent to."""
        if self.evidence.centre:
            answered = [h for h in self.by_centre if h.event == "answered"]
            return str(answered[-1].fields["group"]) if answered else None
        target = None
        for happening in self.by_caller:
            if happening.event == "transferring":
                target = str(happening.fields.get("target", ""))
            elif happening.event == "transferred" and target is not None:
                return target.partition(":")[2].partition("@")[0] or target
        return None

    def thema(self) -> str | None:
        call = self.evidence.call
        if call is not None and call.thema is not None:
            return call.thema
        return None if self.decision is None else self.decision.thema

    def probability(self) -> float | None:
        thema, decision = self.thema(), self.decision
        if decision is None or thema is None:
            return None
        return next(
            (share for name, share in decision.ranking or () if name == thema),
            decision.probability,
        )

    def transcript(self) -> str | None:
        utterances = _utterances(self.evidence.call)
        if self.decision is not None and self.decision.utterance_number is not None:
            number = self.decision.utterance_number
            of_decision = [u.transcript for u in utterances if u.number == number]
            if of_decision:
                return of_decision[0]
        return utterances[-1].transcript if utterances else None

    # --- line by line -----------------------------------------------------------------------

    def entries(self) -> Iterator[Entry]:
        yield from self._caller()
        yield from self._service()
        yield from self._record()
        yield from self._voorlichters()

    def _caller(self) -> Iterator[Entry]:
        who = Who.CALLER
        if self.by_caller:
            yield Entry(at_seconds=0.0, who=who, what="calls", text="the infoline")
        for happening in self.by_caller:
            fields, at = happening.fields, float(happening.fields.get("at", 0.0))
            match happening.event:
                case "answered":
                    yield Entry(at_seconds=at, who=Who.SERVICE, what="answers", text="the call")
                case "saying":
                    seconds = round(float(fields["seconds"]), 2)
                    yield Entry(
                        at_seconds=at,
                        who=who,
                        what="says",
                        text=self.evidence.said or "",
                        details={"seconds": seconds},
                    )
                case "transferring" if self.evidence.call is None:
                    target = str(fields.get("target", ""))
                    yield Entry(at_seconds=at, who=Who.SERVICE, what="transfers", text=target)
                case "transferred" if self.evidence.call is None:
                    text = self.group() or "somebody"
                    yield Entry(at_seconds=at, who=Who.VOORLICHTER, what="answers", text=text)
        for pressed in self.evidence.pressed:
            yield Entry(
                at_seconds=self._at(pressed.time), who=who, what="presses", text=pressed.key
            )
        ended = [h for h in self.by_caller if h.event == "hung_up"]
        if ended:
            at, status = float(ended[-1].fields.get("at", 0.0)), ended[-1].fields.get("status")
            refused = isinstance(status, int) and status >= 300
            text = f"with SIP status {status}" if refused else "the call is over"
            yield Entry(
                at_seconds=at, who=who, what="ends", text=text, details={"sip_status": status}
            )

    def _service(self) -> Iterator[Entry]:
        for said in self.prompts:
            for prompt in said.prompts:
                details: dict[str, Any] = {"prompt": prompt.prompt.value}
                if prompt.thema is not None:
                    details["thema"] = prompt.thema
                if prompt.options:
                    details["options"] = list(prompt.options)
                yield Entry(
                    at_seconds=self._at(said.time),
                    who=Who.SERVICE,
                    what="asks" if prompt.prompt in _QUESTIONS else "says",
                    text=self.evidence.prompt_text(prompt),
                    details=details,
                )
        for wait in self.evidence.dead_airs:
            yield Entry(
                at_seconds=wait.last_word_seconds,
                who=Who.SERVICE,
                what="dead_air",
                text=f"{wait.ms:.0f} ms of silence",
                details={"ms": wait.ms},
            )

    def _record(self) -> Iterator[Entry]:
        call, who = self.evidence.call, Who.SERVICE
        if call is None:
            return
        for heard in call.utterances:
            yield Entry(
                at_seconds=self._at(heard.at.timestamp()),
                who=who,
                what="hears",
                text=heard.transcript or "",
                details=recorded.hearing(heard),
            )
        for taken in call.decisions:
            at = self._at(self._said_then(taken.at.timestamp()))
            if taken.ranking:
                ranks = taken.ranking[:_SHOWN_RANKS]
                text = ", ".join(f"{thema} {share:.2f}" for thema, share in ranks)
                yield Entry(at_seconds=at, who=who, what="understands", text=text)
            yield Entry(
                at_seconds=at,
                who=who,
                what="decides",
                text=recorded.why(taken),
                details=recorded.decision(taken),
            )
        for attempt in call.transfers:
            begun = self._at(attempt.started_at.timestamp())
            yield Entry(
                at_seconds=begun,
                who=who,
                what="transfers",
                text=f"to {attempt.group} by {attempt.method.upper()}",
                details={"group": attempt.group, "method": attempt.method},
            )
            if attempt.result != "succeeded":
                over = attempt.started_at.timestamp() + (attempt.seconds or 0.0)
                status = "" if attempt.sip_status is None else f", SIP status {attempt.sip_status}"
                yield Entry(
                    at_seconds=self._at(self._said_then(over)),
                    who=who,
                    what="fails",
                    text=f"{attempt.group}: {attempt.result}{status}",
                    details={"group": attempt.group, "result": attempt.result},
                )

    def _voorlichters(self) -> Iterator[Entry]:
        answered = set()
        for happening in self.by_centre:
            fields = happening.fields
            group = str(fields.get("group", ""))
            details: dict[str, Any] = {"group": group}
            match happening.event:
                case "call":
                    behaviour = fields.get("behaviour")
                    rings = behaviour in ("answer", "ring")
                    what = "rings" if rings else "refuses"
                    text = group if rings else f"{group}: {behaviour or 'unknown'}"
                    details["headers"] = dict(fields.get("headers", {}))
                case "answered":
                    what, text = "answers", group
                    answered.add(fields.get("call"))
                case "ended" if fields.get("call") in answered:
                    what, text = "ends", f"{group}: the conversation is over"
                case _:
                    continue
            yield Entry(
                at_seconds=self._at(happening.time),
                who=Who.VOORLICHTER,
                what=what,
                text=text,
                details=details,
            )

    # --- helpers ----------------------------------------------------------------------------

    def _at(self, time: float) -> float:
        return max(0.0, time - self.offset)

    def _of_this_call(self) -> list[Happening]:
        """What the contact centre says of our caller; others may call at the same time."""
        call = self.evidence.call
        by_centre = [h for h in self.evidence.happenings if h.source == self.evidence.centre]
        if call is None:
            return by_centre
        ours = {
            h.fields.get("call")
            for h in by_centre
            if dict(h.fields.get("headers", {})).get("X-Wegwijs-Call-Id") == call.call_id
        }
        return [h for h in by_centre if h.fields.get("call") in ours]

    def _said_then(self, time: float) -> float:
        """The moment of the prompt that a decision led to: it is written down just after it."""
        near = [said.time for said in self.prompts if abs(said.time - time) < _SAME_MOMENT_SECONDS]
        return min(near, key=lambda moment: abs(moment - time), default=time)

    def _prompts(self) -> tuple[Said, ...]:
        evidence = self.evidence
        if evidence.call is None or evidence.rules is None:
            return ()
        call = evidence.call
        moved = [
            Moved(time=_log_time(h), old=h.fields["old"], new=h.fields["new"])
            for h in evidence.happenings
            if h.source == evidence.phone
            and h.event == "state"
            and h.fields.get("call_id") == call.call_id
        ]
        heard = {u.number: u for u in call.utterances}
        questions = []
        decided_on = set()
        for taken in call.decisions:
            if taken.decided_by != recorded.POLICY:
                continue
            utterance = heard.get(taken.utterance_number or 0)
            decided_on.add(taken.utterance_number)
            ranking = tuple((str(thema), float(share)) for thema, share in taken.ranking or ())
            confidence = 0.0 if utterance is None else utterance.confidence or 0.0
            questions.append(Understood(ranking=ranking, confidence=confidence))
        answers: list[Answer] = [
            read_answer(u.transcript or "")
            for u in call.utterances
            if u.number not in decided_on and not u.failure
        ]
        return replay(
            evidence.rules,
            sorted([*moved, *evidence.pressed], key=lambda item: item.time),
            questions,
            answers,
            [(attempt.number, attempt.result) for attempt in call.transfers],
        )


_QUESTIONS: Final = frozenset(
    {Prompt.QUESTION, Prompt.NO_INPUT, Prompt.EXAMPLE, Prompt.CONFIRM, Prompt.KEUZEMENU}
)


def _place(entry: Entry) -> tuple[float, int]:
    """Order in the timeline; at one moment, what is known goes before what is done about it."""
    order = ("hears", "understands", "decides", "fails")
    rank = order.index(entry.what) if entry.what in order else len(order)
    return entry.at_seconds, -1 if entry.who is Who.CALLER else rank


def _log_time(happening: Happening) -> float:
    """The moment a log line names; its arrival when it names none."""
    try:
        return datetime.fromisoformat(str(happening.fields["timestamp"])).timestamp()
    except (KeyError, ValueError):
        return happening.time


def _utterances(call: Call | None) -> list[Utterance]:
    return [] if call is None else list(call.utterances)
