"""One utterance after another over a decoder of vosk: partials, costs, the final result.

Knows no engine: :mod:`asr.engines.vosk_recogniser` makes the decoders and keeps idle ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.confidence import (
    UNKNOWN_WORD,
    Calibration,
    PartialCalibration,
    utterance_confidence,
)
from asr.engines.partials import Guesses
from asr.engines.pause import FRAME_SAMPLES, Pause
from asr.engines.vosk_results import parsed, readings_of, words_of
from asr.errors import RecogniserFailedError
from asr.readings import alternatives_of, joined, with_confidences
from asr.recogniser import Alternative, Partial, Transcript, Word
from asr.resample import Upsampler

RATE_HZ = 8000
_FLUSH_SECONDS = 0.45
"""Quiet given at the end: the network looks ahead 0.2 s, and Kaldi makes the part of its lattice
that word confidences come from up to 12 outputs of 30 ms late. What the caller's own pause gave
already is not given again: it would be computed while the caller waits."""
_LEAD = np.zeros(RATE_HZ // 10, np.int16)
"""Quiet given before an utterance: who speaks at once is heard as who takes a breath first. Of all
lengths within one chunk of the embedded model (120 ms) it is the one after which the first words
are known earliest when speech begins with the first packet."""
_STRETCH_SAMPLES = RATE_HZ
"""Costs are looked at once a second of audio."""
_DEAREST = 0.4
"""Processor seconds a second of audio may cost. Speech costs 0.03 to 0.1; in loud noise Kaldi's
lattice grows without end, to several seconds for each, until the decoder is reset."""
_DEAREST_UNHEARD = 0.1
"""While no word was heard: as much as speech may cost. In silence the lattice grows, too, and
nothing is lost with it."""
_GROWN = 2.5
"""And only what costs so much more than the first second did: on a slow machine all is dear."""
_LATTICE_SHARE = 0.02
"""How much longer the utterance is when its lattice is looked at again: every 100 ms in the first
five seconds, less often later, since each look is at all of it."""
_WORDS_OFTEN = 100
_UNCALIBRATED = PartialCalibration()


@dataclass(slots=True)
class Decoder:
    """A Kaldi decoder, and what it was fed before the utterance of now.

    Its clock runs on through ``Reset``: the words of a second utterance would start where the
    first one ended.
    """

    kaldi: Any
    earlier_samples: int = 0


class VoskRecogniser:
    """One utterance at a time over a Kaldi decoder. Made by the engine's ``open``."""

    def __init__(
        self,
        give_back: Callable[[Decoder], None],
        decoder: Decoder,
        *,
        model: str,
        rate_hz: int,
        interval_samples: int,
        n_best: int,
        calibration: Calibration | None = None,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._give_back = give_back
        self._clock = clock
        self._calibration = calibration
        self._decoder = decoder
        self._kaldi: Any = decoder.kaldi
        self._model = model
        self._upsampler = Upsampler(rate_hz // RATE_HZ)
        self._interval_samples = max(1, interval_samples)
        self._n_best = n_best
        self._is_dirty = False
        self._is_final = False
        self._is_broken = False
        self._samples = 0
        self._pause = Pause()
        self._guesses = Guesses(
            self._interval_samples / RATE_HZ, calibration.partial if calibration else _UNCALIBRATED
        )
        self._begin()

    def _begin(self) -> None:
        if self._is_dirty:
            if not self._is_final:
                self._drop_rest()
            self._kaldi.Reset()
            self._kaldi.SetMaxAlternatives(0)
            self._decoder.earlier_samples += self._samples
        self._is_dirty = False
        self._is_final = False
        self._samples = 0
        self._pause.forget()
        self._since_partial = 0
        self._has_words = False
        self._lattice: list[Word] = []
        self._lattice_due = 0.0
        self._stretch_samples = 0
        self._stretch_seconds = 0.0
        self._first_cost = 0.0
        self._lost_samples = 0
        """Up to this sample, all but the words in ``_done`` was given up."""
        self._done: list[Word] = []
        self._guesses.forget()
        self._upsampler.reset()

    def _drop_rest(self) -> None:
        """Take away what vosk has heard and not decoded yet, up to a third of a second.

        ``Reset`` keeps it for the next utterance, which is another caller's; only a final result
        drops it. Resetting first makes that result cheap.
        """
        with suppress(RecogniserFailedError):
            self._kaldi.Reset()
            self._feed(np.zeros(FRAME_SAMPLES, np.int16))
            self._final()

    def accept(self, pcm: NDArray[np.int16]) -> Partial | None:
        """Take the next samples; see :meth:`asr.recogniser.Recogniser.accept`.

        What costs far more time than speech does fits no Dutch reading: such a stretch is given
        up, so that noise on one line cannot take the processor from all other callers.
        """
        began = self._clock()
        partial = self._accept(pcm)
        self._stretch_seconds += self._clock() - began
        self._stretch_samples += len(pcm)
        if self._stretch_samples >= _STRETCH_SAMPLES:
            self._look_at_costs(self._stretch_seconds * RATE_HZ / self._stretch_samples)
            self._stretch_seconds = 0.0
            self._stretch_samples = 0
        return partial

    def _look_at_costs(self, cost: float) -> None:
        self._first_cost = self._first_cost or cost
        if cost > _DEAREST:
            self._lost_samples = self._samples
            self._start_over()
        elif not self._has_words and cost > max(_DEAREST_UNHEARD, _GROWN * self._first_cost):
            self._start_over()

    def _start_over(self) -> None:
        """Forget what the decoder has not finished; what it had finished stays."""
        self._kaldi.Reset()
        self._lattice, self._lattice_due = [], 0.0
        self._guesses.forget()

    def _accept(self, pcm: NDArray[np.int16]) -> Partial | None:
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise RecogniserFailedError(
                "vosk", f"wants int16 of shape (n,), got {pcm.dtype} of shape {pcm.shape}"
            )
        if not len(pcm):
            return None
        self._feed(pcm)
        self._pause.add(pcm)
        self._since_partial += len(pcm)
        # What was heard long ago is told again each time: of a recording of an hour, less often.
        often = 1 + len(self._done) // _WORDS_OFTEN
        wanted = self._interval_samples * often if self._has_words else FRAME_SAMPLES
        if self._since_partial < wanted:
            return None
        self._since_partial = 0
        # The best path is up to date but has no confidences; the lattice has, and comes later.
        self._kaldi.SetPartialWords(False)
        best = str(self._call("PartialResult").get("partial", "")).split()
        if not best and not self._done:
            return None
        self._has_words = True
        if self._samples >= self._lattice_due:
            self._lattice = self._lattice_words()
            self._lattice_due = self._samples * (1.0 + _LATTICE_SHARE)
        return self._guesses.add(self._done, best, self._lattice, self._samples / RATE_HZ)

    def finish(self) -> Transcript:
        """End the utterance; see :meth:`asr.recogniser.Recogniser.finish`."""
        try:
            return self._finish()
        finally:
            self._begin()

    def _finish(self) -> Transcript:
        if not self._samples:
            return self._transcript([], ())
        missing = int(_FLUSH_SECONDS * RATE_HZ) - self._pause.samples
        if missing > 0:
            self._feed(np.zeros(missing, np.int16))
        # Kaldi gives word confidences or n-best readings, not both: confidences come from a last
        # look at the lattice, the readings from the final result.
        likely = self._lattice_words()
        if self._n_best:
            self._kaldi.SetMaxAlternatives(self._n_best)
            readings = readings_of(self._final(), self._earlier_seconds)
            last = next(
                (likely for reading in readings if joined(reading.words) == joined(likely)),
                with_confidences(readings),
            )
        else:
            readings = []
            last = self._words(self._final(), "result")
        words = [*self._done, *last]
        if self._lost_samples:
            share = max(0.0, 1.0 - self._lost_samples / self._samples)
            words = [replace(word, confidence=word.confidence * share) for word in words]
        if not joined(words) and self._guesses.last_stable[0]:
            return self._fallback()
        if self._done or self._lost_samples or not readings:
            return self._transcript(words, ())
        return self._transcript(
            self._calibrated(words, readings[0].cost), alternatives_of(readings)
        )

    def _calibrated(self, words: list[Word], cost: float) -> list[Word]:
        """Scale all words' confidences so that together they give the calibrated one."""
        plain = utterance_confidence(words)
        if self._calibration is None or not plain:
            return words
        letters = sum(len(word.text) for word in words)
        factor = self._calibration.apply(plain, cost / max(1, letters)) / plain
        return [replace(word, confidence=min(1.0, word.confidence * factor)) for word in words]

    def _fallback(self) -> Transcript:
        """Return the last stable partial: the final was empty although words had been heard."""
        words, confidence = self._guesses.last_stable
        if self._calibration is not None:
            confidence = min(confidence, max(0.0, self._calibration.fallback))
        share = self._samples / RATE_HZ / len(words)
        return Transcript(
            text=" ".join(words),
            confidence=confidence,
            words=tuple(
                Word(word, place * share, (place + 1) * share, confidence)
                for place, word in enumerate(words)
            ),
            alternatives=(),
            engine="vosk",
            model=self._model,
            is_fallback=True,
        )

    def close(self) -> None:
        """Give the decoder back for reuse, unless it failed: it may hold this caller's words."""
        if self._kaldi is not None:
            self._begin()
            if not self._is_broken:
                self._give_back(self._decoder)
            self._kaldi = None

    def _feed(self, pcm: NDArray[np.int16]) -> None:
        if self._kaldi is None:
            raise RecogniserFailedError("vosk", "the recogniser is closed")
        fed = pcm
        if not self._samples:
            fed = np.concatenate([_LEAD, pcm])
            self._decoder.earlier_samples += len(_LEAD)
        self._samples += len(pcm)
        self._is_dirty = True
        try:
            ended = self._kaldi.AcceptWaveform(self._upsampler.feed(fed).tobytes())
        except Exception:  # vosk raises nothing narrower
            self._is_broken = True
            raise RecogniserFailedError("vosk", "could not process audio") from None
        if ended:
            self._done.extend(self._words(self._call("Result"), "result"))
            self._lattice, self._lattice_due = [], 0.0

    def _call(self, method: str) -> dict[str, Any]:
        return parsed(getattr(self._kaldi, method)())

    def _final(self) -> dict[str, Any]:
        result = self._call("FinalResult")
        self._is_final = True
        return result

    def _words(self, result: dict[str, Any], key: str) -> list[Word]:
        return words_of(result, key, self._earlier_seconds)

    @property
    def _earlier_seconds(self) -> float:
        return self._decoder.earlier_samples / RATE_HZ

    def _lattice_words(self) -> list[Word]:
        self._kaldi.SetPartialWords(True)
        return self._words(self._call("PartialResult"), "partial_result")

    def _transcript(self, words: list[Word], alternatives: tuple[Alternative, ...]) -> Transcript:
        text = joined(words)
        return Transcript(
            text=text,
            confidence=utterance_confidence(words) if text else 0.0,
            words=tuple(word for word in words if word.text != UNKNOWN_WORD),
            alternatives=alternatives if text else (),
            engine="vosk",
            model=self._model,
        )
