"""Whisper engine: faster-whisper with a model folder in CTranslate2's form.

Whisper hears a whole utterance at once: there are no partials, and the work begins when the caller
has finished. Only this file and ``asr.engines.whisper_model`` import ``faster_whisper``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper.vad import VadOptions, get_speech_timestamps
from numpy.typing import NDArray

from asr.confidence import utterance_confidence
from asr.engines.invented_text import Figures, Gates, is_invented, without_loops
from asr.engines.whisper_model import LANGUAGE, check_folder, load_model
from asr.errors import RecogniserFailedError
from asr.recogniser import Capabilities, Transcript, Word
from asr.resample import Upsampler
from asr.text import normalise

RATE_HZ = 8000
MODEL_RATE_HZ = 16000
_FACTOR = MODEL_RATE_HZ // RATE_HZ
_MOST_SAMPLES = 60 * RATE_HZ
"""A turn of a call is shorter. Of a longer recording the first part is transcribed and let go
before more is taken, so that memory stays bounded."""
_WINDOW_SECONDS = 28.0
"""Whisper hears 30 s at once."""
_VOICE = VadOptions(
    threshold=0.4,
    min_speech_duration_ms=100,
    max_speech_duration_s=_WINDOW_SECONDS,
    min_silence_duration_ms=500,
    speech_pad_ms=250,
)
"""Whisper invents text on silence, so it only gets what Silero's network takes for speech."""
_TOKENS_A_SECOND = 12
_SPARE_TOKENS = 16
"""Dutch is about 5 tokens a second: a decoder that writes more is in a loop, and is stopped."""
_MOST_PASSES = 4
"""Over one window. faster-whisper listens again to what lies after the last word it is sure of."""
_TAIL_SECONDS = 0.5
"""A pass over less than this, after words, hears nothing but invents."""
_WAIT_SECONDS = 30.0
"""For a worker; all of them being busy so long means that the processor cannot keep up."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Speech without its pauses, and where it was.

    Attributes:
        audio: Shape ``(n,)``, float32, -1..1, 16000 Hz.
        pieces: Start and end, in samples of the original, of what ``audio`` is joined from.
    """

    audio: NDArray[np.float32]
    pieces: tuple[tuple[int, int], ...]

    @property
    def seconds(self) -> float:
        """Length of the speech."""
        return len(self.audio) / MODEL_RATE_HZ

    def original_seconds(self, seconds: float) -> float:
        """Return when in the original a moment of ``audio`` was."""
        left = seconds * MODEL_RATE_HZ
        for start, end in self.pieces:
            if left <= end - start:
                return (start + max(0.0, left)) / MODEL_RATE_HZ
            left -= end - start
        return self.pieces[-1][1] / MODEL_RATE_HZ


class WhisperEngine:
    """A Whisper model, shared by its recognisers.

    The model's name in contact records is the folder's and a checksum of its small files, sizes and
    both ends of its large ones. A folder with ``checksums.sha256`` is checked in full.

    Args:
        model_dir: The model folder.
        device: ``cpu``, ``cuda``, or ``auto`` for a GPU when there is one that works.
        threads: Processor threads of one worker; None for half of the processors, at most four.
        workers: Utterances transcribed at once over the one model; others wait their turn.
        beam_size: Readings kept while decoding.
        gates: When text is taken for invented.

    Raises:
        ModelMissingError: There is no such folder, or it is not a whole Whisper model.
        ModelDamagedError: A file is damaged, or belongs to another kind of model.
        EngineUnavailableError: A GPU was asked for and none works, or the model knows no Dutch.
    """

    def __init__(
        self,
        model_dir: Path,
        *,
        device: str = "auto",
        threads: int | None = None,
        workers: int = 1,
        beam_size: int = 5,
        gates: Gates | None = None,
    ) -> None:
        checksum = check_folder(model_dir)
        self._threads = threads or min(4, max(1, (os.cpu_count() or 2) // 2))
        self._workers = workers
        self._beam_size = beam_size
        self._gates = gates or Gates()
        self._whisper: Any = load_model(model_dir, device, self._threads, workers)
        self._places = threading.BoundedSemaphore(workers)
        self._name = f"{model_dir.resolve().name}@{checksum}"
        # The gate's own small network is read now: a broken installation shows at start.
        get_speech_timestamps(np.zeros(MODEL_RATE_HZ, np.float32), _VOICE)

    @property
    def name(self) -> str:
        """Always ``whisper``."""
        return "whisper"

    @property
    def model(self) -> str:
        """Folder name and short checksum."""
        return self._name

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda``; where the model was loaded."""
        return str(self._model().model.device)

    @property
    def threads(self) -> int:
        """Processor threads at most, all workers together."""
        return self._threads * self._workers

    @property
    def capabilities(self) -> Capabilities:
        """Whole utterances, with the model's probability of each word; one reading."""
        return Capabilities(
            streaming=False,
            word_confidence=True,
            alternatives=False,
            sample_rate_hz=MODEL_RATE_HZ,
            language=LANGUAGE,
        )

    def open(self) -> WhisperRecogniser:
        """Return a recogniser; it costs nothing until its first utterance ends.

        Raises:
            RecogniserFailedError: The engine is closed.
        """
        self._model()
        return WhisperRecogniser(self)

    def close(self) -> None:
        """Free the model when the transcriptions under way have ended."""
        self._whisper = None

    def _model(self) -> Any:
        whisper = self._whisper
        if whisper is None:
            raise RecogniserFailedError("whisper", "the engine is closed")
        return whisper

    def transcribe(self, stretch: _Stretch) -> list[tuple[list[Word], float]]:
        """Return the believable segments of a stretch: words, and the segment's confidence.

        Raises:
            RecogniserFailedError: The model broke, or no worker came free in time.
        """
        whisper = self._model()
        if not self._places.acquire(timeout=_WAIT_SECONDS):
            raise RecogniserFailedError("whisper", f"no worker came free in {_WAIT_SECONDS:.0f} s")
        try:
            heard = list(self._segments(whisper, stretch, repeats=True))
            if any(segment.compression_ratio > self._gates.most_compression for segment in heard):
                # Once more, this time forbidden to repeat itself. Whisper's own way out, chance,
                # would give the same caller another transcript each time.
                heard = list(self._segments(whisper, stretch, repeats=False))
        except Exception:  # CTranslate2 raises nothing narrower; its text may hold tokens
            raise RecogniserFailedError("whisper", "could not process audio") from None
        finally:
            self._places.release()
        letters = sum(len(segment.text) for segment in heard)
        # Of each segment as of all: its own times are Whisper's guess, the stretch was measured.
        pace = stretch.seconds / max(1, letters)
        believed = [
            (_kept_words(segment, stretch), min(1.0, exp(segment.avg_logprob)))
            for segment in heard
            if not is_invented(segment.text, _figures(segment, pace), self._gates)
        ]
        return [(words, confidence) for words, confidence in believed if words]

    def _segments(self, whisper: Any, stretch: _Stretch, *, repeats: bool) -> Iterator[Any]:
        segments, _ = whisper.transcribe(
            stretch.audio,
            language=LANGUAGE,
            task="transcribe",
            beam_size=self._beam_size,
            temperature=0.0,
            condition_on_previous_text=False,
            no_repeat_ngram_size=0 if repeats else 3,
            word_timestamps=True,
            max_new_tokens=min(440, _SPARE_TOKENS + round(_TOKENS_A_SECOND * stretch.seconds)),
        )
        passes: set[int] = set()
        for segment in segments:
            began = segment.seek * whisper.feature_extractor.time_per_frame
            if passes and segment.seek not in passes and began > stretch.seconds - _TAIL_SECONDS:
                return
            passes.add(segment.seek)
            if len(passes) > _MOST_PASSES:
                return
            yield segment


class WhisperRecogniser:
    """One utterance at a time. Made by :meth:`WhisperEngine.open`."""

    def __init__(self, engine: WhisperEngine) -> None:
        self._engine = engine
        self._model = engine.model
        self._is_closed = False
        self._begin()

    def _begin(self) -> None:
        self._waiting: list[NDArray[np.int16]] = []
        self._waiting_samples = 0
        self._earlier_samples = 0
        self._heard: list[tuple[list[Word], float]] = []

    def accept(self, pcm: NDArray[np.int16]) -> None:
        """Keep the samples; see :meth:`asr.recogniser.Recogniser.accept`. There are no partials.

        At each full minute of one utterance, longer than a call's turn can be, this transcribes.
        """
        self._refuse_closed()
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise RecogniserFailedError(
                "whisper", f"wants int16 of shape (n,), got {pcm.dtype} of shape {pcm.shape}"
            )
        while len(pcm):
            taken = pcm[: _MOST_SAMPLES - self._waiting_samples]
            self._waiting.append(taken.copy())
            self._waiting_samples += len(taken)
            pcm = pcm[len(taken) :]
            if self._waiting_samples >= _MOST_SAMPLES:
                self._transcribe(is_last=False)

    def finish(self) -> Transcript:
        """End the utterance; see :meth:`asr.recogniser.Recogniser.finish`."""
        self._refuse_closed()
        try:
            self._transcribe(is_last=True)
            return self._transcript()
        finally:
            self._begin()

    def close(self) -> None:
        """Forget the audio."""
        self._is_closed = True
        self._begin()

    def _refuse_closed(self) -> None:
        if self._is_closed:
            raise RecogniserFailedError("whisper", "the recogniser is closed")

    def _transcribe(self, *, is_last: bool) -> None:
        """Transcribe what waits; but for the last time, keep what follows the last pause."""
        if not self._waiting_samples:
            return
        pcm = np.concatenate(self._waiting)
        audio = _wide(pcm)
        spoken = _speech(audio)
        used = len(pcm)
        at_end = bool(spoken) and spoken[-1][1] >= len(audio) - MODEL_RATE_HZ // 2
        if not is_last and at_end and len(spoken) > 1:
            # The last piece may go on in the samples to come.
            used = spoken.pop()[0] // _FACTOR
        offset = self._earlier_samples / RATE_HZ
        for stretch in _stretches(audio, spoken):
            for words, confidence in self._engine.transcribe(stretch):
                self._heard.append(([_later(word, offset) for word in words], confidence))
        self._earlier_samples += used
        self._waiting = [pcm[used:]]
        self._waiting_samples = len(pcm) - used

    def _transcript(self) -> Transcript:
        words = [word for segment, _ in self._heard for word in segment]
        letters = [sum(len(word.text) for word in segment) for segment, _ in self._heard]
        # Two views of the same probabilities: of each word, and of the whole segment with its
        # punctuation and end. The lower one is the safer.
        of_segments = sum(
            count * confidence for count, (_, confidence) in zip(letters, self._heard, strict=True)
        ) / max(1, sum(letters))
        return Transcript(
            text=" ".join(word.text for word in words),
            confidence=min(utterance_confidence(words), of_segments),
            words=tuple(words),
            alternatives=(),
            engine="whisper",
            model=self._model,
        )


def audible(pcm: NDArray[np.int16]) -> list[NDArray[np.float32]]:
    """Return what Whisper gets to hear of a recording: its speech, in windows.

    Args:
        pcm: Shape ``(n,)``, mono, 8000 Hz.

    Returns:
        Each of shape ``(n,)``, 16000 Hz, -1..1, at most 28 s.

    Raises:
        RecogniserFailedError: The voice activity network broke.
    """
    audio = _wide(pcm)
    return [stretch.audio for stretch in _stretches(audio, _speech(audio))]


def _wide(pcm: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return telephone samples at the model's rate, without a constant offset, -1..1."""
    wide = Upsampler(_FACTOR).feed(pcm).astype(np.float32) / 32768.0
    centred: NDArray[np.float32] = wide - wide.mean(dtype=np.float32)
    return centred


def _speech(audio: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return where speech starts and ends, in samples of ``audio``."""
    try:
        found = get_speech_timestamps(audio, _VOICE)
    except Exception:  # onnxruntime's errors have no base of their own
        raise RecogniserFailedError("whisper", "voice activity detection broke") from None
    return [(int(piece["start"]), int(piece["end"])) for piece in found]


def _stretches(audio: NDArray[np.float32], spoken: list[tuple[int, int]]) -> Iterator[_Stretch]:
    """Join speech into stretches that fit Whisper's window."""
    most = int(_WINDOW_SECONDS * MODEL_RATE_HZ)
    pieces: list[tuple[int, int]] = []
    for start, end in spoken:
        if pieces and sum(b - a for a, b in pieces) + end - start > most:
            yield _joined(audio, pieces)
            pieces = []
        pieces.append((start, end))
    if pieces:
        yield _joined(audio, pieces)


def _joined(audio: NDArray[np.float32], pieces: list[tuple[int, int]]) -> _Stretch:
    return _Stretch(np.concatenate([audio[start:end] for start, end in pieces]), tuple(pieces))


def _figures(segment: Any, pace: float) -> Figures:
    """What the gates look at; ``pace`` in seconds a letter."""
    return Figures(
        average_logprob=segment.avg_logprob,
        no_speech_probability=segment.no_speech_prob,
        compression_ratio=segment.compression_ratio,
        speech_seconds=pace * len(segment.text),
    )


def _kept_words(segment: Any, stretch: _Stretch) -> list[Word]:
    words = [word for written in segment.words or () for word in _plain_words(written, stretch)]
    return without_loops(words, [word.text for word in words])


def _plain_words(written: Any, stretch: _Stretch) -> list[Word]:
    """Spell a word as the port asks; a number becomes words, a sign none."""
    texts = normalise(written.word).split()
    start = stretch.original_seconds(float(written.start))
    end = max(start, stretch.original_seconds(float(written.end)))
    share = (end - start) / max(1, len(texts))
    probability = min(1.0, max(0.0, float(written.probability)))
    return [
        Word(text, start + place * share, start + (place + 1) * share, probability)
        for place, text in enumerate(texts)
    ]


def _later(word: Word, seconds: float) -> Word:
    return replace(
        word,
        start_seconds=word.start_seconds + seconds,
        end_seconds=word.end_seconds + seconds,
    )
