"""One utterance after another over a decoder of vosk: partials, stretches, the final result.

Knows no engine: :mod:`asr.engines.vosk_recogniser` makes the decoders and keeps idle ones.
"""

from __future__ import annotations

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
from asr.engines.vosk_stretches import RATE_HZ, REPEATED_SAMPLES, Next, Stretch
from asr.errors import RecogniserFailedError
from asr.readings import alternatives_of, followed, joined, with_confidences
from asr.recogniser import Alternative, Partial, Transcript, Word
from asr.resample import Upsampler

_FLUSH_SECONDS = 0.45
"""Quiet given at the end: the network looks ahead 0.2 s, and Kaldi makes the part of its lattice
that word confidences come from up to 12 outputs of 30 ms late. What the caller's own pause gave
already is not given again: it would be computed while the caller waits."""
_LEAD = np.zeros(RATE_HZ // 10, np.int16)
"""Quiet given before an utterance: who speaks at once is heard as who takes a breath first. Of all
lengths within one chunk of the embedded model (120 ms) it is the one after which the first words
are known earliest when speech begins with the first packet."""
_LATTICE_SHARE = 0.02
"""How much longer the utterance is when its lattice is looked at again: every 100 ms in the first
five seconds, less often later, since each look is at all of it."""
_WORDS_OFTEN = 100
_UNCALIBRATED = PartialCalibration()


@dataclass(slots=True)
class Decoder:
    """A Kaldi decoder, and how many samples it was fed, at 8000 Hz.

    Its clock runs on through ``Reset``: the words of a second utterance would start where the
    first one ended.
    """

    kaldi: Any
    fed_samples: int = 0


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
        stretch: Stretch | None = None,
    ) -> None:
        self._give_back = give_back
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
        self._pause = Pause()
        self._stretch = stretch or Stretch()
        self._guesses = Guesses(
            self._interval_samples / RATE_HZ, calibration.partial if calibration else _UNCALIBRATED
        )
        self._begin()

    def _begin(self) -> None:
        if self._is_dirty:
            if not self._is_final:
                with suppress(RecogniserFailedError):
                    self._drop_rest()
            self._kaldi.Reset()
            self._kaldi.SetMaxAlternatives(0)
        self._is_dirty = False
        self._is_final = False
        self._samples = 0
        self._waiting = np.zeros(0, np.int16)
        """Less than a frame: what vosk gets does not depend on how the samples came."""
        self._latest = np.zeros(0, np.int16)
        """What is given once more when the decoder starts anew."""
        self._earlier_samples = self._decoder.fed_samples
        """On the decoder's clock when the utterance began."""
        self._pause.forget()
        self._since_partial = 0
        self._has_words = False
        self._lattice: list[Word] = []
        self._lattice_due = 0.0
        self._done: list[Word] = []
        self._done_alternatives: tuple[Alternative, ...] = ()
        self._stretch.begin(-len(_LEAD))
        self._guesses.forget()
        self._upsampler.reset()

    def _drop_rest(self) -> None:
        """Take away what vosk has heard and not decoded yet, up to a third of a second.

        ``Reset`` keeps it for the next utterance, which is another caller's; only a final result
        drops it. Resetting first makes that result cheap.
        """
        self._kaldi.Reset()
        self._decode(np.zeros(FRAME_SAMPLES, np.int16))
        self._final()

    def accept(self, pcm: NDArray[np.int16]) -> Partial | None:
        """Take the next samples; see :meth:`asr.recogniser.Recogniser.accept`."""
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise RecogniserFailedError(
                "vosk", f"wants int16 of shape (n,), got {pcm.dtype} of shape {pcm.shape}"
            )
        if self._kaldi is None:
            raise RecogniserFailedError("vosk", "the recogniser is closed")
        pcm = np.concatenate([self._waiting, pcm])
        whole = len(pcm) - len(pcm) % FRAME_SAMPLES
        self._waiting = pcm[whole:]
        latest: Partial | None = None
        for start in range(0, whole, FRAME_SAMPLES):
            latest = self._hear(pcm[start : start + FRAME_SAMPLES]) or latest
        return latest

    def _hear(self, pcm: NDArray[np.int16]) -> Partial | None:
        """Take a frame."""
        self._feed(pcm)
        self._pause.add(pcm)
        self._latest = np.concatenate([self._latest, pcm])[-REPEATED_SAMPLES:]
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
        partial = self._guess(best) if best or self._done else None
        match self._stretch.look(self._samples, best, self._lattice):
            case Next.REPEAT_END:
                self._start_over()
            case Next.KEEP_WORDS:
                self._keep_words()
        return partial

    def _guess(self, best: list[str]) -> Partial:
        self._has_words = True
        if self._samples >= self._lattice_due:
            self._lattice = self._lattice_words()
            length = self._samples - self._stretch.began
            self._lattice_due = self._samples + _LATTICE_SHARE * length
        return self._guesses.add(self._done, best, self._lattice, self._samples / RATE_HZ)

    def _start_over(self) -> None:
        """Let the decoder forget a stretch in which it heard no word, all but its end."""
        self._drop_rest()
        self._upsampler.reset()
        began = self._samples - len(self._latest)
        self._earlier_samples = self._decoder.fed_samples - began
        self._decode(self._latest)
        self._begin_stretch(began)

    def _keep_words(self) -> None:
        """Take the words heard as final, and let the decoder start anew after them."""
        words, alternatives = self._final_words()
        self._kaldi.SetMaxAlternatives(0)
        self._done.extend(words)
        self._done_alternatives = followed(self._done_alternatives, alternatives, self._n_best)
        self._begin_stretch(self._samples)

    def _begin_stretch(self, began: int) -> None:
        self._stretch.begin(began)
        self._lattice, self._lattice_due = [], 0.0
        self._guesses.begin_stretch()

    def finish(self) -> Transcript:
        """End the utterance; see :meth:`asr.recogniser.Recogniser.finish`."""
        try:
            return self._finish()
        finally:
            self._begin()

    def _finish(self) -> Transcript:
        if len(self._waiting):
            self._feed(self._waiting)
            self._pause.add(self._waiting)
        if not self._samples:
            return self._transcript([], ())
        missing = int(_FLUSH_SECONDS * RATE_HZ) - self._pause.samples
        if missing > 0:
            self._feed(np.zeros(missing, np.int16))
        last, alternatives = self._final_words()
        words = [*self._done, *last]
        if not joined(words) and self._guesses.last_stable[0]:
            return self._fallback()
        return self._transcript(
            words, followed(self._done_alternatives, alternatives, self._n_best)
        )

    def _final_words(self) -> tuple[list[Word], tuple[Alternative, ...]]:
        """End the stretch: its words, calibrated, and its readings.

        Kaldi gives word confidences or n-best readings, not both: confidences come from a last
        look at the lattice, the readings from the final result.
        """
        likely = self._lattice_words()
        if not self._n_best:
            return self._words(self._final(), "result"), ()
        self._kaldi.SetMaxAlternatives(self._n_best)
        readings = readings_of(self._final(), self._earlier_seconds)
        if not readings:
            return [], ()
        is_among = any(joined(reading.words) == joined(likely) for reading in readings)
        words = likely if is_among else with_confidences(readings)
        return self._calibrated(words, readings[0].cost), alternatives_of(readings)

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
        """Give the decoder the next samples of the utterance."""
        if not self._samples:
            self._decode(_LEAD)
            self._earlier_samples = self._decoder.fed_samples
        self._samples += len(pcm)
        if self._decode(pcm):
            words = self._words(self._call("Result"), "result")
            self._done.extend(words)
            if self._n_best and (text := joined(words)):
                said = (Alternative(text, 1.0),)
                self._done_alternatives = followed(self._done_alternatives, said, self._n_best)
            self._stretch.begin(self._samples)
            self._lattice, self._lattice_due = [], 0.0

    def _decode(self, pcm: NDArray[np.int16]) -> bool:
        """Let Kaldi hear samples; whether it takes the utterance for ended."""
        if self._kaldi is None:
            raise RecogniserFailedError("vosk", "the recogniser is closed")
        self._decoder.fed_samples += len(pcm)
        self._is_dirty = True
        self._is_final = False
        try:
            return bool(self._kaldi.AcceptWaveform(self._upsampler.feed(pcm).tobytes()))
        except Exception:  # vosk raises nothing narrower
            self._is_broken = True
            raise RecogniserFailedError("vosk", "could not process audio") from None

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
        return self._earlier_samples / RATE_HZ

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
