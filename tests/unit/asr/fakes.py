"""A speech engine that says what the test wrote, a word for every 200 ms of sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asr.errors import RecogniserFailedError
from asr.recogniser import Alternative, Capabilities, Partial, Transcript, Word

SAMPLES_A_WORD = 1600


class FakeEngine:
    """An engine whose every utterance is ``script``, as far as there is sound for it.

    Args:
        script: The words.
        confidence: Of every word.
    """

    def __init__(self, script: str = "ik heb een vraag", confidence: float = 0.9) -> None:
        self._script = tuple(script.split())
        self._confidence = confidence
        self._is_closed = False

    @property
    def name(self) -> str:
        return "fake"

    @property
    def model(self) -> str:
        return "fake@00000000"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            streaming=True,
            word_confidence=True,
            alternatives=True,
            sample_rate_hz=8000,
            language="nl",
        )

    def open(self) -> FakeRecogniser:
        if self._is_closed:
            raise RecogniserFailedError(self.name, "the engine is closed")
        return FakeRecogniser(self._script, self._confidence)

    def close(self) -> None:
        self._is_closed = True


class FakeRecogniser:
    """Made by :class:`FakeEngine`."""

    def __init__(self, script: tuple[str, ...], confidence: float) -> None:
        self._script = script
        self._confidence = confidence
        self._loud = 0
        self._told = 0
        self._is_closed = False

    def accept(self, pcm: NDArray[np.int16]) -> Partial | None:
        if self._is_closed:
            raise RecogniserFailedError("fake", "the recogniser is closed")
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise RecogniserFailedError("fake", "wants int16 of shape (n,)")
        self._loud += int(np.count_nonzero(np.abs(pcm.astype(np.int32)) > 200))
        words = self._words()
        if len(words) == self._told:
            return None
        self._told = len(words)
        text = " ".join(word.text for word in words)
        stable = " ".join(word.text for word in words[:-1])
        return Partial(text, stable, self._confidence)

    def finish(self) -> Transcript:
        if self._is_closed:
            raise RecogniserFailedError("fake", "the recogniser is closed")
        words = self._words()
        text = " ".join(word.text for word in words)
        self._loud = self._told = 0
        return Transcript(
            text=text,
            confidence=self._confidence if text else 0.0,
            words=words,
            alternatives=(Alternative(text, 1.0),) if text else (),
            engine="fake",
            model="fake@00000000",
        )

    def close(self) -> None:
        self._is_closed = True

    def _words(self) -> tuple[Word, ...]:
        count = min(len(self._script), self._loud // SAMPLES_A_WORD)
        return tuple(
            Word(text, 0.2 * place, 0.2 * (place + 1), self._confidence)
            for place, text in enumerate(self._script[:count])
        )
