"""From a transcript to a ranking of themas with probabilities one can trust."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from intent.catalogue import OTHER_LANGUAGE, OUT_OF_SCOPE, Catalogue
from intent.language import DUTCH
from intent.model import Model
from intent.products import ProductHit, ProductIndex
from intent.storage import load_model
from intent.text import tokens

_WARM_WORDS: Final = 2_000
"""Most of what callers say; looking them up takes a tenth of a second at start."""

MAX_ALTERNATIVES: Final = 4
"""Of a longer n-best list only the first are read: the rest repeats them."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A label and its probability."""

    thema: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What the caller wants, as far as the words tell."""

    ranking: tuple[Ranked, ...]
    """Likeliest first, all labels including the non-themas; probabilities sum to 1."""
    language: str
    """ISO 639 code; ``nl`` unless ``andere-taal`` is likeliest, then the likeliest language."""
    product: ProductHit | None
    """The likeliest product of the likeliest thema; None when no name resembles the words."""
    model: str
    """Version of the model."""


class Classifier(Protocol):
    """Words in, ranking out. Safe to call from several threads."""

    @property
    def version(self) -> str:
        """Version of the model."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label a ranking contains."""

    def classify(
        self,
        text: str,
        *,
        confidence: float = 1.0,
        alternatives: Sequence[tuple[str, float]] = (),
    ) -> Classification:
        """Rank the themas; never raises, whatever the text.

        Args:
            text: The transcript or what was typed; empty gives an even ranking.
            confidence: Of the recogniser, 0..1; 1 for typed text.
            alternatives: Other transcripts with their confidence, best first.
        """


class TrainedClassifier:
    """A :class:`Classifier` over a stored model.

    Args:
        model: The trained numbers.
        version: Stored with every decision.
        catalogue: Its products are searched; themas of the model that it no longer has are never
            ranked, and their probability goes to ``buiten-bereik``. None keeps all labels and
            finds no products.
    """

    def __init__(self, model: Model, version: str, catalogue: Catalogue | None = None) -> None:
        self._model = model
        self._version = version
        self._catalogue = catalogue
        self._kept = [
            i for i, label in enumerate(model.labels) if catalogue is None or label in catalogue
        ]
        self._labels = tuple(model.labels[i] for i in self._kept)
        self._scope = self._labels.index(OUT_OF_SCOPE)
        model.warm(_WARM_WORDS)
        self._indexes: dict[str, ProductIndex] = {}
        if catalogue is not None:
            for label in self._labels:
                products = [p for p in catalogue.products if p.thema == label]
                if products:
                    self._indexes[label] = ProductIndex(products)

    @classmethod
    def load(cls, directory: Path, catalogue: Catalogue | None = None) -> TrainedClassifier:
        """Read a model folder after checking its SHA-256 sums.

        Raises:
            ModelError: Missing, damaged or of another format.
        """
        model, card = load_model(directory)
        return cls(model, str(card["version"]), catalogue)

    @property
    def version(self) -> str:
        """Version of the model."""
        return self._version

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label a ranking contains."""
        return self._labels

    @property
    def model(self) -> Model:
        """The trained numbers, for explanations."""
        return self._model

    @property
    def catalogue(self) -> Catalogue | None:
        """The catalogue in use."""
        return self._catalogue

    def classify(
        self,
        text: str,
        *,
        confidence: float = 1.0,
        alternatives: Sequence[tuple[str, float]] = (),
    ) -> Classification:
        """Rank the themas; see :class:`Classifier`."""
        words = tokens(text)
        confidence = _unit(confidence)
        probabilities = self._model.probabilities(words, confidence)
        if alternatives:
            weight = max(confidence, 0.05)
            total = weight
            probabilities = weight * probabilities
            for other, doubt in alternatives[:MAX_ALTERNATIVES]:
                other_words = tokens(other)
                if other_words and other_words != words:
                    weight = 0.5 * max(_unit(doubt), 0.05)
                    probabilities += weight * self._model.probabilities(other_words, _unit(doubt))
                    total += weight
            probabilities /= total
        if len(self._kept) < len(probabilities):
            lost = 1.0 - probabilities[self._kept].sum()
            probabilities = probabilities[self._kept]
            probabilities[self._scope] += lost
        order = np.argsort(-probabilities, kind="stable").tolist()
        values = probabilities.tolist()
        ranking = tuple(Ranked(self._labels[i], values[i]) for i in order)
        best = ranking[0].thema
        language = DUTCH
        if best == OTHER_LANGUAGE and words:
            language = self._model.languages.best_foreign(words)
        product = None
        if words and best in self._indexes:
            hits = self._indexes[best].search_tokens(words, 1)
            product = hits[0] if hits else None
        return Classification(
            ranking=ranking, language=language, product=product, model=self._version
        )


def _unit(value: float) -> float:
    """Clip to 0..1; not a number counts as no confidence."""
    return min(1.0, max(0.0, value)) if value == value else 0.0
