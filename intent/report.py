"""Figures about predictions: accuracy with intervals, calibration, confusion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS: Final = 10


def wilson(right: int, total: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share; (0, 1) when nothing was counted."""
    if total == 0:
        return 0.0, 1.0
    z = 1.959964
    share = right / total
    middle = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    below = 1 + z * z / total
    return max(0.0, (middle - spread) / below), min(1.0, (middle + spread) / below)


def calibration_curve(
    certainty: NDArray[np.float64], right: NDArray[np.bool_], bins: int = CALIBRATION_BINS
) -> tuple[float, list[dict[str, float]]]:
    """Return the expected calibration error and the curve.

    Args:
        certainty: Probability of the likeliest label, shape ``(texts,)``.
        right: Whether it was acceptable, shape ``(texts,)``.
        bins: Of equal width over 0..1.

    Returns:
        The error, 0..1, and for each bin that is not empty its count, mean probability and share
        that was right.
    """
    if not len(certainty):
        return 0.0, []
    place = np.minimum((certainty * bins).astype(int), bins - 1)
    curve = []
    error = 0.0
    for b in range(bins):
        chosen = place == b
        count = int(chosen.sum())
        if count:
            mean, share = float(certainty[chosen].mean()), float(right[chosen].mean())
            error += count / len(certainty) * abs(mean - share)
            curve.append({"count": count, "probability": round(mean, 4), "right": round(share, 4)})
    return error, curve


def score_card(
    probabilities: NDArray[np.float64], accepted: NDArray[np.bool_], labels: Sequence[str]
) -> dict[str, Any]:
    """Return the figures every model version keeps.

    Args:
        probabilities: Shape ``(texts, labels)``.
        accepted: Same shape; at least one per row.
        labels: Names of the columns.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    first = order[:, 0]
    rows = np.arange(len(first))
    right = accepted[rows, first]
    top3 = np.take_along_axis(accepted, order[:, :3], axis=1).any(axis=1)
    error, curve = calibration_curve(probabilities[rows, first], right)
    # Of several acceptable labels the likeliest counts as the true one.
    true = np.where(accepted, probabilities, -1.0).argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(confusion, (true, first), 1)
    per_label = {}
    for i, label in enumerate(labels):
        total, said = int(confusion[i].sum()), int(confusion[:, i].sum())
        hits = int(confusion[i, i])
        per_label[label] = {
            "count": total,
            "recall": round(hits / total, 4) if total else None,
            "precision": round(hits / said, 4) if said else None,
        }
    return {
        "texts": len(first),
        "top1": round(float(right.mean()), 4),
        "top3": round(float(top3.mean()), 4),
        "calibration_error": round(error, 4),
        "calibration_curve": curve,
        "per_label": per_label,
        "confusion": confusion.tolist(),
    }
