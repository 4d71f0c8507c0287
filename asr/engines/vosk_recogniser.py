"""Vosk engine: streaming recognition with any model folder that vosk reads.

The only file that imports ``vosk``. Never load vosk in a process that has loaded another OpenFst
build (kaldifst, pynini): it deadlocks while loading.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from threading import Lock
from typing import Any

import vosk

from asr.confidence import Calibration
from asr.engines.vosk_model import (
    EVERYDAY_WORDS,
    REQUIRED,
    check_apart,
    check_language,
    check_parts,
    model_rate_hz,
)
from asr.engines.vosk_stretches import RATE_HZ
from asr.engines.vosk_utterances import Decoder, VoskRecogniser
from asr.errors import ModelDamagedError, RecogniserFailedError
from asr.model_files.files import CHECKSUMS_FILE, verify_model
from asr.model_files.record import read_record
from asr.recogniser import Capabilities

CALIBRATION_FILE = "conf/confidence.json"
_ERRORS_ONLY = -2
_IDLE_KEPT = 32
"""Recognisers kept for reuse; about the concurrent streams of a 2-core machine."""
_RETIRED_SAMPLES = 3600 * RATE_HZ
"""A decoder fed so much is not kept: its clock is a 32-bit number that times are cut from."""


class VoskEngine:
    """A vosk model, shared by its recognisers.

    Args:
        model_dir: The model folder; ``conf/confidence.json`` in it calibrates confidences.
        partial_interval_seconds: Audio between two partials once words were heard; until then
            every packet is looked at, so that the first words are known at once.
        n_best: Readings in a transcript; 0 for none.
        check: Try a folder without checksums or record of ours in a process of its own first. Off
            only in that process.

    Raises:
        ModelMissingError: There is no such folder, or it is not a vosk model.
        ModelDamagedError: A file is missing or differs from its checksum, vosk cannot read it, or
            it is no Dutch model.
    """

    def __init__(
        self,
        model_dir: Path,
        *,
        partial_interval_seconds: float = 0.1,
        n_best: int = 5,
        check: bool = True,
    ) -> None:
        checksum = verify_model(model_dir, REQUIRED)
        check_parts(model_dir)
        self._rate_hz = model_rate_hz(model_dir)
        self.calibration = Calibration.load(model_dir / CALIBRATION_FILE)
        if check and not (model_dir / CHECKSUMS_FILE).is_file() and read_record(model_dir) is None:
            check_apart(model_dir)
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
            self._give_back,
            decoder,
            model=self._name,
            rate_hz=self._rate_hz,
            interval_samples=self._interval_samples,
            n_best=self._n_best,
            calibration=self.calibration,
        )

    def _give_back(self, decoder: Decoder) -> None:
        with self._lock:
            if self._model is None or decoder.fed_samples > _RETIRED_SAMPLES:
                return
            if len(self._idle) < _IDLE_KEPT:
                self._idle.append(decoder)

    def close(self) -> None:
        """Free the model when its last recogniser is gone."""
        with self._lock:
            self._idle.clear()
            self._model = None
