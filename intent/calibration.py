"""Fitting the calibration: what a model says of families it never saw, against what was right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from intent.arithmetic import Floats, exp, log
from intent.catalogue import OTHER_LANGUAGE, OUT_OF_SCOPE
from intent.minimise import minimise
from intent.model import FLATNESS, Calibration, others

_OUT_OF_SCOPE_SHARE: Final = 2.5
"""Calls outside our reach against those for one thema: about one call in six or seven."""

_MOST_STEPS: Final = 150
_PENALTY: Final = 1e-4
"""Of the squared parameters, so that one that no text needs stays near 0."""


@dataclass(frozen=True)
class OutOfFold:
    """Evidence of texts by a model that never saw their family."""

    logits: Floats
    """Shape ``(texts, labels)``, of the support vector machine."""
    counts: Floats
    """Shape ``(texts, labels)``, of naive Bayes."""
    unknown: Floats
    foreign: Floats
    length: Floats
    confidence: Floats
    strange: Floats
    accepted: NDArray[np.bool_]
    """Shape ``(texts, labels)``."""
    weight: Floats

    def probabilities(
        self, calibration: Calibration, share: float, labels: Sequence[str]
    ) -> Floats:
        """Return the calibrated probabilities, shape ``(texts, labels)``.

        Args:
            calibration: What to calibrate with.
            share: How much of the naive Bayes score is added to the logits.
            labels: Names of the columns.
        """
        return calibration.probabilities(
            self.logits + share * self.counts,
            self.unknown,
            self.foreign,
            self.length,
            self.confidence,
            self.strange,
            scope=labels.index(OUT_OF_SCOPE),
            language=labels.index(OTHER_LANGUAGE),
        )


def join(parts: Sequence[OutOfFold]) -> OutOfFold:
    """Put the evidence of several folds together."""
    return OutOfFold(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in OutOfFold.__dataclass_fields__
        )
    )


def fit_calibration(oof: OutOfFold, labels: Sequence[str]) -> tuple[Calibration, float]:
    """Fit the calibration and the share of naive Bayes; every thema weighs the same.

    By maximum likelihood of the likeliest acceptable label.

    Args:
        oof: Out-of-fold evidence.
        labels: Columns of the evidence.

    Returns:
        The calibration and the share.
    """
    main = oof.accepted.argmax(axis=1)
    counts = np.bincount(main, oof.weight, minlength=len(labels))
    weight = oof.weight / np.maximum(counts[main], 1e-9)
    weight[main == labels.index(OUT_OF_SCOPE)] *= _OUT_OF_SCOPE_SHARE
    weight /= weight.sum()

    def loss(values: Floats) -> tuple[float, Floats]:
        return _loss(values, oof, labels, weight)

    start = np.zeros(len(Calibration.__dataclass_fields__) + 1)
    *values, share = minimise(loss, start, steps=_MOST_STEPS).tolist()
    return Calibration.of(values), share


def _loss(
    values: Floats, oof: OutOfFold, labels: Sequence[str], weight: Floats
) -> tuple[float, Floats]:
    """Return the negative log likelihood and its slope by each parameter, the share last.

    Follows :meth:`Calibration.probabilities`; one pass costs as much as one difference quotient
    would.
    """
    *parameters, share = values.tolist()
    now = Calibration.of(parameters)
    scope, language = labels.index(OUT_OF_SCOPE), labels.index(OTHER_LANGUAGE)
    rows = np.arange(len(oof.logits))
    logits = oof.logits + share * oof.counts
    doubt = 1.0 - np.clip(oof.confidence, 0.0, 1.0)
    length = log(np.maximum(oof.length, 1.0) / 8.0)
    exponent = (
        now.log_scale
        - now.scale_unknown * oof.unknown
        - now.scale_doubt * doubt
        + now.scale_length * length
    )
    inside = (exponent > -4.0) & (exponent < 4.0)
    scale = exp(np.clip(exponent, -4.0, 4.0))
    place = others(logits, scope, language).argmax(axis=1)
    best_other = logits[rows, place]
    foreign = np.maximum(oof.foreign, 0.0)
    scope_terms = np.array([np.ones(len(rows)), oof.unknown, doubt, oof.strange, best_other])
    language_terms = np.array([np.ones(len(rows)), foreign, doubt, oof.strange * doubt])
    scope_weights = np.array(
        [now.scope_bias, now.scope_unknown, now.scope_doubt, now.scope_strange, now.scope_best]
    )
    language_weights = np.array(
        [now.language_bias, now.language_foreign, now.language_doubt, now.language_strange]
    )
    scores = logits * scale[:, None]
    scores[:, scope] += (scope_weights[:, None] * scope_terms).sum(axis=0)
    scores[:, language] += (language_weights[:, None] * language_terms).sum(axis=0)
    scores -= scores.max(axis=1, keepdims=True)
    sharp, flat = exp(scores), exp(FLATNESS * scores)
    sharp /= sharp.sum(axis=1, keepdims=True)
    flat /= flat.sum(axis=1, keepdims=True)
    flat_share = now.flat_share
    mixed = (1.0 - flat_share) * sharp + flat_share * flat
    right = np.where(oof.accepted, mixed, 0.0).argmax(axis=1)
    likely = mixed[rows, right] + 1e-12
    # Slope of the loss by each score; the even share is left out, it only bounds the loss.
    per_text = -weight / likely
    by_sharp = (1.0 - flat_share) * sharp[rows, right] * per_text
    by_flat = FLATNESS * flat_share * flat[rows, right] * per_text
    slope = -by_sharp[:, None] * sharp - by_flat[:, None] * flat
    slope[rows, right] += by_sharp + by_flat
    by_scale = (slope * logits).sum(axis=1) * scale * inside
    by_flat_share = (per_text * (flat[rows, right] - sharp[rows, right])).sum()
    by_share = ((slope * oof.counts).sum(axis=1) * scale).sum()
    by_share += (slope[:, scope] * now.scope_best * oof.counts[rows, place]).sum()
    gradient = np.array(
        [
            by_scale.sum(),
            -(by_scale * oof.unknown).sum(),
            -(by_scale * doubt).sum(),
            (by_scale * length).sum(),
            *(scope_terms * slope[:, scope]).sum(axis=1),
            *(language_terms * slope[:, language]).sum(axis=1),
            by_flat_share * flat_share * (1.0 - flat_share),
            by_share,
        ]
    )
    value = -float((weight * log(likely)).sum()) + _PENALTY * float((values**2).sum())
    return value, gradient + 2.0 * _PENALTY * values
