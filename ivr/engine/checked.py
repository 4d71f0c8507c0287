"""The only place of the phone service where a speech engine's own code is called.

Whatever an engine does or returns, its caller gets what the port promises, or a fixed word.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.recogniser import Alternative, Partial, Recogniser, SpeechEngine, Transcript, Word

GARBAGE = "recogniser_garbage"
"""Code of an engine that returned what its port does not allow."""
HEARD_NOTHING = "recogniser_heard_nothing"
_CRASHED = "recogniser_crashed"


class EngineFailedError(Exception):
    """An engine broke.

    Attributes:
        code: A fixed word: an engine's own message may quote the caller.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class CheckedRecogniser:
    """One utterance with an engine. On one thread at a time.

    Args:
        engine: Its recogniser is opened with the first samples.
    """

    def __init__(self, engine: SpeechEngine) -> None:
        self._engine = engine
        self._recogniser: Recogniser | None = None

    def accept(self, pcm: NDArray[np.int16]) -> Partial | None:
        """Hear the next samples, shape ``(n,)``, 8000 Hz mono.

        Raises:
            EngineFailedError: The engine broke.
        """
        try:
            if self._recogniser is None:
                self._recogniser = self._engine.open()
            return checked_partial(self._recogniser.accept(pcm))
        except BaseException as error:
            raise _translated(error) from None

    def finish(self) -> Transcript:
        """End the utterance.

        Raises:
            EngineFailedError: The engine broke, or heard no sample.
        """
        if self._recogniser is None:
            raise EngineFailedError(HEARD_NOTHING)
        try:
            return checked_transcript(self._recogniser.finish())
        except BaseException as error:
            raise _translated(error) from None

    def close(self) -> None:
        """Give the recogniser back."""
        recogniser, self._recogniser = self._recogniser, None
        if recogniser is not None:
            try:
                recogniser.close()
            except BaseException:
                # It is given up either way; the result that it gave stands.
                return


def _translated(error: BaseException) -> EngineFailedError:
    if isinstance(error, EngineFailedError):
        return error
    # An error that has a code we know; the message of any other may quote the caller.
    return EngineFailedError(error.code if isinstance(error, AsrError) else _CRASHED)


def checked_partial(value: object) -> Partial | None:
    """Return the partial as the port promises it.

    Raises:
        EngineFailedError: It is something else.
    """
    if value is None:
        return None
    if not (
        isinstance(value, Partial)
        and isinstance(value.text, str)
        and isinstance(value.stable_text, str)
        and isinstance(value.words, tuple)
    ):
        raise EngineFailedError(GARBAGE)
    return replace(
        value,
        confidence=_share(value.confidence),
        words=tuple(_word(word) for word in value.words),
    )


def checked_transcript(value: object) -> Transcript:
    """Return the transcript as the port promises it; confidences are bounded to 0..1.

    Raises:
        EngineFailedError: It is something else.
    """
    if not (
        isinstance(value, Transcript)
        and isinstance(value.text, str)
        and isinstance(value.engine, str)
        and isinstance(value.model, str)
        and isinstance(value.words, tuple)
        and isinstance(value.alternatives, tuple)
    ):
        raise EngineFailedError(GARBAGE)
    return replace(
        value,
        confidence=_share(value.confidence),
        words=tuple(_word(word) for word in value.words),
        alternatives=tuple(_alternative(reading) for reading in value.alternatives),
        is_fallback=bool(value.is_fallback),
    )


def _word(word: object) -> Word:
    if not (isinstance(word, Word) and isinstance(word.text, str)):
        raise EngineFailedError(GARBAGE)
    start, end = _number(word.start_seconds), _number(word.end_seconds)
    return Word(word.text, start, end, _share(word.confidence))


def _alternative(reading: object) -> Alternative:
    if not (isinstance(reading, Alternative) and isinstance(reading.text, str)):
        raise EngineFailedError(GARBAGE)
    return Alternative(reading.text, _share(reading.confidence))


def _share(value: object) -> float:
    return min(1.0, max(0.0, _number(value)))


def _number(value: object) -> float:
    # NumPy's scalars are no floats to Python, and a NaN is no number to anybody.
    if isinstance(value, bool | str) or value is None:
        raise EngineFailedError(GARBAGE)
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise EngineFailedError(GARBAGE) from None
    if not math.isfinite(number):
        raise EngineFailedError(GARBAGE)
    return number
