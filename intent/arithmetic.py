"""Logarithm, exponential and sum that give the same bits on every x86-64 processor.

NumPy, the C library and BLAS choose among several algorithms by what the processor offers (AVX2,
AVX-512, FMA) and by the number of threads; their results differ in the last bits. A model trained
with them differs from machine to machine, and so does the version that is made of its content. Here
everything is made of single additions, multiplications and divisions, each rounded as IEEE 754
says. What training and classification compute goes through this file: there is no ``@``,
``np.dot``, ``np.exp``, ``np.log``, ``math.exp`` or ``math.log`` there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_Number = TypeVar("_Number", float, Floats)

_LN2_HIGH: Final = float.fromhex("0x1.62e42fefa3800p-1")
"""Leading bits of ln 2: its product with a whole number below 2048 is exact."""
_LN2_LOW: Final = float.fromhex("0x1.ef35793c76730p-45")
"""The rest of ln 2."""
_ROOTS: Final = tuple(float(Decimal(2) ** (Decimal(part) / 32)) for part in range(32))
"""Two to the power of each 32nd, so that few terms of a series are left to add up."""
_ROOTS_ARRAY: Final = np.array(_ROOTS)
_STEP_HIGH: Final = float.fromhex("0x1.62e42fep-6")
"""Leading bits of ln 2 / 32: its product with a whole number below 2**24 is exact."""
_STEP_LOW: Final = float.fromhex("0x1.f473de6af278fp-35")
"""The rest of ln 2 / 32."""
_PER_STEP: Final = 1.0 / (_STEP_HIGH + _STEP_LOW)
_ROOT_HALF: Final = math.sqrt(0.5)
_LOG_SERIES: Final = tuple(2.0 / n for n in range(23, 2, -2))
"""Of log((1 + s) / (1 - s)) / s - 2 by s squared, highest power first; for s within 0.172."""
_EXP_SERIES: Final = tuple(1.0 / math.factorial(n) for n in range(7, -1, -1))
"""Of e to the x, highest power first; for x within ln 2 / 64."""
_LOG_FACTORS: Final = tuple(np.array(factor) for factor in _LOG_SERIES)
_EXP_FACTORS: Final = tuple(np.array(factor) for factor in _EXP_SERIES)
"""As NumPy's, which spares it a conversion at every step."""
_FURTHEST: Final = 700.0
"""Farther from 0, e to the x leaves the range of a double."""
_BLOCK: Final = 8192
"""Numbers taken at once: they and their scratch stay in the processor's cache."""


def log(values: Floats) -> Floats:
    """Return the natural logarithm of each number, to three units in its last place.

    Args:
        values: Any shape; positive and finite.
    """
    return _by_block(_ln, values)


def exp(values: Floats) -> Floats:
    """Return e to the power of each number, to three units in its last place.

    Args:
        values: Any shape, no NaN; what lies outside -700..700 counts as the nearer end.
    """
    return _by_block(_exp, values)


def log_of(value: float) -> float:
    """Return the natural logarithm of one positive number, with the bits of :func:`log`."""
    part, power = math.frexp(value)
    if part < _ROOT_HALF:
        part, power = 2.0 * part, power - 1
    return _log_from(part, float(power), _LOG_SERIES)


def exp_of(value: float) -> float:
    """Return e to the power of one number, with the bits of :func:`exp`."""
    value = min(_FURTHEST, max(-_FURTHEST, value))
    steps = round(value * _PER_STEP)
    root = _ROOTS[steps & 31]
    return math.ldexp(root * _exp_within(value, float(steps), _EXP_SERIES), steps >> 5)


def dot(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the sum of the products of two vectors of the same length."""
    return float((one * other).sum())


def _ln(values: Floats) -> Floats:
    part, power = np.frexp(values)
    small = part < _ROOT_HALF
    power = power - small.astype(np.float64)
    return _log_from(np.where(small, 2.0 * part, part), power, _LOG_FACTORS)


def _log_from(part: _Number, power: _Number, factors: Sequence[_Number]) -> _Number:
    """Return the logarithm of ``part`` times two to the ``power``; part is 0.7 to 1.42."""
    s = (part - 1.0) / (part + 1.0)
    rest = s * (_series(factors, s * s) * (s * s)) + power * _LN2_LOW
    return power * _LN2_HIGH + (2.0 * s + rest)


def _exp(values: Floats) -> Floats:
    values = np.minimum(_FURTHEST, np.maximum(-_FURTHEST, values))
    rounded = np.rint(values * _PER_STEP)
    steps = rounded.astype(np.int32)
    roots = _ROOTS_ARRAY.take(steps & 31)
    return np.asarray(np.ldexp(roots * _exp_within(values, rounded, _EXP_FACTORS), steps >> 5))


def _exp_within(value: _Number, steps: _Number, factors: Sequence[_Number]) -> _Number:
    """Return e to the ``value``, divided by two to the ``steps`` 32nds."""
    return _series(factors, (value - steps * _STEP_HIGH) - steps * _STEP_LOW)


def _series(factors: Sequence[_Number], x: _Number) -> _Number:
    """Return the polynomial with these factors, highest power first."""
    total = factors[0] * x
    for factor in factors[1:-1]:
        total += factor
        total *= x
    total += factors[-1]
    return total


def _by_block(function: Callable[[Floats], Floats], values: Floats) -> Floats:
    if values.size <= _BLOCK:
        return np.asarray(function(values))
    flat = values.ravel()
    parts = [function(flat[start : start + _BLOCK]) for start in range(0, len(flat), _BLOCK)]
    return np.concatenate(parts).reshape(values.shape)
