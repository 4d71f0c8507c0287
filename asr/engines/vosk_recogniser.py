"""Vosk engine: streaming recognition with any model folder that vosk reads.

The only file that imports ``vosk``. Never load vosk in a process that has loaded another OpenFst
build (kaldifst, pynini): it deadlocks while loading.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import vosk
from numpy.typing import NDArray

from asr.confidence import (
    UNKNOWN_WORD,
    Calibration,
    PartialCalibration,
    utterance_confidence,
)
from asr.engines.partials import Guesses
from asr.engines.pause import FRAME_SAMPLES, Pause
from asr.engines.vosk_model import (
    EVERYDAY_WORDS,
    REQUIRED,
    check_language,
    check_parts,
    model_rate_hz,
    try_apart,
)
from asr.engines.vosk_results import parsed, readings_of, words_of
from asr.errors import ModelDamagedError, RecogniserFailedError
from asr.models.files import CHECKSUMS_FILE, verify_model
from asr.models.record import read_record
from asr.readings import alternatives_of, joined, with_confidences
from asr.recogniser import Alternative, Capabilities, Partial, Transcript, Word
from asr.resample import Upsampler

RATE_HZ = 8000
CALIBRATION_FILE = "conf/confidence.json"
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
_ERRORS_ONLY = -2
_UNCALIBRATED = PartialCalibration()
_IDLE_KEPT = 32
"""Recognisers kept for reuse; about the concurrent streams of a 2-core machine."""
_RETIRED_SAMPLES = 3600 * RATE_HZ
"""A decoder fed so much is not kept: its clock is a 32-bit number that times are cut from."""


@dataclass(slots=True)
class Decoder:
    """A Kaldi decoder, and what it was fed before the utterance of now.

    Its clock runs on through ``Reset``: the words of a second utterance would start where the
    first one ended.
    """

    kaldi: Any
    earlier_samples: int = 0


class VoskEngine:
    """A vosk model, shared by its recognisers.

    Args:
        model_dir: The model folder; ``conf/confidence.json`` in it calibrates confidences.
        partial_interval_seconds: Audio between two partials once words were heard; until then
            every packet is looked at, so that the first words are known at once.
        n_best: Readings in a transcript; 0 for none.

    Raises:
        ModelMissingError: There is no such folder, or it is not a vosk model.
        ModelDamagedError: A file is missing or differs from its checksum, vosk cannot read it, or
            it is no Dutch model.
    """

    def __init__(
        self, model_dir: Path, *, partial_interval_seconds: float = 0.1, n_best: int = 5
    ) -> None:
        checksum = verify_model(model_dir, REQUIRED)
        check_parts(model_dir)
        self._rate_hz = model_rate_hz(model_dir)
        self.calibration = Calibration.load(model_dir / CALIBRATION_FILE)
        if not (model_dir / CHECKSUMS_FILE).is_file() and read_record(model_dir) is None:
            try_apart(model_dir)
        vosk.SetLogLevel(_ERRORS_ONLY)
        try:
            self._model: Any = vosk.Model(str(model_dir))
        except Exception:  # vosk raises nothing narrower
            raise ModelDamagedError(
                model_dir, "vosk cannot load it", "restore the folder, or name another model"
            ) from None
        self._name = f"{model_dir.resolve().name}@{checksum}"
        known = sum(self._model.vosk_model_find_word(word) >= 0 for word in EVERYDAY_WORDS)
        check_language(model_dir, known)
        self._interval_samples = int(partial_interval_seconds * RATE_HZ)
        self._n_best = n_best
        self._idle: deque[Decoder] = deque()
        self._lock = Lock()

    @property
    def name(self) -> str:
        """Always ``vosk``."""
        return "vosk"

    @property
    def model(self) -> str:
        """Folder name and short checksum."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """Streaming Dutch with word confidences and alternatives."""
        return Capabilities(
            streaming=True,
            word_confidence=True,
            alternatives=self._n_best > 0,
            sample_rate_hz=self._rate_hz,
            language="nl",
        )

    def open(self) -> VoskRecogniser:
        """Return a recogniser, reused when one is idle.

        Raises:
            RecogniserFailedError: The engine is closed, or vosk cannot make one.
        """
        with self._lock:
            if self._model is None:
                raise RecogniserFailedError(self.name, "the engine is closed")
            decoder = self._idle.popleft() if self._idle else None
        if decoder is None:
            try:
                kaldi = vosk.KaldiRecognizer(self._model, float(self._rate_hz))
            except Exception:  # vosk raises nothing narrower
                raise RecogniserFailedError(self.name, "vosk made no recogniser") from None
            kaldi.SetWords(True)
            decoder = Decoder(kaldi)
        return VoskRecogniser(
            self,
            decoder,
            model=self._name,
            rate_hz=self._rate_hz,
            interval_samples=self._interval_samples,
            n_best=self._n_best,
            calibration=self.calibration,
        )

    def _give_back(self, decoder: Decoder) -> None:
        with self._lock:
            if self._model is None or decoder.earlier_samples > _RETIRED_SAMPLES:
                return
            if len(self._idle) < _IDLE_KEPT:
                self._idle.append(decoder)

    def close(self) -> None:
        """Free the model when its last recogniser is gone."""
        with self._lock:
            self._idle.clear()
            self._model = None


class VoskRecogniser:
    """One utterance at a time over a Kaldi decoder. Made by :meth:`VoskEngine.open`."""

    def __init__(
        self,
        engine: VoskEngine,
        decoder: Decoder,
        *,
        model: str,
        rate_hz: int,
        interval_samples: int,
        n_best: int,
        calibration: Calibration | None = None,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._engine = engine
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
                self._engine._give_back(self._decoder)
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


def _try(model_dir: Path) -> None:
    """Load a folder that nobody vouches for and let it hear noise; ends the process if it can."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    vosk.SetLogLevel(0)
    rate_hz = model_rate_hz(model_dir)
    kaldi = vosk.KaldiRecognizer(vosk.Model(str(model_dir)), float(rate_hz))
    kaldi.SetWords(True)
    kaldi.SetPartialWords(True)
    noise = np.random.default_rng(1).normal(0, 2000, rate_hz)
    for part in np.array_split(noise.astype(np.int16), 5):
        kaldi.AcceptWaveform(part.tobytes())
        json.loads(kaldi.PartialResult())
    kaldi.SetMaxAlternatives(2)
    json.loads(kaldi.FinalResult())


if __name__ == "__main__":
    _try(Path(sys.argv[1]))
