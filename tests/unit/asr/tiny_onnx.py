"""Transducers of a few numbers in ONNX: loud sound is "goeden dag" over and over, quiet is nothing.

They have the inputs, outputs and metadata of the real kinds, so that sherpa-onnx takes them for
Parakeet (NeMo, with durations) and for a streaming transducer of icefall.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed: make setup-tests")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

PIECES = ("▁goe", "den", "▁dag")
_LOUD = -9.0
"""Mean of the log-mel bands of ±1 samples, from which on sound is loud; digital silence is -16."""
_SURE = 3.0


def _save(
    path: Path,
    nodes: list[Any],
    inputs: dict[str, tuple[int, list[Any]]],
    outputs: dict[str, tuple[int, list[Any]]],
    metadata: dict[str, object],
    **constants: np.ndarray,
) -> None:
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, *of) for name, of in inputs.items()],
        [helper.make_tensor_value_info(name, *of) for name, of in outputs.items()],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {key: str(value) for key, value in metadata.items()})
    onnx.save(model, str(path))


def write_model(
    path: Path,
    metadata: dict[str, object],
    *,
    outputs: int = 4,
    inputs: tuple[int, ...] = (1, 0, 80),
) -> None:
    """Write a one-file model that is only good for being looked at."""
    shape = [size or "t" for size in inputs]
    _save(
        path,
        [helper.make_node("Identity", ["x"], ["y"])],
        {"x": (TensorProto.FLOAT, shape)},
        {"y": (TensorProto.FLOAT, [*shape[:-1], outputs])},
        metadata,
    )


def write_tokens(path: Path, tokens: tuple[str, ...]) -> None:
    """Write ``tokens.txt``."""
    lines = (f"{token} {index}\n" for index, token in enumerate(tokens))
    path.write_text("".join(lines), encoding="utf-8")


def _table(order: tuple[str, ...], extra: int) -> np.ndarray:
    """For each token before: how much each token is wanted next; ``extra`` durations, the last."""
    table = np.zeros((len(order), len(order) + extra), np.float32)
    for before, token in enumerate(order):
        place = (PIECES.index(token) + 1) % len(PIECES) if token in PIECES else 0
        table[before, order.index(PIECES[place])] = _SURE
        if extra:
            table[before, -1] = _SURE
    return table


def write_nemo_transducer(folder: Path) -> None:
    """Write a model in the form of Parakeet TDT: 80 ms frames, blank last, durations 0 to 4."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = ("<unk>", *PIECES, "<blk>")
    write_tokens(folder / "tokens.txt", tokens)
    int32, int64, real = TensorProto.INT32, TensorProto.INT64, TensorProto.FLOAT
    _save(
        folder / "encoder.int8.onnx",
        [
            helper.make_node("ReduceMean", ["audio_signal"], ["mean"], axes=[1], keepdims=1),
            helper.make_node("AveragePool", ["mean"], ["outputs"], kernel_shape=[8], strides=[8]),
            helper.make_node("Div", ["length", "eight"], ["encoded_lengths"]),
        ],
        {"audio_signal": (real, ["n", 80, "t"]), "length": (int64, ["n"])},
        {"outputs": (real, ["n", 1, "k"]), "encoded_lengths": (int64, ["n"])},
        {
            "model_type": "EncDecRNNTBPEModel",
            "vocab_size": len(tokens) - 1,
            "subsampling_factor": 8,
            "normalize_type": "NA",
            "pred_rnn_layers": 1,
            "pred_hidden": 1,
            "url": "https://example.org/tiny-tdt",
        },
        eight=np.array([8], np.int64),
    )
    state = (real, [1, "n", 1])
    _save(
        folder / "decoder.int8.onnx",
        [
            helper.make_node("Cast", ["targets"], ["token"], to=real),
            helper.make_node("Reshape", ["token", "shape"], ["outputs"]),
            helper.make_node("Identity", ["target_length"], ["prednet_lengths"]),
            helper.make_node("Identity", ["states.1"], ["states"]),
            helper.make_node("Identity", ["onnx::Slice_3"], ["162"]),
        ],
        {
            "targets": (int32, ["n", "u"]),
            "target_length": (int32, ["n"]),
            "states.1": state,
            "onnx::Slice_3": state,
        },
        {
            "outputs": (real, ["n", 1, "u"]),
            "prednet_lengths": (int32, ["n"]),
            "states": state,
            "162": state,
        },
        {},
        shape=np.array([1, 1, 1], np.int64),
    )
    blank = np.zeros(len(tokens) + 5, np.float32)
    blank[len(tokens) - 1] = -10.0
    _write_joiner(
        folder / "joiner.int8.onnx",
        ("encoder_outputs", ["n", 1, "t"]),
        ("decoder_outputs", ["n", 1, "u"]),
        ("outputs", [1, 1, 1, len(tokens) + 5]),
        table=_table(tokens, 5),
        blank=blank,
    )


def write_streaming_transducer(folder: Path) -> None:
    """Write a model in the form of icefall's streaming LSTM: 40 ms frames, blank first."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = ("<blk>", *PIECES, "<unk>")
    write_tokens(folder / "tokens.txt", tokens)
    int64, real = TensorProto.INT64, TensorProto.FLOAT
    state = (real, [1, "n", 1])
    _save(
        folder / "encoder-epoch-9.onnx",
        [
            helper.make_node("ReduceMean", ["x"], ["encoder_out"], axes=[1, 2], keepdims=1),
            helper.make_node("Identity", ["h0"], ["next_h0"]),
            helper.make_node("Identity", ["c0"], ["next_c0"]),
        ],
        {"x": (real, ["n", 9, 80]), "h0": state, "c0": state},
        {"encoder_out": (real, ["n", 1, 1]), "next_h0": state, "next_c0": state},
        {
            "model_type": "lstm",
            "num_encoder_layers": 1,
            "T": 9,
            "decode_chunk_len": 4,
            "rnn_hidden_size": 1,
            "d_model": 1,
        },
    )
    _save(
        folder / "decoder-epoch-9.onnx",
        [
            helper.make_node("Slice", ["y", "one", "two", "one"], ["last"]),
            helper.make_node("Cast", ["last"], ["decoder_out"], to=real),
        ],
        {"y": (int64, ["n", 2])},
        {"decoder_out": (real, ["n", 1])},
        {"vocab_size": len(tokens), "context_size": 2},
        one=np.array([1], np.int64),
        two=np.array([2], np.int64),
    )
    blank = np.zeros(len(tokens), np.float32)
    blank[0] = -10.0
    _write_joiner(
        folder / "joiner-epoch-9.onnx",
        ("encoder_out", ["n", 1]),
        ("decoder_out", ["n", 1]),
        ("logit", [1, len(tokens)]),
        table=_table(tokens, 0),
        blank=blank,
    )


def _write_joiner(
    path: Path,
    encoded: tuple[str, list[Any]],
    before: tuple[str, list[Any]],
    out: tuple[str, list[int]],
    *,
    table: np.ndarray,
    blank: np.ndarray,
) -> None:
    """What is wanted after the token before, and blank by so much as the sound is quiet."""
    real = TensorProto.FLOAT
    _save(
        path,
        [
            helper.make_node("Cast", [before[0]], ["index"], to=TensorProto.INT64),
            helper.make_node("Reshape", ["index", "one"], ["place"]),
            helper.make_node("Gather", ["table", "place"], ["row"]),
            helper.make_node("Reshape", [encoded[0], "one"], ["level"]),
            helper.make_node("Sub", ["level", "loud"], ["above"]),
            helper.make_node("Mul", ["above", "blank"], ["quiet"]),
            helper.make_node("Add", ["row", "quiet"], ["wanted"]),
            helper.make_node("Reshape", ["wanted", "shape"], [out[0]]),
        ],
        {encoded[0]: (real, encoded[1]), before[0]: (real, before[1])},
        {out[0]: (real, list(out[1]))},
        {"joiner_dim": 1},
        table=table,
        blank=blank,
        one=np.array([1], np.int64),
        loud=np.array([_LOUD], np.float32),
        shape=np.array(out[1], np.int64),
    )
