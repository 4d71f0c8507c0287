"""The port: what the phone service asks of any speech engine.

Caller speech is personal data: texts and words are kept out of every ``repr``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word.

    Attributes:
        text: The word as written.
        start_seconds: From the first sample given to the recogniser; a pause may be counted with
            the word beside it.
        end_seconds: Likewise.
        confidence: 0..1; how sure the engine is of this word.
    """

    text: str = field(repr=False)
    start_seconds: float
    end_seconds: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Partial:
    """What has been heard so far; may still change.

    Attributes:
        text: The best guess now.
        stable_text: The leading words that the last few guesses agree on.
        confidence: 0..1, of ``text``; calibrated against what turned out right, where the engine
            can.
        words: Those of ``text``, in order; empty when the engine has no confidences yet. A word
            said just now ends with the audio given.
    """

    text: str = field(repr=False)
    stable_text: str = field(repr=False)
    confidence: float
    words: tuple[Word, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of the n best readings of the whole utterance.

    Attributes:
        text: The reading.
        confidence: 0..1; shares of all readings returned sum to at most 1.
    """

    text: str = field(repr=False)
    confidence: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What the caller said, as far as the engine understood.

    Attributes:
        text: Lower case, without punctuation; empty means nothing was understood.
        confidence: 0..1; 0 for an empty text.
        words: In order of time.
        alternatives: Likeliest first, the first usually equal to ``text``.
        engine: Name of the engine, for example ``vosk``.
        model: Name and short checksum of the model.
        is_fallback: The final was empty or late and this is the last stable partial.
    """

    text: str = field(repr=False)
    confidence: float
    words: tuple[Word, ...] = field(repr=False)
    alternatives: tuple[Alternative, ...] = field(repr=False)
    engine: str
    model: str
    is_fallback: bool = False


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do.

    Attributes:
        streaming: It works while the caller speaks and gives partials.
        word_confidence: Words carry a confidence of their own.
        alternatives: Transcripts carry n-best readings.
        sample_rate_hz: Rate of the audio the model was trained on; ``accept`` takes 8000 always.
        language: BCP 47 tag.
    """

    streaming: bool
    word_confidence: bool
    alternatives: bool
    sample_rate_hz: int
    language: str


@runtime_checkable
class Recogniser(Protocol):
    """Speech in, text out, for one utterance at a time. Not thread-safe."""

    def accept(self, pcm: NDArray[np.int16]) -> Partial | None:
        """Take the next samples.

        Args:
            pcm: Shape ``(n,)``, any n, mono, 8000 Hz.

        Returns:
            A partial when there is news, else None.

        Raises:
            RecogniserFailedError: The engine broke.
        """

    def finish(self) -> Transcript:
        """End the utterance; the recogniser is then ready for the next one.

        Returns:
            The transcript; empty text means nothing was understood.

        Raises:
            RecogniserFailedError: The engine broke; the caller goes to the keuzemenu.
        """

    def close(self) -> None:
        """Give the recogniser back; it takes no more audio. Closing twice is harmless."""


@runtime_checkable
class SpeechEngine(Protocol):
    """A loaded model. ``open`` may be called from any thread."""

    @property
    def name(self) -> str:
        """Engine name, for example ``vosk``."""

    @property
    def model(self) -> str:
        """Model name and short checksum, as written into contact records."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine with this model can do."""

    def open(self) -> Recogniser:
        """Return a recogniser for one utterance.

        Raises:
            RecogniserFailedError: The engine is closed or cannot make one.
        """

    def close(self) -> None:
        """Free the model. Recognisers that are open may fail from now on."""
