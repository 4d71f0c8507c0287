"""Scores of a classifier, its report, and the seconds that each outcome costs."""

from __future__ import annotations

import numpy as np
import pytest

from intent.report import calibration_curve, score_card, wilson


def test_interval_holds_the_share_and_narrows() -> None:
    """
    More questions give a narrower interval around the same share.
    """
    few, many = wilson(9, 10), wilson(900, 1000)

    assert few[0] < 0.9 < few[1]
    assert many[1] - many[0] < few[1] - few[0]
    assert (0.0, 1.0) == wilson(0, 0)


def test_calibration_error_of_honest_and_boastful() -> None:
    """
    Saying 80 % and being right 80 % costs nothing; being right half the time costs 30 points.
    """
    certainty = np.full(100, 0.8)
    honest = np.arange(100) < 80
    boastful = np.arange(100) < 50

    assert 0.0 == pytest.approx(calibration_curve(certainty, honest)[0], abs=1e-9)
    assert 0.3 == pytest.approx(calibration_curve(certainty, boastful)[0])
    assert (0.0, []) == calibration_curve(np.array([]), np.array([], dtype=bool))


def test_score_card_counts_acceptable_answers() -> None:
    """
    An also acceptable label is right, and the confusion matrix agrees.
    """
    probabilities = np.array([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.1, 0.2, 0.7]])
    accepted = np.array([[True, False, False], [True, True, False], [True, False, False]])

    card = score_card(probabilities, accepted, ["a", "b", "c"])

    assert 0.6667 == card["top1"]
    assert 1.0 == card["top3"]
    assert [[1, 0, 1], [0, 1, 0], [0, 0, 0]] == card["confusion"]
    assert 0.5 == card["per_label"]["a"]["recall"]
    assert card["per_label"]["c"]["recall"] is None
