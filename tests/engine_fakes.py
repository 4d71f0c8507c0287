"""Stand-ins for what the engine listens to and writes to: audio, speech, themas, records.

Deterministic and without threads; :mod:`tests.fakes` has the telephony side.
"""

from __future__ import annotations

import asyncio
import datetime
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from asr.recogniser import Alternative, Capabilities, Partial, Recogniser, Transcript, Word
from intent.classifier import Classification, Ranked
from ivr.call.prompts import Prompt, SpokenPrompt
from ivr.errors import PromptError
from ivr.ports import (
    AudioEvent,
    InbandDigit,
    Pcm,
    Recognised,
    SpeechStarted,
    TurnListener,
    UtteranceEnded,
)
from ivr.ports.records import ContactRecord

CHUNK_SECONDS = 0.1
THEMAS = ("belastingen", "energie", "mobiliteit", "onderwijs", "welzijn-zorg")


class LoopThreads(Executor):
    """Runs work on the loop, each item ``seconds`` after it was handed over; inf is never."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float = 0.01) -> None:
        self.loop = loop
        self.seconds = seconds
        self.stopped = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See :class:`concurrent.futures.Executor`."""
        if self.stopped:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if self.seconds != float("inf"):
            self.loop.call_later(self.seconds, lambda: fn(*args, **kwargs))
        return Future()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See :class:`concurrent.futures.Executor`."""
        self.stopped = True


@dataclass(slots=True)
class Said:
    """What a recogniser will make of one turn, or how it will break."""

    text: str = ""
    confidence: float = 0.9
    partials: Sequence[str] = ()
    """One for each accepted chunk; the last is repeated. All of it is stable."""
    open_error: Exception | None = None
    accept_error: Exception | None = None
    finish_error: Exception | None = None
    close_error: Exception | None = None
    returns: Any = None
    """Instead of a transcript, when given: what no port allows."""


class FakeRecogniser:
    """Follows a script."""

    def __init__(self, engine: FakeSpeechEngine, said: Said) -> None:
        self._engine = engine
        self._said = said
        self._waiting = deque(said.partials)
        self.samples = 0
        self.closed = False

    def accept(self, pcm: Pcm) -> Partial | None:
        """See :class:`asr.recogniser.Recogniser`."""
        if self._said.accept_error is not None:
            raise self._said.accept_error
        self.samples += len(pcm)
        if not self._waiting:
            return None
        text = self._waiting.popleft()
        return Partial(text, text, self._said.confidence)

    def finish(self) -> Transcript:
        """See :class:`asr.recogniser.Recogniser`."""
        if self._said.finish_error is not None:
            raise self._said.finish_error
        if self._said.returns is not None:
            return self._said.returns  # type: ignore[no-any-return]
        words = self._said.text.split()
        return Transcript(
            text=self._said.text,
            confidence=self._said.confidence if words else 0.0,
            words=tuple(
                Word(word, i * 0.3, i * 0.3 + 0.25, self._said.confidence)
                for i, word in enumerate(words)
            ),
            alternatives=(Alternative(self._said.text, 0.6),) if words else (),
            engine=self._engine.name,
            model=self._engine.model,
        )

    def close(self) -> None:
        """See :class:`asr.recogniser.Recogniser`."""
        self.closed = True
        if self._said.close_error is not None:
            raise self._said.close_error


class FakeSpeechEngine:
    """Makes recognisers that follow :attr:`script`, one :class:`Said` a turn."""

    def __init__(self, name: str = "fake", model: str = "fake-1") -> None:
        self.name = name
        self.model = model
        self.script: deque[Said] = deque()
        self.opened: list[FakeRecogniser] = []

    capabilities = Capabilities(
        streaming=True,
        word_confidence=True,
        alternatives=True,
        sample_rate_hz=8000,
        language="nl",
    )

    def open(self) -> Recogniser:
        """See :class:`asr.recogniser.SpeechEngine`."""
        said = self.script.popleft() if self.script else Said()
        if said.open_error is not None:
            raise said.open_error
        recogniser = FakeRecogniser(self, said)
        self.opened.append(recogniser)
        return recogniser

    def close(self) -> None:
        """See :class:`asr.recogniser.SpeechEngine`."""


class FakeRecognition:
    """Recognition of one turn, and its recogniser: does what the test says.

    Attributes:
        listener: Of the last turn that was opened.
        on_result_so_far: What it has when it is hurried.
        on_give_up: What it has at the deadline; by default a failure.
    """

    name = "fake"
    model = "fake-1"

    def __init__(self, ask_early_seconds: float | None = None) -> None:
        self.ask_early_seconds = ask_early_seconds
        self.listener: TurnListener = Results()
        self.on_result_so_far: Recognised | None = None
        self.on_give_up = Recognised(failure="recogniser_late")
        self.fed = 0
        self.finished = 0
        self.cancelled = False

    def open(self, listener: TurnListener) -> FakeRecognition:
        """See :class:`ivr.ports.Recognition`."""
        self.listener = listener
        return self

    def feed(self, pcm: Pcm) -> None:
        """See :class:`ivr.ports.TurnRecogniser`."""
        self.fed += len(pcm)

    def finish(self) -> None:
        """See :class:`ivr.ports.TurnRecogniser`."""
        self.finished += 1

    def result_so_far(self) -> Recognised | None:
        """See :class:`ivr.ports.TurnRecogniser`."""
        return self.on_result_so_far

    def give_up(self) -> Recognised:
        """See :class:`ivr.ports.TurnRecogniser`."""
        return self.on_give_up

    def cancel(self) -> None:
        """See :class:`ivr.ports.TurnRecogniser`."""
        self.cancelled = True


class Results:
    """Listens to a turn on any thread, and counts what it is told."""

    def __init__(self) -> None:
        self.all: list[Recognised] = []
        self.partials: list[str] = []
        self.first = threading.Event()
        self.first_partial = threading.Event()

    def partial(self, partial: Partial) -> None:
        """See :class:`ivr.ports.TurnListener`."""
        self.partials.append(partial.text)
        self.first_partial.set()

    def recognised(self, result: Recognised) -> None:
        """See :class:`ivr.ports.TurnListener`."""
        self.all.append(result)
        self.first.set()


def ranking(best: str, probability: float, others: Sequence[str] = THEMAS) -> tuple[Ranked, ...]:
    """``best`` with its probability; the others share the rest."""
    rest = [other for other in others if other != best]
    share = (1.0 - probability) / len(rest)
    ranked = [Ranked(best, probability), *(Ranked(other, share) for other in rest)]
    return tuple(sorted(ranked, key=lambda r: -r.probability))


class FakeClassifier:
    """Knows the sentences of a test; whatever else is said could be anything."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[Ranked, ...]] = {}
        self.error: Exception | None = None
        self.asked: list[str] = []

    version = "fake-intent-1"
    labels = THEMAS

    def classify(
        self,
        text: str,
        *,
        confidence: float = 1.0,
        alternatives: Sequence[tuple[str, float]] = (),
    ) -> Classification:
        """See :class:`intent.classifier.Classifier`."""
        self.asked.append(text)
        if self.error is not None:
            raise self.error
        ranked = self.known.get(text) or ranking(THEMAS[0], 1.0 / len(THEMAS))
        return Classification(ranking=ranked, language="nl", product=None, model=self.version)


@dataclass(slots=True)
class Attending:
    """What a call last asked of the ears for a slot."""

    playing: bool
    pause_ms: int
    max_seconds: float
    sink: Callable[[Pcm], None] | None


@dataclass(slots=True)
class _Turn:
    started_at: float
    pcm: list[Pcm] = field(default_factory=list)
    last_energy_at: float = 0.0
    ending: asyncio.TimerHandle | None = None


class FakeEars:
    """The audio core's commands on the loop's clock, with callers that speak on command.

    Attributes:
        listener: Gets the events: :meth:`ivr.engine.engine.CallEngine.audio_event`.
        attending: By slot; absent while no turn may begin.
        pauses: Every pause that was asked for, in milliseconds, oldest first.
        changes: Those that were asked for in the middle of a turn.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.listener: Callable[[AudioEvent], None] = lambda event: None
        self.attending: dict[int, Attending] = {}
        self.opened: dict[int, float] = {}
        self.pauses: list[int] = []
        self.changes: list[int] = []
        self.take_error: Exception | None = None
        self.turns: dict[int, _Turn] = {}
        self._loop = loop
        self._utterances: dict[int, Pcm] = {}

    def open(self, slot_index: int) -> None:
        """See :class:`ivr.ports.Ears`."""
        self.close(slot_index)
        self.opened[slot_index] = self._loop.time()

    def close(self, slot_index: int) -> None:
        """See :class:`ivr.ports.Ears`."""
        self.ignore(slot_index)
        self.opened.pop(slot_index, None)
        self._utterances.pop(slot_index, None)

    def attend(
        self,
        slot_index: int,
        *,
        playing: bool,
        pause_ms: int,
        max_seconds: float,
        sink: Callable[[Pcm], None] | None = None,
    ) -> None:
        """See :class:`ivr.ports.Ears`."""
        self.attending[slot_index] = Attending(playing, pause_ms, max_seconds, sink)
        self.pauses.append(pause_ms)

    def ignore(self, slot_index: int) -> None:
        """See :class:`ivr.ports.Ears`."""
        self.attending.pop(slot_index, None)
        turn = self.turns.pop(slot_index, None)
        if turn is not None and turn.ending is not None:
            turn.ending.cancel()

    def set_pause(self, slot_index: int, pause_ms: int) -> None:
        """See :class:`ivr.ports.Ears`."""
        self.pauses.append(pause_ms)
        self.changes.append(pause_ms)
        if slot_index in self.attending:
            self.attending[slot_index].pause_ms = pause_ms

    def take_utterance(self, slot_index: int) -> Pcm:
        """See :class:`ivr.ports.Ears`."""
        if self.take_error is not None:
            raise self.take_error
        turn = self.turns.get(slot_index)
        if turn is not None:
            return np.concatenate(turn.pcm)
        return self._utterances.pop(slot_index, np.zeros(0, np.int16))

    def clock(self, slot_index: int) -> float:
        """See :class:`ivr.ports.Ears`."""
        return self._loop.time() - self.opened.get(slot_index, self._loop.time())

    def press(self, slot_index: int, digit: str) -> None:
        """A key is heard in the audio."""
        self.listener(InbandDigit(slot_index, digit))

    def speak(self, slot_index: int, seconds: float) -> None:
        """The caller of a slot begins to speak, for so long, if anybody attends."""
        if slot_index in self.attending and slot_index not in self.turns:
            self.turns[slot_index] = _Turn(self.clock(slot_index))
            self.listener(SpeechStarted(slot_index, self.clock(slot_index)))
            self._loop.call_soon(self._chunk, slot_index, seconds)

    def _chunk(self, slot: int, seconds_left: float) -> None:
        turn, attending = self.turns.get(slot), self.attending.get(slot)
        if turn is None or attending is None:
            return
        pcm = np.full(int(8000 * CHUNK_SECONDS), 1000, np.int16)
        turn.pcm.append(pcm)
        turn.last_energy_at = self.clock(slot)
        if attending.sink is not None:
            attending.sink(pcm)
        if self.clock(slot) - turn.started_at >= attending.max_seconds:
            self._end(slot, too_long=True)
        elif seconds_left > CHUNK_SECONDS:
            self._loop.call_later(CHUNK_SECONDS, self._chunk, slot, seconds_left - CHUNK_SECONDS)
        else:
            turn.ending = self._loop.call_later(0.02, self._pause, slot)

    def _pause(self, slot: int) -> None:
        turn, attending = self.turns.get(slot), self.attending.get(slot)
        if turn is None or attending is None:
            return
        if self.clock(slot) - turn.last_energy_at >= attending.pause_ms / 1000 - 1e-9:
            self._end(slot, too_long=False)
        else:
            turn.ending = self._loop.call_later(0.02, self._pause, slot)

    def _end(self, slot: int, *, too_long: bool) -> None:
        turn = self.turns.pop(slot)
        del self.attending[slot]
        self._utterances[slot] = np.concatenate(turn.pcm)
        self.listener(
            UtteranceEnded(
                slot,
                at_seconds=self.clock(slot),
                last_energy_seconds=turn.last_energy_at,
                voiced_seconds=len(turn.pcm) * CHUNK_SECONDS,
                too_long=too_long,
            )
        )


class FakePrompts:
    """One file a prompt, named after it and what is filled in."""

    def __init__(self) -> None:
        self.missing: set[Prompt] = set()
        self.error: Exception | None = None

    def wavs(self, spoken: SpokenPrompt) -> Sequence[Path]:
        """See :class:`ivr.ports.Prompts`."""
        if self.error is not None:
            raise self.error
        if spoken.prompt in self.missing:
            raise PromptError(f"prompt {spoken.prompt.value!r} has no recording")
        filled = "-".join(
            part for part in (spoken.thema, spoken.group, *spoken.options) if part is not None
        )
        return (Path(f"{spoken.prompt.value}{'-' if filled else ''}{filled}.wav"),)


class FakeSink:
    """Records in memory, in order; disk jobs are done at once, or refused."""

    def __init__(self) -> None:
        self.records: list[ContactRecord] = []
        self.jobs: list[Callable[[], object]] = []
        self.takes_jobs = True

    def submit(self, record: ContactRecord) -> None:
        """See :class:`ivr.ports.RecordSink`."""
        self.records.append(record)

    def submit_job(self, job: Callable[[], object]) -> bool:
        """See :class:`ivr.ports.RecordSink`."""
        if self.takes_jobs:
            self.jobs.append(job)
        return self.takes_jobs

    def of(self, kind: type[Any]) -> list[Any]:
        """The records of one kind."""
        return [record for record in self.records if isinstance(record, kind)]


class FakeFolder:
    """Paths that nobody writes."""

    def recording_path(self, call_id: str, number: int, at: datetime.datetime) -> Path:
        """See :class:`ivr.ports.RecordingFolder`."""
        return Path("/nowhere") / f"{call_id}-{number}.flac"

    def recording_reference(self, path: Path) -> str:
        """See :class:`ivr.ports.RecordingFolder`."""
        return path.name


class FakeCallerNumbers:
    """Numbers that can be told apart and read back by a test alone."""

    def hash(self, number: str) -> str:
        """See :class:`ivr.ports.CallerNumbers`."""
        return f"hash-of-{len(number)}" if number.encode("utf-8") else ""

    def encrypt(self, number: str) -> bytes | None:
        """See :class:`ivr.ports.CallerNumbers`."""
        return number.encode("utf-8")[::-1] if number else None


class FakeObserver:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.states: list[tuple[str | None, str | None]] = []
        self.outcomes: list[tuple[str, str]] = []
        self.stages: list[tuple[str, float]] = []
        self.decisions: list[tuple[str, bool]] = []
        self.transfers: list[tuple[str, str, str]] = []
        self.dropped = 0
        self.failures: list[str] = []

    def state_changed(self, line: str, old: str | None, new: str | None) -> None:
        """See :class:`ivr.ports.observer.Observer`."""
        self.states.append((old, new))

    def call_ended(self, line: str, outcome: str, reason: str, seconds: float) -> None:
        """See :class:`ivr.ports.observer.Observer`."""
        self.outcomes.append((str(outcome), reason))

    def stage_measured(self, line: str, stage: str, seconds: float) -> None:
        """See :class:`ivr.ports.observer.Observer`."""
        self.stages.append((stage, seconds))

    def decided(self, line: str, action: str, applied: bool) -> None:
        """See :class:`ivr.ports.observer.Observer`."""
        self.decisions.append((str(action), applied))

    def transfer_ended(self, group: str, method: str, result: str, seconds: float) -> None:
        """See :class:`ivr.ports.observer.Observer`."""
        self.transfers.append((group, method, result))

    def frames_dropped(self, count: int) -> None:
        """See :class:`ivr.ports.observer.Observer`."""
        self.dropped += count

    def failed(self, what: str) -> None:
        """See :class:`ivr.ports.observer.Observer`."""
        self.failures.append(what)
