"""A whole engine on fakes and virtual time, and one caller at a time to try it with."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ivr.call.rules import CallRules, Target, TransferMethod
from ivr.engine.background import BackgroundPass
from ivr.engine.breaker import BreakerRules
from ivr.engine.classification import TurnClassifier
from ivr.engine.end_rule import pause_by_certainty
from ivr.engine.engine import CallEngine, Component
from ivr.engine.recognition import JoinedRecognition, SecondEngine
from ivr.engine.register import other_reading
from ivr.engine.second_opinion import SecondRules
from ivr.engine.tools import Tools
from ivr.lines.line import Line
from ivr.ports import HungUp, RecordingFolder
from ivr.ports.records import CallEnded, ContactRecord, OtherReadingHeard, TransferTried
from tests.fakes.audio import FakeEars
from tests.fakes.speech import THEMAS, FakeClassifier, FakeSpeechEngine, LoopThreads, Said, ranking
from tests.fakes.surroundings import (
    FakeCallerNumbers,
    FakeFolder,
    FakeObserver,
    FakePrompts,
    FakeSink,
)
from tests.fakes.telephony import FakeLeg, FakeTelephony
from tests.virtual_time import VirtualLoop

START = datetime.datetime(2026, 11, 23, 10, 0, tzinfo=datetime.UTC)
CALLER = "+32479998877"
ENERGY = "ik heb een vraag over mijn zonnepanelen"
VAGUE = "ja het is voor een premie denk ik"
TAXES = "er kwam een brief van de belastingen"


def uri(group: str, number: int = 1) -> str:
    return f"sip:{group}{number}@acd.invalid"


RULES = CallRules(
    groups={thema: thema for thema in THEMAS},
    targets={group: (Target(uri(group)),) for group in (*THEMAS, "algemeen")},
    busiest=THEMAS,
)


def bridged(rules: CallRules) -> CallRules:
    """The same rules, with every group reached by a bridge."""
    return replace(
        rules,
        targets={
            group: tuple(Target(target.uri, TransferMethod.BRIDGE) for target in targets)
            for group, targets in rules.targets.items()
        },
    )


class Stage:
    """An engine that takes calls."""

    def __init__(
        self,
        rules: CallRules = RULES,
        *,
        max_calls: int = 10,
        deadline_seconds: float = 1.0,
        components: tuple[Component, ...] = (),
        is_blocked: Callable[[str], bool] = lambda _: False,
        number: str = "1700",
        ready: bool = True,
        breaker: BreakerRules | None = None,
        second: SecondRules | None = None,
        share_of_calls: float = 0.0,
        most_waiting: int = 100,
        folder: RecordingFolder | None = None,
        **line: Any,
    ) -> None:
        self.loop = VirtualLoop()
        self.telephony = FakeTelephony(self.loop)
        self.ears = FakeEars(self.loop)
        self.speech = FakeSpeechEngine()
        self.classifier = FakeClassifier()
        self.classifier.known = {
            ENERGY: ranking("energie", 0.97),
            TAXES: ranking("belastingen", 0.6),
            VAGUE: ranking("energie", 0.3),
        }
        self.prompts = FakePrompts()
        self.sink = FakeSink()
        self.observer = FakeObserver()
        self.threads = LoopThreads(self.loop)
        breaker = breaker or BreakerRules()
        self.other_speech = FakeSpeechEngine("other", "other-1")
        self.other_threads = LoopThreads(self.loop, 0.1)
        asked = None
        if second is not None:
            asked = SecondEngine(engine=self.other_speech, rules=second, threads=self.other_threads)
        self.engines = JoinedRecognition(
            self.speech,
            workers=1,
            threads=self.threads,
            breaker=breaker,
            second=asked,
            clock=self.loop.time,
        )
        self.background: BackgroundPass | None = None
        self.background_threads = LoopThreads(self.loop)
        if asked is not None and share_of_calls:
            self.background = BackgroundPass(
                self.other_speech,
                self.engines.second_guard,
                lambda recorded, reading: self.sink.submit(
                    other_reading(recorded.call_id, recorded.number, recorded.at, reading)
                ),
                share_of_calls=share_of_calls,
                most_waiting=most_waiting,
                is_quiet=lambda _: True,
                threads=self.background_threads,
            )
        tools = Tools(
            loop=self.loop,
            ears=self.ears,
            prompts=self.prompts,
            recognition=self.engines.recognition,
            classifier=TurnClassifier(lambda: self.classifier),
            end_rules=pause_by_certainty,
            background=self.background,
            recognition_deadline_seconds=deadline_seconds,
            observer=self.observer,
            now=self.now,
        )
        self.engine = CallEngine(
            tools,
            {number: Line(number=number, rules=rules, **line)},
            max_calls=max_calls,
            sink=self.sink,
            folder=folder or FakeFolder(),
            numbers=FakeCallerNumbers(),
            is_blocked=is_blocked,
            components=components,
        )
        self.ears.listener = self.engine.audio_event
        self.telephony.start(self.engine.offered)
        if ready:
            self.engine.start()

    def now(self) -> datetime.datetime:
        return START + datetime.timedelta(seconds=self.loop.time())

    def incoming(self, seconds: float = 0.1, *, prompts_end: bool = True, **who: Any) -> FakeLeg:
        """Somebody calls; so much later the caller has heard every prompt so far."""
        who.setdefault("caller", CALLER)
        leg = self.telephony.incoming(**who)
        leg.finishes_playing = prompts_end
        self.loop.pass_seconds(seconds)
        return leg

    def quiet_leg(self, slot: int = 100) -> FakeLeg:
        """Somebody calls on a leg that says nothing by itself: the test emits its events."""
        leg = FakeLeg(
            self.telephony,
            line="1700",
            caller=CALLER,
            sip_call_id="quiet",
            codecs_in_common=True,
            slot=slot,
        )
        leg.answers = False
        self.telephony.legs.append(leg)
        self.engine.offered(leg)
        return leg

    def say(self, leg: FakeLeg, text: str, seconds: float = 2.0, **how: Any) -> None:
        """The caller says it, and is silent until it was dealt with."""
        self.speech.script.append(Said(text, **how))
        self.ears.speak(leg.slot, seconds)
        self.loop.pass_seconds(seconds + 1.5)

    def say_unclearly(self, leg: FakeLeg, first: Said, *other: Said, seconds: float = 2.0) -> None:
        """The caller says what each engine makes something else of."""
        self.other_speech.script.extend(other)
        self.speech.script.append(first)
        self.ears.speak(leg.slot, seconds)
        self.loop.pass_seconds(seconds + 1.5)

    def write_recordings(self) -> None:
        """The disk does what it was given, in order; then what follows from it happens."""
        for job in self.sink.jobs:
            job()
        self.sink.jobs.clear()
        self.loop.pass_seconds(0.1)

    def state(self) -> str:
        """Where the only call stands; empty when it has its outcome."""
        calls = self.engine.live()
        assert len(calls) <= 1
        return calls[0].state if calls else ""

    def end(self) -> CallEnded:
        """The record of the end of the only call."""
        ends: list[CallEnded] = self.sink.of(CallEnded)
        assert 1 == len(ends)
        return ends[0]

    def records(self, kind: type[ContactRecord]) -> list[Any]:
        return self.sink.of(kind)

    def heard(self, leg: FakeLeg) -> list[str]:
        """Names of the files that were played, in order."""
        played: list[str] = []
        for command in leg.commands:
            if command.name == "play":
                wavs = command.arguments["wavs"]
                assert isinstance(wavs, tuple)
                played += [wav.stem for wav in wavs]
        return played

    def targets(self, leg: FakeLeg) -> list[object]:
        """Where the caller was sent, in order."""
        return [c.arguments["target"] for c in leg.commands if c.name == "transfer"]

    def hang_up(self, leg: FakeLeg) -> None:
        """The caller puts the phone down."""
        leg.emit(HungUp(200, by_us=False))
        self.loop.pass_seconds(0.1)

    def finish(self) -> None:
        """Nothing may be left of the calls: no timer, no session, no failure in the loop."""
        self.loop.pass_seconds(30.0)
        left = self.engine.live_calls(), self.loop.timers(), self.loop.failures
        opened = [*self.speech.opened, *self.other_speech.opened]
        sessions = [r for r in opened if not r.closed]
        self.loop.close()

        assert (0, [], []) == left
        assert [] == sessions


@contextmanager
def stage(rules: CallRules = RULES, **settings: Any) -> Iterator[Stage]:
    """A stage that is checked and closed at the end."""
    made = Stage(rules, **settings)
    try:
        yield made
    except BaseException:
        made.loop.close()
        raise
    made.finish()


def results(s: Stage) -> list[tuple[str, str, str, int | None]]:
    """What became of every attempt."""
    return [(r.target, r.method, r.result, r.sip_status) for r in s.records(TransferTried)]


def readings(s: Stage) -> list[tuple[str, str, str, str]]:
    """Other readings: how heard, engine, words, failure."""
    return [
        (r.heard_in, r.recogniser, r.transcript, r.failure) for r in s.records(OtherReadingHeard)
    ]
