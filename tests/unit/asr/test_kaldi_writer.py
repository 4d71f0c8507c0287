"""Kaldi's binary form, read back by the rules of its format."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from asr.training.kaldi_writer import (
    Layer,
    acoustic_model,
    compressed_matrix,
    float_matrix,
    integer,
    transition_model,
)


def read_compressed(octets: bytes) -> NDArray[np.float64]:
    """Expand a ``CM`` matrix as Kaldi's CompressedMatrix::CopyToMat does."""
    assert b"CM " == octets[:3]
    low, span, rows, columns = struct.unpack("<ffii", octets[3:19])
    marks = np.frombuffer(octets, "<u2", 4 * columns, 19).reshape(columns, 4)
    codes = np.frombuffer(octets, np.uint8, rows * columns, 19 + 8 * columns)
    out = np.zeros((rows, columns))
    for column, code in enumerate(codes.reshape(columns, rows).astype(np.float64)):
        p0, p25, p75, p100 = low + span * marks[column] / 65535.0
        out[:, column] = np.where(
            code <= 64,
            p0 + (p25 - p0) * code / 64,
            np.where(
                code <= 192,
                p25 + (p75 - p25) * (code - 64) / 128,
                p75 + (p100 - p75) * (code - 192) / 63,
            ),
        )
    return out


@pytest.mark.parametrize("shape", [(320, 960), (47, 5), (4, 1)])
def test_compressed_matrix_keeps_its_values(shape: tuple[int, int]) -> None:
    """
    Normal weights come back within a hundredth of a column's range, at a quarter of the size.
    """
    rng = np.random.default_rng(1)
    scales = 10 ** rng.uniform(-1.5, 0, shape[1])
    values = (rng.normal(size=shape) * scales).astype(np.float32)

    octets = compressed_matrix(values)

    back = read_compressed(octets)
    span = values.max(axis=0) - values.min(axis=0)
    assert (np.abs(back - values) <= 0.012 * span + 1e-3).all()
    assert len(octets) < 19 + 8 * shape[1] + values.size + 1


def test_constant_matrix_is_no_special_case() -> None:
    """
    Nothing divides by zero.
    """
    back = read_compressed(compressed_matrix(np.full((8, 3), 0.5, np.float32)))

    assert 0.5 == pytest.approx(float(back.max()), abs=1e-3)


def test_integers_and_floats_carry_their_size() -> None:
    """
    Kaldi writes the number of octets before each number.
    """
    assert b"\x04\x07\x00\x00\x00" == integer(7)
    assert float_matrix(np.zeros((2, 3), np.float32)).startswith(b"FM \x04\x02")


def test_transition_model_counts_two_transitions_a_phone() -> None:
    """
    One probability for each transition id, and the unused one at 0.
    """
    octets = transition_model(5)

    at = octets.index(b"<LogProbs> FV ") + len(b"<LogProbs> FV ")
    assert integer(11) == octets[at : at + 5]


def test_model_names_its_context() -> None:
    """
    Left and right context are those of all offsets together.
    """
    first = Layer(np.ones((4, 10), np.float32), np.zeros(4, np.float32), (-2, -1, 0, 1, 2), "relu")
    last = Layer(
        np.ones((3, 12), np.float32), np.zeros(3, np.float32), (-3, 0, 3), "log-softmax", False
    )

    octets = acoustic_model([first, last], 2)

    assert octets.startswith(b"\0B<TransitionModel> ")
    assert b"<LeftContext> " + integer(5) + b"<RightContext> " + integer(5) in octets
    assert b"input=Append(Offset(input, -2), Offset(input, -1), input, " in octets
