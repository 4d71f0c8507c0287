"""Why this thema: the words that spoke for it, and the training utterances nearest to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intent.corpus import matrix
from intent.model import Model
from intent.text import tokens


@dataclass(frozen=True, slots=True)
class WordWeight:
    """What leaving out one word would cost the thema."""

    word: str
    weight: float
    """Drop in log odds of the thema; negative when the word spoke against it."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """A training utterance that resembles the text."""

    text: str
    thema: str
    similarity: float
    """Cosine of the feature vectors, 0..1."""


def word_weights(model: Model, text: str, thema: str, limit: int = 5) -> tuple[WordWeight, ...]:
    """Return the words that spoke most for ``thema``, strongest first.

    Each word is left out in turn, so that pairs and compounds count with their words. For
    supervisors, not for the call: it costs one classification per word.

    Args:
        model: The trained numbers.
        text: What was said.
        thema: One of the model's labels.
        limit: How many words at most.
    """
    words = tokens(text)
    column = model.labels.index(thema)

    def odds(left: Sequence[str]) -> float:
        probability = float(np.clip(model.probabilities(left, 1.0)[column], 1e-9, 1 - 1e-9))
        return float(np.log(probability / (1.0 - probability)))

    whole = odds(words)
    weights = {word: whole - odds([w for w in words if w != word]) for word in dict.fromkeys(words)}
    best = sorted(weights.items(), key=lambda item: -item[1])
    return tuple(WordWeight(word, round(weight, 3)) for word, weight in best[:limit])


class Neighbours:
    """Finds the nearest training utterances of a model.

    Args:
        model: Holds its examples; their vectors are made once, here.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._matrix = matrix(model.features, [text.split() for text, _ in model.examples])
        squares = np.asarray(self._matrix.multiply(self._matrix).sum(axis=1)).ravel()
        self._norms = np.sqrt(np.maximum(squares, 1e-9))

    def nearest(self, text: str, limit: int = 3) -> tuple[Nearest, ...]:
        """Return at most ``limit`` utterances that share a feature with ``text``, nearest first."""
        vector = matrix(self._model.features, [tokens(text)])
        norm = float(np.sqrt(vector.multiply(vector).sum()))
        if not norm or not self._model.examples:
            return ()
        similar = np.asarray((self._matrix @ vector.T).todense()).ravel() / self._norms / norm
        best = np.argsort(-similar, kind="stable")[:limit]
        found = []
        for i in best.tolist():
            if similar[i] > 0:
                text_of, thema = self._model.examples[i]
                found.append(Nearest(text_of, thema, round(float(similar[i]), 4)))
        return tuple(found)
