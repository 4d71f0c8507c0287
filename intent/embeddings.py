"""Sentence embeddings from a local ONNX model: the optional extra ``embeddings``.

A folder with ``model.onnx`` (a BERT-like encoder exported for feature extraction) and ``vocab.txt``
(its WordPiece vocabulary, uncased) gives one vector for a text. Words and letters say what was
said; an embedding trained on much Dutch may say what is alike in meaning. Nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from intent.arithmetic import dot
from intent.errors import ModelError

NETWORK: Final = "model.onnx"
VOCABULARY: Final = "vocab.txt"

LENGTH: Final = 1.0
"""Length of a vector beside the word block of length one."""

_MAX_PIECES: Final = 128
_LONGEST_WORD: Final = 100
_INPUTS: Final = frozenset({"input_ids", "attention_mask", "token_type_ids"})
_INSTALL: Final = "run pip install 'wegwijs[embeddings]', or use a version without embeddings"
_EXPORT: Final = "export a BERT-like encoder for feature extraction, with its uncased vocab.txt"


class Embedder:
    """Text to vector with onnxruntime on one core. Safe to call from several threads.

    Args:
        network: The ONNX file's content.
        vocabulary: One WordPiece a line, in the order of its numbers.
        source: Named in errors.

    Raises:
        ModelError: The extra is not installed, or the files are not such a model.
    """

    def __init__(self, network: bytes, vocabulary: bytes, source: Path) -> None:
        if find_spec("onnxruntime") is None:
            raise ModelError(
                source, "extra", "needs onnxruntime for sentence embeddings", remedy=_INSTALL
            )
        import onnxruntime

        try:
            self._pieces = {p: i for i, p in enumerate(vocabulary.decode().splitlines())}
            self._first, self._last = self._pieces["[CLS]"], self._pieces["[SEP]"]
            self._unknown = self._pieces["[UNK]"]
        except (UnicodeDecodeError, KeyError):
            raise ModelError(
                source / VOCABULARY, "damaged", "is no WordPiece vocabulary in UTF-8 with [CLS], "
                "[SEP] and [UNK]", remedy=_EXPORT,
            ) from None  # fmt: skip
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        settings.log_severity_level = 4
        try:
            self._session: Any = onnxruntime.InferenceSession(
                network, settings, providers=["CPUExecutionProvider"]
            )
        except Exception:  # onnxruntime raises nothing narrower
            raise ModelError(
                source / NETWORK, "damaged", "is no ONNX model that onnxruntime can run",
                remedy=_EXPORT,
            ) from None  # fmt: skip
        self._inputs = {node.name for node in self._session.get_inputs()}
        self.network, self.vocabulary = network, vocabulary
        self.digest = hashlib.sha256(network + b"\0" + vocabulary).hexdigest()
        """Identifies both files; stored with every version trained on them."""
        if not {"input_ids"} <= self._inputs <= _INPUTS:
            raise ModelError(
                source / NETWORK, "damaged",
                f"asks for the inputs {', '.join(sorted(self._inputs))[:80]}", remedy=_EXPORT,
            )  # fmt: skip
        try:
            self.size = len(self.vector(["proef"]))
            """Numbers in a vector."""
        except Exception:
            raise ModelError(
                source / NETWORK, "damaged", "gives no vector for each piece or text",
                remedy=_EXPORT,
            ) from None  # fmt: skip

    @classmethod
    def load(cls, folder: Path) -> Embedder:
        """Read a folder with ``model.onnx`` and ``vocab.txt``.

        Raises:
            ModelError: A file is missing or cannot be used, or the extra is not installed.
        """
        found = []
        for name in (NETWORK, VOCABULARY):
            try:
                found.append((folder / name).read_bytes())
            except OSError:
                raise ModelError(
                    folder / name, "missing", "cannot be read", remedy=_EXPORT
                ) from None
        return cls(found[0], found[1], folder)

    def vector(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Return the mean over the pieces, shape ``(size,)``, of length :data:`LENGTH`.

        Args:
            words: Normalised; the pieces of a very long text are cut.
        """
        ids = np.array([[self._first, *self._cut(words)[: _MAX_PIECES - 2], self._last]], np.int64)
        given = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        found = np.asarray(
            self._session.run(None, {name: given[name] for name in self._inputs})[0][0], np.float32
        )
        mean = found.mean(axis=0) if found.ndim == 2 else found
        return np.asarray(LENGTH * mean / max(math.sqrt(dot(mean, mean)), 1e-9), np.float32)

    def matrix(self, documents: Sequence[Sequence[str]]) -> NDArray[np.float32]:
        """Return the vectors of many texts, shape ``(texts, size)``; equal texts are run once."""
        known: dict[tuple[str, ...], NDArray[np.float32]] = {}
        for words in documents:
            key = tuple(words)
            if key not in known:
                known[key] = self.vector(words)
        rows = [known[tuple(words)] for words in documents]
        return np.array(rows, np.float32).reshape(len(rows), self.size)

    def _cut(self, words: Sequence[str]) -> list[int]:
        """Return the numbers of the longest pieces, from the left, as WordPiece does."""
        ids: list[int] = []
        for word in words:
            start, found = 0, []
            while start < len(word) <= _LONGEST_WORD:
                mark = "##" if start else ""
                for end in range(len(word), start, -1):
                    number = self._pieces.get(mark + word[start:end])
                    if number is not None:
                        found.append(number)
                        start = end
                        break
                else:
                    found = []
                    break
            ids += found or [self._unknown]
        return ids
