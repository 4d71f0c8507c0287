"""Find the lowest point of a smooth function of few numbers: quasi-Newton steps (BFGS).

SciPy's minimisers compute with BLAS, whose sums depend on the processor; this one gives the same
bits on every x86-64 machine (see :mod:`intent.arithmetic`).

Source: Nocedal and Wright, Numerical Optimization (2006), algorithms 3.1 and 6.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from intent.arithmetic import Floats, dot

_FLAT: Final = 1e-6
"""Where no number's slope is steeper, the lowest point is reached."""
_FIRST_STEP: Final = 0.5
"""Length of the first step, before anything is known of the curvature."""
_DESCENT: Final = 1e-4
"""A step must bring at least this share of what the slope promises."""
_SHORTEST: Final = 2.0**-40
"""Of a whole step: when no longer one goes down, rounding hides what is left."""


def minimise(
    function: Callable[[Floats], tuple[float, Floats]], start: Floats, *, steps: int
) -> Floats:
    """Return where ``function`` is lowest, as far as steps downhill from ``start`` lead.

    Args:
        function: Gives the value and the slope by each number, shape of ``start``.
        start: Shape ``(numbers,)``; not changed.
        steps: Most steps to take.
    """
    place, (value, slope) = start, function(start)
    # Estimate of the inverse of the second derivatives.
    inverse = np.eye(len(start)) * (_FIRST_STEP / max(math.sqrt(dot(slope, slope)), 1e-12))
    for step in range(steps):
        if np.abs(slope).max() < _FLAT:
            break
        direction = -(inverse * slope).sum(axis=1)
        promised = dot(direction, slope)
        length = 1.0
        while True:
            next_value, next_slope = function(place + length * direction)
            if next_value <= value + _DESCENT * length * promised:
                break
            length /= 2.0
            if length < _SHORTEST:
                return place
        moved, turned = length * direction, next_slope - slope
        place, value, slope = place + moved, next_value, next_slope
        curvature = dot(moved, turned)
        if curvature <= 0.0:
            continue  # No valley along this step: the estimate stays positive definite without it.
        if step == 0:
            inverse = np.eye(len(start)) * (curvature / dot(turned, turned))
        bent = (inverse * turned).sum(axis=1)
        crossed = np.outer(bent, moved)
        weight = (1.0 + dot(turned, bent) / curvature) / curvature
        inverse = inverse + weight * np.outer(moved, moved) - (crossed + crossed.T) / curvature
    return place
