"""sherpa-onnx engine: the strongest models that run on a processor, streaming or not.

The only file that imports ``sherpa_onnx``. Which kind of model lies in the folder is read from its
files (:mod:`asr.engines.sherpa_models`). sherpa-onnx ends the whole process when it meets a model
it did not expect, so a model is loaded first in a process of its own
(:mod:`asr.engines.apart`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Any

import sherpa_onnx
from sherpa_onnx.lib import _sherpa_onnx as native

from asr.engines.apart import Ending, try_apart
from asr.engines.sherpa_models import REMEDY, Kind, SherpaModel, read_model
from asr.engines.sherpa_streams import OfflineRecogniser, SherpaRecogniser, StreamingRecogniser
from asr.errors import ModelDamagedError, RecogniserFailedError
from asr.recogniser import Capabilities

_WAIT_SECONDS = 30.0
"""Longest wait for a processor while other calls use them all."""


class SherpaEngine:
    """A model for sherpa-onnx, shared by its recognisers.

    A model that is not streaming gives no partials; it reads the utterance at its end.

    Args:
        model_dir: The model folder.
        threads: Processor threads for one decoding; None for one when streaming, else for half of
            the processors, at most four.
        check: Load the model in a process of its own first. Off only in that process.

    Raises:
        ModelMissingError: There is no such folder, or no model that the engine runs.
        ModelDamagedError: A file is missing, damaged or foreign, or sherpa-onnx cannot load it.
    """

    def __init__(self, model_dir: Path, *, threads: int | None = None, check: bool = True) -> None:
        found = read_model(model_dir)
        processors = len(os.sched_getaffinity(0))
        if threads is None:
            threads = 1 if found.kind.is_streaming else min(4, max(1, processors // 2))
        if check:
            trial = try_apart("sherpa", model_dir, {"threads": threads})
            if trial.ending is not Ending.LOADED:
                raise ModelDamagedError(model_dir, trial.sentence("sherpa-onnx"), REMEDY)
        self._found = found
        try:
            self._native: Any = _load(found, threads)
        except Exception:  # sherpa-onnx raises whatever its libraries do
            raise ModelDamagedError(model_dir, "sherpa-onnx cannot load it", REMEDY) from None
        self._name = f"{model_dir.resolve().name}@{found.checksum}"
        self._lock = Lock()
        self._processors = BoundedSemaphore(max(1, processors // threads))

    @property
    def name(self) -> str:
        """Always ``sherpa``."""
        return "sherpa"

    @property
    def model(self) -> str:
        """Folder name and short checksum."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """What the model in the folder can do.

        CTC models and Whisper tell no probabilities through sherpa-onnx: their words all carry
        :data:`asr.engines.sherpa_words.UNMEASURED_CONFIDENCE`. ``mul`` is a model that finds the
        language out by itself and cannot be told it, as Parakeet v3; text in another language may
        come.
        """
        kind = self._found.kind
        is_free = self._found.languages > 1 and kind is not Kind.WHISPER
        return Capabilities(
            streaming=kind.is_streaming,
            word_confidence=not kind.is_ctc and kind is not Kind.WHISPER,
            alternatives=False,
            sample_rate_hz=self._found.sample_rate_hz,
            language="mul" if is_free else "nl",
        )

    def open(self) -> SherpaRecogniser:
        """Return a recogniser.

        Raises:
            RecogniserFailedError: The engine is closed, or sherpa-onnx cannot make one.
        """
        with self._lock:
            loaded = self._native
        if loaded is None:
            raise RecogniserFailedError(self.name, "the engine is closed")
        made = StreamingRecogniser if self._found.kind.is_streaming else OfflineRecogniser
        return made(loaded, self._found, self._name, self._processor)

    @contextmanager
    def _processor(self) -> Iterator[None]:
        """Wait for a processor, so that many calls do not slow each other down to a halt."""
        if not self._processors.acquire(timeout=_WAIT_SECONDS):
            raise RecogniserFailedError(self.name, "too many calls are being recognised")
        try:
            yield
        finally:
            self._processors.release()

    def close(self) -> None:
        """Free the model when its last recogniser is gone."""
        with self._lock:
            self._native = None


def _load(found: SherpaModel, threads: int) -> Any:
    """Let sherpa-onnx load a model."""
    files = [str(file) for file in found.files]
    common: dict[str, Any] = {"tokens": str(found.tokens), "num_threads": threads}
    features = {"sample_rate": found.sample_rate_hz, "feature_dim": found.feature_dim}
    offline, online = sherpa_onnx.OfflineRecognizer, sherpa_onnx.OnlineRecognizer
    match found.kind:
        case Kind.TRANSDUCER | Kind.NEMO_TRANSDUCER | Kind.STREAMING_TRANSDUCER:
            common |= dict(zip(("encoder", "decoder", "joiner"), files, strict=True)) | features
            if found.kind is Kind.STREAMING_TRANSDUCER:
                # Probabilities as the model gives them, not flattened.
                return online.from_transducer(**common, temperature_scale=1.0)
            model_type = found.kind.value.replace(" ", "_")
            return offline.from_transducer(**common, model_type=model_type)
        case Kind.WHISPER:
            return offline.from_whisper(
                encoder=files[0], decoder=files[1], **common, language="nl", task="transcribe"
            )
        case Kind.TDNN_CTC:
            return _load_tdnn(found, files[0], threads)
        case Kind.STREAMING_T_ONE_CTC:
            return online.from_t_one_ctc(model=files[0], **common, sample_rate=found.sample_rate_hz)
        case Kind.STREAMING_WENET_CTC:
            return online.from_wenet_ctc(
                model=files[0],
                **common,
                **features,
                chunk_size=found.facts.number("chunk_size", 16),
                num_left_chunks=found.facts.number("left_chunks", 4),
            )
    makers = {
        Kind.NEMO_CTC: offline.from_nemo_ctc,
        Kind.ZIPFORMER_CTC: offline.from_zipformer_ctc,
        Kind.WENET_CTC: offline.from_wenet_ctc,
        Kind.STREAMING_ZIPFORMER_CTC: online.from_zipformer2_ctc,
        Kind.STREAMING_NEMO_CTC: online.from_nemo_ctc,
    }
    return makers[found.kind](model=files[0], **common, **features)


def _load_tdnn(found: SherpaModel, file: str, threads: int) -> Any:
    """Load a TDNN; our own export tells in its metadata how its features are computed."""
    facts = found.facts
    config = sherpa_onnx.OfflineRecognizerConfig(
        feat_config=sherpa_onnx.FeatureExtractorConfig(
            sampling_rate=found.sample_rate_hz,
            feature_dim=found.feature_dim,
            low_freq=facts.number("low_freq", 20),
            high_freq=facts.number("high_freq", -400),
            normalize_samples=bool(facts.number("normalize_samples", 1)),
            snip_edges=bool(facts.number("snip_edges", 0)),
        ),
        model_config=sherpa_onnx.OfflineModelConfig(
            tdnn=sherpa_onnx.OfflineTdnnModelConfig(model=file),
            tokens=str(found.tokens),
            num_threads=threads,
            model_type="tdnn",
        ),
        decoding_method="greedy_search",
    )
    return native.OfflineRecognizer(config)
