"""Logarithm and exponential made of single operations."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intent.arithmetic import dot, exp, exp_of, log, log_of

INTENT = Path(__file__).parents[3] / "intent"
PRECISION = 3 * 2.0**-52
"""Three units in the last place of a number, as a share of it, at most."""


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_logarithm_is_right_to_its_last_places(value: float) -> None:
    """
    One number and an array of it give the same bits.
    """
    assert log_of(value) == pytest.approx(float(np.log(np.longdouble(value))), rel=PRECISION)
    assert log_of(value) == log(np.array([value]))[0]


@given(st.floats(min_value=-700, max_value=700))
def test_exponential_is_right_to_its_last_places(value: float) -> None:
    """
    One number and an array of it give the same bits.
    """
    assert exp_of(value) == pytest.approx(float(np.exp(np.longdouble(value))), rel=PRECISION)
    assert exp_of(value) == exp(np.array([value]))[0]


def test_what_is_exact_stays_exact() -> None:
    """
    A text without doubt is scaled by exactly one.
    """
    assert [1.0, 0.0] == [exp_of(0.0), log_of(1.0)]


def test_exponential_has_ends() -> None:
    """
    What is impossibly small or large is as small or large as a number can well be.
    """
    low, high = exp(np.array([-np.inf, np.inf]))

    assert (exp_of(-1e9), exp_of(1e9)) == (low, high)
    assert 0.0 < low < 1e-300
    assert 1e300 < high < np.inf


@pytest.mark.parametrize("shape", [(), (0,), (3,), (20_000,), (2000, 15)])
def test_any_shape_comes_back(shape: tuple[int, ...]) -> None:
    """
    Many numbers are taken block by block, and none is lost or moved.
    """
    values = np.linspace(0.1, 5.0, int(np.prod(shape))).reshape(shape)

    assert shape == exp(values).shape == log(values).shape
    assert exp(log(values)).ravel().tolist() == pytest.approx(values.ravel().tolist())


def test_dot_is_the_sum_of_products() -> None:
    """
    As written on paper.
    """
    assert 1 * 4 + 2 * 5 + 3 * 6 == dot(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]))


@pytest.mark.parametrize(
    "name",
    ["calibration", "classifier", "features", "language", "minimise", "model", "products"],
)
def test_nothing_else_computes_in_a_call(name: str) -> None:
    """
    No operation whose last bit is the processor's own comes back by habit.
    """
    code = (INTENT / f"{name}.py").read_text(encoding="utf-8")

    forbidden = r"np\.(?:exp|log|dot|einsum|linalg|argpartition)|math\.(?:exp|log|pow)\b| @ |\*\* 0"
    assert [] == re.findall(forbidden, code)
