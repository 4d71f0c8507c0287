"""Downhill to the lowest point."""

from __future__ import annotations

import numpy as np
import pytest

from intent.arithmetic import Floats
from intent.minimise import minimise


def banana(place: Floats) -> tuple[float, Floats]:
    """Rosenbrock's valley, curved and flat at its bottom; lowest at (1, 1)."""
    x, y = place.tolist()
    value = (1.0 - x) ** 2 + 100.0 * (y - x * x) ** 2
    return value, np.array(
        [-2.0 * (1.0 - x) - 400.0 * x * (y - x * x), 200.0 * (y - x * x)], dtype=np.float64
    )


def test_curved_valley_is_followed_to_its_end() -> None:
    """
    The textbook's hard case.
    """
    start = np.array([-1.2, 1.0])

    found = minimise(banana, start, steps=100)

    assert [1.0, 1.0] == pytest.approx(found.tolist(), abs=1e-5)
    assert [-1.2, 1.0] == start.tolist()


def test_lowest_point_is_left_alone() -> None:
    """
    Where nothing slopes there is nothing to do.
    """
    assert [1.0, 1.0] == minimise(banana, np.ones(2), steps=100).tolist()


def test_steps_are_bounded() -> None:
    """
    Each step ends lower than it began, and no more are taken than asked for.
    """
    values = [banana(minimise(banana, np.array([-1.2, 1.0]), steps=steps))[0] for steps in range(6)]

    assert sorted(values, reverse=True) == values
    assert 6 == len(set(values))


def test_kink_ends_the_search() -> None:
    """
    At a corner no step goes down: the search stops and does not run for ever.
    """

    def corner(place: Floats) -> tuple[float, Floats]:
        return float(np.abs(place).sum()), np.where(place < 0.0, -1.0, 1.0)

    found = minimise(corner, np.array([3.0, -2.0]), steps=100)

    assert np.abs(found).sum() < 5.0
