"""Loading a Whisper model: a folder in CTranslate2's form, checked before and after.

Models come from a folder only; nothing here ever asks a hub.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel

from asr.errors import EngineUnavailableError, ModelDamagedError, ModelMissingError
from asr.model_files.files import CHECKSUMS_FILE, verify_model
from asr.model_files.identity import quick_checksum

LANGUAGE = "nl"
INSTALL = "install a Whisper model with: wegwijs models install NAME, and name its folder"
_REQUIRED = ("model.bin", "config.json", "tokenizer.json")
_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
_SPECIAL_TOKENS = ("<|startoftranscript|>", f"<|{LANGUAGE}|>", "<|transcribe|>", "<|notimestamps|>")
_LOADING_FAILED = (RuntimeError, ValueError, MemoryError)
"""What CTranslate2 raises; lengths that a damaged file claims may be beyond any memory."""


def check_folder(folder: Path) -> str:
    """Check that a folder looks like a whole model.

    Returns:
        A short checksum; with ``checksums.sha256`` in the folder, all files were read for it.

    Raises:
        ModelMissingError: There is no such folder, or it lacks what every Whisper model has.
        ModelDamagedError: A file is no JSON, or differs from its checksum.
    """
    if not folder.is_dir():
        raise ModelMissingError(folder, f"check the path, or {INSTALL}")
    for name in _REQUIRED:
        if not (folder / name).is_file():
            raise ModelMissingError(
                folder / name, f"a Whisper model in CTranslate2's form has one; {INSTALL}"
            )
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        raise ModelMissingError(folder / _VOCABULARIES[0], INSTALL)
    for name in ("config.json", "tokenizer.json", "preprocessor_config.json"):
        path = folder / name
        try:
            if path.is_file() and not isinstance(json.loads(path.read_bytes()), dict):
                raise ValueError
        except (OSError, ValueError):
            raise ModelDamagedError(path, "is not a JSON object", INSTALL) from None
    if (folder / CHECKSUMS_FILE).is_file():
        return verify_model(folder, _REQUIRED)
    return quick_checksum(folder)


def load_model(folder: Path, device: str, threads: int, workers: int) -> Any:
    """Load a model that :func:`check_folder` found whole.

    Args:
        folder: The model folder.
        device: ``cpu``, ``cuda``, or ``auto`` for a GPU when there is one that works.
        threads: Processor threads of one worker.
        workers: Utterances at once.

    Returns:
        A ``faster_whisper.WhisperModel``.

    Raises:
        ModelDamagedError: A file is damaged, or belongs to another kind of model.
        EngineUnavailableError: A GPU was asked for and none works, or the model knows no Dutch.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise EngineUnavailableError(
            "whisper", f"there is no device {device!r}", "choose auto, cpu or cuda"
        )
    if device != "cpu" and ctranslate2.get_cuda_device_count() > 0:
        try:
            return _load_on("cuda", folder, threads, workers)
        except _LOADING_FAILED:
            # CUDA's libraries are loaded late, and are often missing or of another version.
            if device == "cuda":
                raise EngineUnavailableError(
                    "whisper",
                    "the GPU or CUDA's libraries do not work with this model",
                    'install cuBLAS and cuDNN as CTranslate2 documents it, or choose device "cpu"',
                ) from None
    elif device == "cuda":
        raise EngineUnavailableError("whisper", "there is no GPU", 'choose device "auto" or "cpu"')
    try:
        return _load_on("cpu", folder, threads, workers)
    except _LOADING_FAILED:
        raise ModelDamagedError(
            folder, "CTranslate2 cannot load it as a Whisper model", INSTALL
        ) from None


def _load_on(device: str, folder: Path, threads: int, workers: int) -> Any:
    wanted = "float16" if device == "cuda" else "int8"
    able = ctranslate2.get_supported_compute_types(device)
    try:
        whisper = WhisperModel(
            str(folder.resolve()),
            device=device,
            compute_type=wanted if wanted in able else "float32",
            cpu_threads=threads,
            num_workers=workers,
            local_files_only=True,
        )
    except _LOADING_FAILED:
        raise
    except Exception:  # tokenizers raises nothing narrower
        raise ModelDamagedError(folder / "tokenizer.json", "cannot be read", INSTALL) from None
    _check_parts(whisper, folder)
    if device == "cuda":
        bands, frames = whisper.model.n_mels, whisper.feature_extractor.nb_max_frames
        whisper.encode(np.zeros((bands, frames), np.float32))
    return whisper


def _check_parts(whisper: Any, folder: Path) -> None:
    """Refuse a model that is not multilingual, and files that belong to different models."""
    if not whisper.model.is_multilingual:
        raise EngineUnavailableError("whisper", f"{folder} knows English only", INSTALL)
    missing = [name for name in _SPECIAL_TOKENS if whisper.hf_tokenizer.token_to_id(name) is None]
    if missing:
        raise ModelDamagedError(
            folder / "tokenizer.json", f"has no token {missing[0]}: it is not Whisper's", INSTALL
        )
    bands = len(whisper.feature_extractor.mel_filters)
    if bands != whisper.model.n_mels:
        raise ModelDamagedError(
            folder / "preprocessor_config.json",
            f"gives {bands} bands of sound and the model wants {whisper.model.n_mels}",
            INSTALL,
        )
