"""Sentence embeddings: a real ONNX model, read and run; each thing that can be wrong with one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from intent.embeddings import LENGTH, Embedder
from intent.errors import ModelError
from tests.unit.intent.tiny_encoder import SIZE, piece_vectors, write_encoder


def test_words_become_the_longest_pieces(tmp_path: Path) -> None:
    """
    A compound is cut where the vocabulary allows, and a word that cannot be cut is unknown.
    """
    embedder = Embedder.load(write_encoder(tmp_path))

    found = embedder.vector(["rijbewijs", "dak", "xyz"])

    pieces = piece_vectors("[CLS]", "rij", "##bewijs", "dak", "[UNK]", "[SEP]").mean(axis=0)
    assert (LENGTH * pieces / np.linalg.norm(pieces)).tolist() == pytest.approx(found.tolist())


def test_network_that_pools_is_taken_as_it_is(tmp_path: Path) -> None:
    """
    One vector for the text is used without a mean over pieces.
    """
    embedder = Embedder.load(write_encoder(tmp_path, pooled=True))

    found = embedder.vector(["meter"])

    pooled = piece_vectors("[CLS]", "meter", "[SEP]").max(axis=0)
    assert (LENGTH * pooled / np.linalg.norm(pooled)).tolist() == pytest.approx(found.tolist())


@pytest.mark.parametrize("words", [[], ["meter"] * 1000, ["x" * 500], ["مرحبا"]])
def test_any_words_have_a_vector(tmp_path: Path, words: list[str]) -> None:
    """
    Nothing, far too much and other scripts give a finite vector of the same size.
    """
    found = Embedder.load(write_encoder(tmp_path)).vector(words)

    assert (SIZE,) == found.shape
    assert np.isfinite(found).all()


def test_matrix_holds_a_row_for_each_text(tmp_path: Path) -> None:
    """
    Equal texts have equal rows, and no texts have none.
    """
    embedder = Embedder.load(write_encoder(tmp_path))

    rows = embedder.matrix([["dak"], ["meter"], ["dak"]])

    assert rows[0].tolist() == rows[2].tolist() != rows[1].tolist()
    assert (0, SIZE) == embedder.matrix([]).shape


def test_digest_tells_models_apart(tmp_path: Path) -> None:
    """
    The same files have the same hash; another network has another.
    """
    one, same, other = (
        Embedder.load(write_encoder(tmp_path / str(number), seed=seed)).digest
        for number, seed in enumerate((1, 1, 2))
    )

    assert one == same != other


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("model.onnx", None, "cannot be read"),
        ("vocab.txt", None, "cannot be read"),
        ("model.onnx", b"no network", "no ONNX model"),
        ("vocab.txt", b"een\ntwee\n", "no WordPiece vocabulary"),
        ("vocab.txt", b"\xff\xfe", "no WordPiece vocabulary"),
    ],
)
def test_unusable_folder_is_named(
    tmp_path: Path, file: str, content: bytes | None, problem: str
) -> None:
    """
    The message names the file, what is wrong with it and what to do.
    """
    write_encoder(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)

    with pytest.raises(ModelError, match=problem) as raised:
        Embedder.load(tmp_path)

    assert file in str(raised.value)
    assert "vocab.txt" in raised.value.remedy


def test_without_the_extra_the_remedy_is_named(tmp_path: Path) -> None:
    """
    Where onnxruntime is not installed, the error says what to install.
    """
    write_encoder(tmp_path)
    code = (
        "import importlib.machinery as m, sys\n"
        "find = m.PathFinder.find_spec\n"
        "m.PathFinder.find_spec = classmethod(\n"
        "    lambda c, name, *a: None if name == 'onnxruntime' else find(name, *a))\n"
        "from pathlib import Path\n"
        "from intent.embeddings import Embedder\n"
        "from intent.errors import ModelError\n"
        "try:\n    Embedder.load(Path(sys.argv[1]))\n"
        "except ModelError as error:\n    print(error.reason, error.remedy)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip

    assert done.stdout.startswith("extra run pip install 'wegwijs[embeddings]'")
