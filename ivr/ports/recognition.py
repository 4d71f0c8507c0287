"""Recognition as a caller's turn sees it: speech in while it lasts, words once it is over.

A single engine, one behind its circuit breaker, and two together all have this form, so that a
turn knows one recogniser, whatever is behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from asr.recogniser import Partial, Transcript
from ivr.ports.audio import Pcm

LATE = "recogniser_late"
"""Code of a turn whose words were not there in time."""


@dataclass(frozen=True, slots=True)
class EngineReading:
    """What one engine made of one turn."""

    heard_in: str
    """``first``, ``second`` (while the caller waited) or ``background`` (after the call)."""
    engine: str
    model: str
    transcript: Transcript | None = field(default=None, repr=False)
    """None when it failed."""
    failure: str = ""
    """Code of the failure; empty when there was none."""
    seconds: float = 0.0
    """How long the engine worked on it after the turn's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """What recognition made of one turn."""

    transcript: Transcript | None = field(default=None, repr=False)
    """None when there is none, and there was no stable partial."""
    failure: str = ""
    """Code of the failure; empty when there was none."""
    other: EngineReading | None = None
    """What the engine heard that was not believed; None when only one was asked."""
    second_pass_seconds: float | None = None
    """How long a second engine was waited for; None: it was not asked."""


class TurnListener(Protocol):
    """Told what is recognised, on any thread; returns soon."""

    def partial(self, partial: Partial) -> None:
        """There is news while the caller speaks. Not after the turn's end."""

    def provisional(self, result: Recognised) -> None:
        """The result as it stands if nothing better comes in time."""

    def recognised(self, result: Recognised) -> None:
        """The turn's one result. Before the turn's end only when the engine broke."""


class TurnRecogniser(Protocol):
    """One turn. ``feed`` from the audio thread, the rest from one other thread."""

    def feed(self, pcm: Pcm) -> None:
        """Take the next samples; returns at once."""

    def finish(self) -> None:
        """The turn is over: its result is wanted as soon as it can be had."""

    def result_so_far(self) -> Recognised | None:
        """``ask_early_seconds`` after the end: return what there is, if that is a result.

        Returns:
            None when there is no result yet; it is still to come.
        """

    def give_up(self) -> Recognised:
        """The deadline passed: return the result, or the last stable partial, or the failure.

        Nothing is told after this.
        """

    def cancel(self) -> None:
        """Nobody wants the result any more; nothing is told after this."""


class Recognition(Protocol):
    """Recognises turns, any number at once. Any thread."""

    @property
    def name(self) -> str:
        """Of the engine that listens first, for example ``vosk``."""

    @property
    def model(self) -> str:
        """Its model and short checksum."""

    @property
    def ask_early_seconds(self) -> float | None:
        """Seconds from the end of a turn to asking for its result so far; None: never."""

    def open(self, listener: TurnListener) -> TurnRecogniser:
        """Begin a turn."""
