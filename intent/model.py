"""The trained numbers and the arithmetic of one classification; no files, no training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from intent.arithmetic import Floats, exp, exp_of, log, log_of
from intent.catalogue import OTHER_LANGUAGE, OUT_OF_SCOPE
from intent.embeddings import Embedder
from intent.features import FeatureSpace
from intent.language import LanguageModel, script_language

FOREIGN_SCRIPT_LOGIT = 12.0
"""Added to ``andere-taal`` when most letters are of another script: no example is needed."""


FLATNESS = 0.3
"""The flat ranking is made of this share of the sharp one's scores, so its labels differ less."""

EVEN = 0.002
"""Share of probability that is spread evenly, so that no label is impossible."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one text says, before calibration."""

    logits: Floats
    """Shape ``(labels,)``, of the linear model."""
    unknown: float
    """Share of words that training never saw, 0..1."""
    foreign: float
    """How much better another language explains the words than Dutch, -10..10: the difference of
    their log scores, the mean over the words."""
    words: int
    """Number of words; 0 means nothing was said."""
    strange: float = 0.0
    """Share of neighbouring words that training never saw side by side, 0..1."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Evidence and the recogniser's confidence in, probabilities out.

    Fitted on out-of-fold evidence of whole paraphrase families, clean and misheard, so that the
    probabilities hold for subjects and words that training has not seen.
    """

    log_scale: float = 0.0
    scale_unknown: float = 0.0
    scale_doubt: float = 0.0
    """Doubt is 1 - confidence."""
    scale_length: float = 0.0
    scope_bias: float = 0.0
    scope_unknown: float = 0.0
    scope_doubt: float = 0.0
    scope_strange: float = 0.0
    scope_best: float = 0.0
    """How the best score of any other label counts: low everywhere may mean that none fits."""
    language_bias: float = 0.0
    language_foreign: float = 0.0
    language_doubt: float = 0.0
    language_strange: float = 0.0
    """Of strange words that the recogniser doubts: another language heard as Dutch."""
    flat: float = 0.0
    """Log odds, from 5 %, of the share that follows a much flatter ranking: even a text that
    looks plain is misunderstood now and then."""

    @classmethod
    def of(cls, values: Sequence[float]) -> Calibration:
        """Build from the parameters in the order of the fields; 0 for those that are left out."""
        return cls(*(float(v) for v in values))

    def probabilities(
        self,
        logits: Floats,
        unknown: Floats,
        foreign: Floats,
        length: Floats,
        confidence: Floats,
        strange: Floats,
        *,
        scope: int,
        language: int,
    ) -> Floats:
        """Calibrate many texts at once.

        Args:
            logits: Shape ``(texts, labels)``.
            unknown: Shape ``(texts,)``, share of unknown words.
            foreign: Shape ``(texts,)``, score of :meth:`LanguageModel.foreign_score`.
            length: Shape ``(texts,)``, number of words.
            confidence: Shape ``(texts,)``, of the recogniser, 0..1.
            strange: Shape ``(texts,)``, share of strange neighbours.
            scope: Column of ``buiten-bereik``.
            language: Column of ``andere-taal``.

        Returns:
            Shape ``(texts, labels)``, rows sum to 1.
        """
        doubt = 1.0 - np.clip(confidence, 0.0, 1.0)
        scale = exp(
            np.clip(
                self.log_scale
                - self.scale_unknown * unknown
                - self.scale_doubt * doubt
                + self.scale_length * log(np.maximum(length, 1.0) / 8.0),
                -4.0,
                4.0,
            )
        )
        scores = logits * scale[:, None]
        scores[:, scope] += (
            self.scope_bias
            + self.scope_unknown * unknown
            + self.scope_doubt * doubt
            + self.scope_strange * strange
            + self.scope_best * others(logits, scope, language).max(axis=1)
        )
        scores[:, language] += (
            self.language_bias
            + self.language_foreign * np.maximum(foreign, 0.0)
            + self.language_doubt * doubt
            + self.language_strange * strange * doubt
        )
        scores -= scores.max(axis=1, keepdims=True)
        sharp, flat = exp(scores), exp(FLATNESS * scores)
        sharp /= sharp.sum(axis=1, keepdims=True)
        flat /= flat.sum(axis=1, keepdims=True)
        share = self.flat_share
        return np.asarray((1.0 - share - EVEN) * sharp + share * flat + EVEN / logits.shape[1])

    @property
    def flat_share(self) -> float:
        """Share of the flat ranking, 0..1."""
        return 1.0 / (1.0 + exp_of(3.0 - self.flat))

    def one(self, found: Evidence, confidence: float, *, scope: int, language: int) -> Floats:
        """Calibrate one text; the same as :meth:`probabilities`, several times faster.

        Args:
            found: What the text says.
            confidence: Of the recogniser, 0..1.
            scope: Column of ``buiten-bereik``.
            language: Column of ``andere-taal``.

        Returns:
            Shape ``(labels,)``, sums to 1.
        """
        doubt = 1.0 - min(1.0, max(0.0, confidence))
        exponent = (
            self.log_scale
            - self.scale_unknown * found.unknown
            - self.scale_doubt * doubt
            + self.scale_length * log_of(max(found.words, 1) / 8.0)
        )
        rest = [x for i, x in enumerate(found.logits.tolist()) if i not in (scope, language)]
        scores = found.logits * exp_of(min(4.0, max(-4.0, exponent)))
        scores[scope] += (
            self.scope_bias
            + self.scope_unknown * found.unknown
            + self.scope_doubt * doubt
            + self.scope_strange * found.strange
            + self.scope_best * max(rest)
        )
        scores[language] += (
            self.language_bias
            + self.language_foreign * max(found.foreign, 0.0)
            + self.language_doubt * doubt
            + self.language_strange * found.strange * doubt
        )
        scores -= scores.max()
        sharp, flat = exp(np.array([scores, FLATNESS * scores]))
        share = self.flat_share
        return np.asarray(
            (1.0 - share - EVEN) / sharp.sum() * sharp
            + share / flat.sum() * flat
            + EVEN / len(scores)
        )


def others(logits: Floats, scope: int, language: int) -> Floats:
    """Return a copy with the two columns out of the running, shape ``(texts, labels)``."""
    rest = logits.copy()
    rest[:, [scope, language]] = -np.inf
    return rest


@dataclass(frozen=True)
class Model:
    """A trained model: features, linear weights, language model and calibration."""

    labels: tuple[str, ...]
    features: FeatureSpace
    weights: NDArray[np.float32]
    """Shape ``(features, labels)``."""
    bias: NDArray[np.float32]
    """Shape ``(labels,)``."""
    languages: LanguageModel
    calibration: Calibration
    examples: tuple[tuple[str, str], ...] = ()
    """Normalised training utterances with their thema, for explanations."""
    embedder: Embedder | None = None
    embedding_weights: NDArray[np.float32] | None = None
    """Shape ``(embedder.size, labels)``; there when ``embedder`` is."""

    def warm(self, count: int) -> None:
        """Look up the ``count`` most frequent words once, so that no call pays for them."""
        vocabulary = [f for f in self.features.vocabulary if f[0] != "#" and " " not in f]
        frequency = self.features.idf[[self.features.vocabulary[f] for f in vocabulary]]
        frequent = [vocabulary[i] for i in np.argsort(frequency, kind="stable")[:count]]
        self.features.vector(frequent)
        self.languages.scores(frequent)

    def evidence(self, words: Sequence[str]) -> Evidence:
        """Return what the words say, before calibration.

        Args:
            words: Normalised; may be empty.
        """
        indices, values = self.features.vector(words)
        found = self.weights.take(indices, axis=0)
        found *= values[:, None]
        score = found.sum(axis=0) + self.bias
        logits = score.astype(np.float64)
        if self.embedder is not None and self.embedding_weights is not None:
            meant = self.embedder.vector(words)
            logits += (meant[:, None] * self.embedding_weights).sum(axis=0)
        if script_language(words) is not None:
            logits[self.labels.index(OTHER_LANGUAGE)] += FOREIGN_SCRIPT_LOGIT
        known = self.features.vocabulary
        unknown = sum(word not in known for word in words) / max(1, len(words))
        pairs = [f"{a} {b}" not in known for a, b in pairwise(words)]
        strange = sum(pairs) / max(1, len(pairs))
        return Evidence(logits, unknown, self.languages.foreign_score(words), len(words), strange)

    def probabilities(self, words: Sequence[str], confidence: float) -> Floats:
        """Return calibrated probabilities of one text, shape ``(labels,)``, that sum to 1.

        Args:
            words: Normalised. Nothing said means nothing known: every label is equally likely.
            confidence: Of the recogniser, 0..1.
        """
        if not words:
            return np.full(len(self.labels), 1.0 / len(self.labels))
        return self.calibration.one(
            self.evidence(words),
            confidence,
            scope=self.labels.index(OUT_OF_SCOPE),
            language=self.labels.index(OTHER_LANGUAGE),
        )
