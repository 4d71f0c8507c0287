"""Fitting the calibration: the slope is the loss's own, and the fit finds what was put in."""

from __future__ import annotations

import numpy as np
import pytest

from intent.calibration import OutOfFold, _loss, fit_calibration
from intent.model import Calibration

LABELS = ("energie", "onderwijs", "buiten-bereik", "andere-taal", "mens")
SIZE = len(Calibration.__dataclass_fields__) + 1


def evidence(texts: int, seed: int) -> OutOfFold:
    """Made-up evidence in which the likeliest label is right two times in three."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(texts, len(LABELS)))
    right = np.where(
        rng.random(texts) < 2 / 3, logits.argmax(axis=1), rng.integers(0, len(LABELS), texts)
    )
    return OutOfFold(
        logits=logits,
        counts=0.1 * rng.normal(size=logits.shape),
        unknown=rng.random(texts),
        foreign=rng.normal(size=texts),
        length=rng.integers(1, 30, texts).astype(float),
        confidence=rng.random(texts),
        strange=rng.random(texts),
        accepted=np.eye(len(LABELS), dtype=bool)[right],
        weight=np.ones(texts),
    )


def test_slope_is_that_of_the_loss() -> None:
    """
    Every parameter's slope agrees with a difference quotient.
    """
    found, weight = evidence(60, 1), np.full(60, 1 / 60)
    values = 0.3 * np.random.default_rng(2).normal(size=SIZE)
    step = 1e-6

    _, slope = _loss(values, found, LABELS, weight)

    quotients = [
        (
            _loss(values + step * unit, found, LABELS, weight)[0]
            - _loss(values - step * unit, found, LABELS, weight)[0]
        )
        / (2 * step)
        for unit in np.eye(SIZE)
    ]
    assert quotients == pytest.approx(slope.tolist(), abs=1e-7)


def test_probabilities_hold_after_the_fit() -> None:
    """
    The mean probability of the likeliest label is close to the share that was right.
    """
    found = evidence(3000, 3)

    calibration, share = fit_calibration(found, LABELS)

    probabilities = found.probabilities(calibration, share, LABELS)
    right = found.accepted[np.arange(3000), probabilities.argmax(axis=1)].mean()
    assert probabilities.max(axis=1).mean() == pytest.approx(right, abs=0.06)


def test_strange_words_in_doubt_become_another_language() -> None:
    """
    When doubted strange words were another language before, they are taken for it again.
    """
    found = evidence(2000, 4)
    foreign = (found.confidence < 0.3) & (found.strange > 0.7)
    found.accepted[foreign] = np.eye(len(LABELS), dtype=bool)[LABELS.index("andere-taal")]

    calibration, _ = fit_calibration(found, LABELS)

    assert calibration.language_doubt + calibration.language_strange > 1.0
