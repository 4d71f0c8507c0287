"""Utterances over a model that sherpa-onnx loaded: streaming, or kept until their end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.confidence import UNKNOWN_WORD, utterance_confidence
from asr.engines.invented_text import MOST_LETTERS_A_SECOND, is_subtitle_credit
from asr.engines.sherpa_models import Kind, SherpaModel
from asr.engines.sherpa_words import Hypothesis, words_of
from asr.errors import RecogniserFailedError
from asr.recogniser import Partial, Transcript, Word
from asr.resample import Upsampler

RATE_HZ = 8000
LONGEST_SECONDS = 60
"""Audio that a model which is not streaming gets at once; more is read in pieces."""
_LONGEST_WHISPER_SECONDS = 28
"""Whisper's window is 30 s."""
_SHORTEST_SECONDS = 0.5
"""Shorter audio is filled up with quiet: some encoders fail on a handful of frames."""
_CUT_SECONDS = 10
"""A piece ends at the quietest moment of its last so many seconds."""
_QUIETEST = 32.0
"""Level (RMS of 20 ms, full scale 32768) that nobody speaks below: -60 dB."""
_FRAME_SAMPLES = 160


class SherpaRecogniser(ABC):
    """What both kinds of recogniser share. Made by :meth:`SherpaEngine.open`."""

    def __init__(
        self,
        loaded: Any,
        found: SherpaModel,
        model: str,
        processor: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._native = loaded
        self._found = found
        self._model = model
        self._processor = processor
        self._upsampler = Upsampler(found.sample_rate_hz // RATE_HZ)
        self._samples = 0
        self._loudest = 0.0
        self._is_closed = False

    def accept(self, pcm: NDArray[np.int16]) -> Partial | None:
        """Take the next samples; see :meth:`asr.recogniser.Recogniser.accept`."""
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise RecogniserFailedError(
                "sherpa", f"wants int16 of shape (n,), got {pcm.dtype} of shape {pcm.shape}"
            )
        self._check_open()
        if not len(pcm):
            return None
        self._samples += len(pcm)
        self._loudest = max(self._loudest, float(_levels(pcm).max()))
        return self._take(pcm)

    def finish(self) -> Transcript:
        """End the utterance; see :meth:`asr.recogniser.Recogniser.finish`."""
        self._check_open()
        try:
            words = self._words() if self._loudest > _QUIETEST else []
        finally:
            self._forget()
        text = _joined(words)
        return Transcript(
            text=text,
            confidence=utterance_confidence(words) if text else 0.0,
            words=tuple(word for word in words if word.text != UNKNOWN_WORD),
            alternatives=(),
            engine="sherpa",
            model=self._model,
        )

    def close(self) -> None:
        """Let go of the model and of the audio."""
        if not self._is_closed:
            self._forget()
        self._is_closed = True
        self._native = None

    def _check_open(self) -> None:
        if self._is_closed:
            raise RecogniserFailedError("sherpa", "the recogniser is closed")

    def _forget(self) -> None:
        self._samples = 0
        self._loudest = 0.0
        self._upsampler.reset()

    def _wide(self, pcm: NDArray[np.int16]) -> NDArray[np.float32]:
        """Return the samples at the model's rate, full scale ±1."""
        return self._upsampler.feed(pcm).astype(np.float32) / np.float32(32768)

    @abstractmethod
    def _take(self, pcm: NDArray[np.int16]) -> Partial | None:
        """Take samples that were checked."""

    @abstractmethod
    def _words(self) -> list[Word]:
        """Return the words of the utterance, unknown ones included."""


class StreamingRecogniser(SherpaRecogniser):
    """Reads while the caller speaks; what it has read once it does not change."""

    _stream: Any = None

    def _take(self, pcm: NDArray[np.int16]) -> Partial | None:
        with _translated():
            if self._stream is None:
                self._stream = self._native.create_stream()
            self._stream.accept_waveform(self._found.sample_rate_hz, self._wide(pcm))
        if not self._advance() or self._loudest <= _QUIETEST:
            return None
        words = self._heard_words()
        known = [word for word in words if word.text != UNKNOWN_WORD]
        # The last word may still grow.
        stable = " ".join(word.text for word in known[:-1])
        return Partial(_joined(words), stable, utterance_confidence(words), tuple(known))

    def _words(self) -> list[Word]:
        quiet = np.zeros(int(self._found.tail_seconds * self._found.sample_rate_hz), np.float32)
        with _translated():
            self._stream.accept_waveform(self._found.sample_rate_hz, quiet)
            self._stream.input_finished()
        self._advance()
        return self._heard_words()

    def _forget(self) -> None:
        super()._forget()
        self._stream = None

    def _advance(self) -> bool:
        """Read what there is to read; whether there was something."""
        with _translated():
            if not self._native.is_ready(self._stream):
                return False
            with self._processor():
                while self._native.is_ready(self._stream):
                    self._native.decode_stream(self._stream)
        return True

    def _heard_words(self) -> list[Word]:
        with _translated():
            result = self._native.get_result_all(self._stream)
            delay = self._found.delay_ms / 1000
            hypothesis = Hypothesis(
                result.text,
                tuple(result.tokens),
                tuple(max(0.0, start - delay) for start in result.timestamps),
                tuple(result.ys_probs),
            )
        return words_of(hypothesis, 0.0, self._samples / RATE_HZ)


class OfflineRecogniser(SherpaRecogniser):
    """Keeps the audio and reads it at the end of the utterance, in pieces when it is long."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        whisper = self._found.kind is Kind.WHISPER
        seconds = _LONGEST_WHISPER_SECONDS if whisper else LONGEST_SECONDS
        self._longest_samples = seconds * RATE_HZ
        self._forget()

    def _forget(self) -> None:
        super()._forget()
        self._kept: list[NDArray[np.int16]] = []
        self._kept_samples = 0
        self._done: list[Word] = []

    def _take(self, pcm: NDArray[np.int16]) -> Partial | None:
        self._kept.append(pcm.copy())
        self._kept_samples += len(pcm)
        if self._kept_samples > self._longest_samples:
            self._shorten()
        return None

    def _shorten(self) -> None:
        """Read all but what follows the last pause, until the rest is short enough."""
        audio = np.concatenate(self._kept)
        begin = self._samples - len(audio)
        while len(audio) > self._longest_samples:
            cut = _quietest_moment(audio[: self._longest_samples])
            self._done.extend(self._read(audio[:cut], begin))
            audio, begin = audio[cut:], begin + cut
        self._kept = [audio]
        self._kept_samples = len(audio)

    def _words(self) -> list[Word]:
        audio = np.concatenate(self._kept)
        return [*self._done, *self._read(audio, self._samples - len(audio))]

    def _read(self, audio: NDArray[np.int16], begin_samples: int) -> list[Word]:
        if not len(audio) or _levels(audio).max() <= _QUIETEST:
            return []
        self._upsampler.reset()
        missing = max(0, int(_SHORTEST_SECONDS * RATE_HZ) - len(audio))
        wide = self._wide(np.concatenate([audio, np.zeros(missing, np.int16)]))
        with _translated(), self._processor():
            stream = self._native.create_stream()
            stream.accept_waveform(self._found.sample_rate_hz, wide)
            self._native.decode_stream(stream)
            result = stream.result
            hypothesis = Hypothesis(
                result.text,
                tuple(result.tokens),
                tuple(start * self._found.time_factor for start in result.timestamps),
                tuple(result.ys_log_probs),
            )
        begin, seconds = begin_samples / RATE_HZ, len(audio) / RATE_HZ
        if self._found.kind is Kind.WHISPER and _is_invented(hypothesis.text, seconds):
            return []
        return words_of(hypothesis, begin, begin + seconds)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn whatever sherpa-onnx raises into our error, without its words."""
    try:
        yield
    except RecogniserFailedError:
        raise
    except Exception:  # sherpa-onnx raises whatever its libraries do
        raise RecogniserFailedError("sherpa", "could not process audio") from None


def _levels(pcm: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the level of each 20 ms, RMS; the last one may be shorter."""
    starts = np.arange(0, len(pcm), _FRAME_SAMPLES)
    squares = np.add.reduceat(pcm.astype(np.float64) ** 2, starts)
    return np.asarray(np.sqrt(squares / np.diff(starts, append=len(pcm))), np.float64)


def _quietest_moment(audio: NDArray[np.int16]) -> int:
    """Return the sample where cutting hurts least: in the quietest 200 ms of the last seconds."""
    begin = len(audio) - _CUT_SECONDS * RATE_HZ
    levels = np.convolve(_levels(audio[begin:]), np.ones(10), "valid")
    return begin + (int(np.argmin(levels)) + 5) * _FRAME_SAMPLES


def _is_invented(text: str, seconds: float) -> bool:
    """Whether Whisper wrote what nobody said; on noise it writes the credits of subtitles."""
    letters = sum(character.isalnum() for character in text)
    return letters > MOST_LETTERS_A_SECOND * seconds or is_subtitle_credit(text)


def _joined(words: list[Word]) -> str:
    return " ".join(word.text for word in words if word.text != UNKNOWN_WORD)
