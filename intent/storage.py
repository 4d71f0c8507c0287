"""A model as files: arrays and JSON, nothing that executes code.

A model folder holds ``model.npz`` (arrays without pickled objects), ``model.json`` (the card of
this version) and ``SHA256SUMS`` over both and over any plots. A version trained with sentence
embeddings carries their network and vocabulary too. Nothing is read before its sum is checked.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from intent.embeddings import Embedder
from intent.errors import ModelError
from intent.features import FeatureSpace
from intent.language import LanguageModel
from intent.model import Calibration, Model

FORMAT: Final = 2
ARRAYS: Final = "model.npz"
CARD: Final = "model.json"
SUMS: Final = "SHA256SUMS"
EMBEDDING_NETWORK: Final = "embeddings.onnx"
EMBEDDING_VOCABULARY: Final = "embeddings-vocab.txt"

_RETRAIN: Final = "train again with 'wegwijs train' or roll back with 'wegwijs models rollback'"


def save_model(directory: Path, model: Model, card: Mapping[str, Any]) -> str:
    """Write a model folder.

    Args:
        directory: Must exist; files of the same names are replaced.
        model: What was trained.
        card: JSON-serialisable facts about it; ``version`` and ``format`` are added.

    Returns:
        The version: ``nl-`` and the first 12 hexadecimal digits of the SHA-256 over the arrays, so
        that two models of one version are equal to the last bit. The card does not count.
    """
    arrays: dict[str, NDArray[Any]] = {
        "vocabulary": _pack(model.features.vocabulary),
        "idf": model.features.idf.astype(np.float16),
        "weights": model.weights.astype(np.float16),
        "bias": model.bias.astype(np.float32),
        "labels": _pack(model.labels),
        "languages": _pack(model.languages.languages),
        "language_vocabulary": _pack(model.languages.vocabulary),
        "language_weights": model.languages.weights.astype(np.float16),
        "head": np.array(astuple(model.calibration), dtype=np.float64),
        "example_texts": _pack(text for text, _ in model.examples),
        "example_labels": _pack(label for _, label in model.examples),
    }
    if model.embedder is not None and model.embedding_weights is not None:
        arrays["embedding_weights"] = model.embedding_weights.astype(np.float16)
        arrays["embedding_digest"] = _pack([model.embedder.digest])
        (directory / EMBEDDING_NETWORK).write_bytes(model.embedder.network)
        (directory / EMBEDDING_VOCABULARY).write_bytes(model.embedder.vocabulary)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    version = "nl-" + _fingerprint(arrays)[:12]
    (directory / ARRAYS).write_bytes(buffer.getvalue())
    text = json.dumps(
        {"version": version, "format": FORMAT, **card}, ensure_ascii=False, indent=1, sort_keys=True
    )
    (directory / CARD).write_text(text + "\n", encoding="utf-8")
    write_sums(directory)
    return version


def _fingerprint(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return SHA-256 over the arrays: not over their file, which zlib's version compresses."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_sums(directory: Path) -> None:
    """Write ``SHA256SUMS`` over every other file of a model folder."""
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in sorted(directory.iterdir())
        if file.is_file() and file.name != SUMS and file.suffix != ".md"
    ]
    (directory / SUMS).write_text("".join(lines), encoding="ascii")


def read_checked(directory: Path, name: str) -> bytes:
    """Return the content of a file whose SHA-256 is as recorded.

    Raises:
        ModelError: The file or the sums are missing, or they do not agree.
    """
    try:
        sums: dict[str, str] = {}
        for line in (directory / SUMS).read_text(encoding="ascii").splitlines():
            digest, file = line.split("  ", 1)
            sums[file] = digest
        content = (directory / name).read_bytes()
    except OSError as error:
        missing = error.filename or directory
        raise ModelError(
            directory, "missing", f"has no readable {Path(missing).name}", remedy=_RETRAIN
        ) from None
    except ValueError:
        raise ModelError(
            directory, "damaged", f"has an unreadable {SUMS}", remedy=_RETRAIN
        ) from None
    if sums.get(name) != hashlib.sha256(content).hexdigest():
        raise ModelError(
            directory / name, "damaged", f"does not have the SHA-256 of {SUMS}", remedy=_RETRAIN
        )
    return content


def read_card(directory: Path) -> dict[str, Any]:
    """Return the card of a model folder.

    Raises:
        ModelError: It is missing, damaged or of another format.
    """
    content = read_checked(directory, CARD)
    try:
        card = json.loads(content)
        found = card["format"]
        str(card["version"])
    except (ValueError, KeyError, TypeError):
        raise ModelError(
            directory / CARD, "damaged", "is not the card of a model", remedy=_RETRAIN
        ) from None
    if found != FORMAT:
        raise ModelError(
            directory / CARD, "version",
            f"has format {found!r}, this release reads format {FORMAT}", remedy=_RETRAIN,
        )  # fmt: skip
    return dict(card)


def read_whole(directory: Path) -> dict[str, Any]:
    """Return the card of a model folder after checking every file that a classifier reads.

    Raises:
        ModelError: One is missing, damaged or of another format.
    """
    card = read_card(directory)
    embeddings = (EMBEDDING_NETWORK, EMBEDDING_VOCABULARY) if card.get("embeddings") else ()
    for name in (ARRAYS, *embeddings):
        read_checked(directory, name)
    return card


def load_model(directory: Path) -> tuple[Model, dict[str, Any]]:
    """Read a model folder after checking its sums.

    Returns:
        The model and its card.

    Raises:
        ModelError: Missing, damaged or of another format.
    """
    card = read_card(directory)
    content = read_checked(directory, ARRAYS)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            vocabulary = _unpack(arrays["vocabulary"])
            model = Model(
                labels=tuple(_unpack(arrays["labels"])),
                features=FeatureSpace(
                    {f: i for i, f in enumerate(vocabulary)}, arrays["idf"].astype(np.float32)
                ),
                weights=arrays["weights"].astype(np.float32),
                bias=arrays["bias"],
                languages=LanguageModel(
                    tuple(_unpack(arrays["languages"])),
                    {g: i for i, g in enumerate(_unpack(arrays["language_vocabulary"]))},
                    arrays["language_weights"].astype(np.float32),
                ),
                calibration=Calibration.of(arrays["head"].tolist()),
                examples=tuple(
                    zip(
                        _unpack(arrays["example_texts"]),
                        _unpack(arrays["example_labels"]),
                        strict=True,
                    )
                ),
            )
            if "embedding_weights" in arrays:
                trained_on = _unpack(arrays["embedding_digest"])[0]
                embedding_weights = arrays["embedding_weights"].astype(np.float32)
            else:
                trained_on, embedding_weights = "", None
    except (KeyError, ValueError, TypeError, OSError, zipfile.BadZipFile):
        raise ModelError(
            directory / ARRAYS, "damaged", "is not a model of this format", remedy=_RETRAIN
        ) from None
    if model.weights.shape != (len(vocabulary), len(model.labels)):
        raise ModelError(
            directory / ARRAYS, "damaged", "has weights of another shape", remedy=_RETRAIN
        )
    if embedding_weights is not None:
        embedder = _read_embedder(directory, trained_on)
        if embedding_weights.shape != (embedder.size, len(model.labels)):
            raise ModelError(
                directory / EMBEDDING_NETWORK, "damaged", "gives vectors of another size",
                remedy=_RETRAIN,
            )  # fmt: skip
        model = replace(model, embedder=embedder, embedding_weights=embedding_weights)
    return model, card


def _read_embedder(directory: Path, trained_on: str) -> Embedder:
    """Read the embedding model that a version carries.

    Raises:
        ModelError: It is missing, another one than it was trained on, or cannot be run here.
    """
    embedder = Embedder(
        read_checked(directory, EMBEDDING_NETWORK),
        read_checked(directory, EMBEDDING_VOCABULARY),
        directory,
    )
    if embedder.digest != trained_on:
        raise ModelError(
            directory / EMBEDDING_NETWORK, "damaged",
            f"has the hash {embedder.digest[:12]}, the version was trained on {trained_on[:12]}",
            remedy=_RETRAIN,
        )  # fmt: skip
    return embedder


def _pack(texts: Any) -> NDArray[np.uint8]:
    """Return texts without line breaks as UTF-8 octets."""
    return np.frombuffer("\n".join(texts).encode(), dtype=np.uint8)


def _unpack(octets: NDArray[np.uint8]) -> list[str]:
    text = octets.tobytes().decode()
    return text.split("\n") if text else []
