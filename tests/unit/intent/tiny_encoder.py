"""A sentence encoder small enough to be made in a test: one vector for each piece."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed: make setup-tests")
pytest.importorskip("onnxruntime", reason="install the extra embeddings to run ONNX models")

SIZE = 6
WORDS = ("meter", "rij", "bewijs", "premie", "dak", "school", "toelage", "mens")
PIECES = (
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, "##bewijs", "##toelage", "##s",
)  # fmt: skip


def write_encoder(folder: Path, *, seed: int = 1, pooled: bool = False) -> Path:
    """Write ``model.onnx`` and ``vocab.txt``; return the folder.

    Args:
        folder: Made when absent.
        seed: Of the vectors.
        pooled: Whether the network gives one vector for the text and not one for each piece.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = np.random.default_rng(seed).normal(size=(len(PIECES), SIZE)).astype(np.float32)
    nodes = [onnx.helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])]
    output, shape = "last_hidden_state", [1, "pieces", SIZE]
    if pooled:
        nodes.append(onnx.helper.make_node("ReduceMax", [output, "axes"], ["sentence"], keepdims=0))
        output, shape = "sentence", [1, SIZE]
    numbers, floats = onnx.TensorProto.INT64, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "encoder",
        [
            onnx.helper.make_tensor_value_info(name, numbers, [1, "pieces"])
            for name in ("input_ids", "attention_mask")
        ],
        [onnx.helper.make_tensor_value_info(output, floats, shape)],
        [
            onnx.numpy_helper.from_array(table, "table"),
            onnx.numpy_helper.from_array(np.array([1], np.int64), "axes"),
        ],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    model.ir_version = 9
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    return folder


def piece_vectors(*pieces: str, seed: int = 1) -> np.ndarray:
    """Return what the encoder gives for each piece, shape ``(pieces, SIZE)``."""
    table = np.random.default_rng(seed).normal(size=(len(PIECES), SIZE)).astype(np.float32)
    return np.asarray(table[[PIECES.index(piece) for piece in pieces]])
