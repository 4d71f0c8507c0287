"""A stored model classifies as it did when it was trained, and loads no code."""

from __future__ import annotations

import numpy as np
import pytest

from intent.model import Calibration, Evidence

CALIBRATION = Calibration.of(
    [0.2, 0.5, 0.3, -0.1, 0.4, 1.1, -0.8, 0.6, 0.7, 0.3, 0.2, 0.9, 1.3, 1.0]
)


@pytest.mark.parametrize("words", [1, 8, 200])
@pytest.mark.parametrize("confidence", [0.0, 0.5, 1.0])
def test_one_text_as_many(words: int, confidence: float) -> None:
    """
    The call's fast way and the training's way give the same probabilities.
    """
    logits = np.array([2.0, -1.0, 0.5, 3.0])
    found = Evidence(logits.copy(), 0.25, 1.5, words, 0.4)

    one = CALIBRATION.one(found, confidence, scope=2, language=3)
    many = CALIBRATION.probabilities(
        logits[None, :],
        np.array([0.25]),
        np.array([1.5]),
        np.array([float(words)]),
        np.array([confidence]),
        np.array([0.4]),
        scope=2,
        language=3,
    )[0]

    assert many.tolist() == pytest.approx(one.tolist())
    assert 1.0 == pytest.approx(one.sum())
    assert logits.tolist() == found.logits.tolist()


def test_no_label_is_impossible() -> None:
    """
    However sure the words, a little probability stays for every label.
    """
    sure = Evidence(np.array([500.0, 0.0, 0.0, 0.0]), 0.0, 0.0, 5)

    assert CALIBRATION.one(sure, 1.0, scope=2, language=3).min() > 1e-4
