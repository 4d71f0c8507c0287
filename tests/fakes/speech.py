"""Stand-ins for recognition and themas: they hear and understand what a test says."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from asr.recogniser import Alternative, Capabilities, Partial, Recogniser, Transcript, Word
from intent.classifier import Classification, Ranked
from ivr.ports import (
    Pcm,
    Recognised,
    TurnListener,
)

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

    def provisional(self, result: Recognised) -> None:
        """See :class:`ivr.ports.TurnListener`."""

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
