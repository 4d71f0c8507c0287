"""Free-text search over product names.

Every name of a product is cut into words and letter trigrams; a query is answered from an
inverted index, so that a misheard compound still shares most of its trigrams with the right
name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from intent.arithmetic import exp, log
from intent.text import tokens

_MAX_GRAM_SHARE: Final = 0.1
"""A trigram in more than this share of all names says nothing and costs time."""

_QUERY_WORDS: Final = 25
"""Of a longer query the last words are searched, where the point usually is."""

_FEWEST: Final = 0.3
"""Lowest score of a hit: below it a few shared letters look like a name."""

_STOP_WORDS: Final = frozenset(
    "de het een en van voor in op te ten ter om aan bij met door uw je jouw mijn of als tot uit "  # noqa: SIM905
    "naar over die dat deze dit is zijn niet er ik ge u we wij".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A public service as the catalogue names it."""

    name: str
    thema: str
    synonyms: tuple[str, ...] = ()
    colloquial: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the official one first."""
        return (self.name, *self.synonyms, *self.colloquial)


@dataclass(frozen=True, slots=True)
class ProductHit:
    """A product that resembles a text."""

    name: str
    thema: str
    score: float
    """0..1; 1 when the whole name was said and nothing else."""


class ProductIndex:
    """Inverted index from words and letter trigrams to product names.

    Args:
        products: Searched in this order when scores are equal.
    """

    def __init__(self, products: Sequence[Product]) -> None:
        self._products = tuple(products)
        owners: list[int] = []
        grams_of: list[dict[str, float]] = []
        for owner, product in enumerate(self._products):
            for name in dict.fromkeys(product.names):
                grams = _grams(tokens(name))
                if grams:
                    owners.append(owner)
                    grams_of.append(grams)
        frequency = Counter(gram for grams in grams_of for gram in grams)
        self._names = len(owners)
        ceiling = max(50.0, _MAX_GRAM_SHARE * self._names)
        self._gram_ids = {gram: i for i, (gram, n) in enumerate(frequency.items()) if n <= ceiling}
        # Ids may have gaps where common grams were left out; counting again closes them.
        self._gram_ids = {gram: i for i, gram in enumerate(self._gram_ids)}
        rarity = np.array([1.0 + self._names / frequency[gram] for gram in self._gram_ids])
        self._idf: list[float] = log(rarity).tolist()
        self._owner = np.array(owners, dtype=np.int32)
        postings: list[list[int]] = [[] for _ in self._gram_ids]
        values: list[list[float]] = [[] for _ in self._gram_ids]
        weight = np.zeros(self._names)
        for row, grams in enumerate(grams_of):
            for gram, count in grams.items():
                column = self._gram_ids.get(gram)
                if column is not None:
                    value = count * self._idf[column]
                    postings[column].append(row)
                    values[column].append(value)
                    weight[row] += value
        self._rows = [np.array(p, dtype=np.int32) for p in postings]
        self._values = [np.array(v, dtype=np.float32) for v in values]
        self._weight = np.maximum(weight, 1e-9)
        # A name of one short common word matches by accident: let it count for less.
        self._trust = 1.0 - exp(-self._weight / 12.0)
        self._themas = np.array([p.thema for p in self._products], dtype=object)

    def search(
        self, text: str, limit: int = 5, *, themas: Iterable[str] | None = None
    ) -> tuple[ProductHit, ...]:
        """Return at most ``limit`` hits with a score of ``_FEWEST`` or more, best first."""
        return self.search_tokens(tokens(text), limit, themas=themas)

    def search_tokens(
        self, words: Sequence[str], limit: int = 5, *, themas: Iterable[str] | None = None
    ) -> tuple[ProductHit, ...]:
        """As :meth:`search`, for words that are normalised already."""
        if not self._names or limit < 1:
            return ()
        grams = _grams(words[-_QUERY_WORDS:])
        known = [(self._gram_ids[g], count) for g, count in grams.items() if g in self._gram_ids]
        if not known:
            return ()
        columns = [column for column, _ in known]
        rows = np.concatenate([self._rows[c] for c in columns])
        values = np.concatenate([self._values[c] for c in columns])
        shared = np.bincount(rows, values, minlength=self._names)
        query = sum(count * self._idf[column] for column, count in known)
        score = (0.8 * shared / self._weight + 0.2 * shared / max(query, 1e-9)) * self._trust
        if themas is not None:
            allowed = np.isin(self._themas, list(themas))
            score = np.where(allowed[self._owner], score, 0.0)
        hits: dict[int, float] = {}
        best = np.flatnonzero(score >= _FEWEST)
        for row in best[np.argsort(-score[best], kind="stable")]:
            owner = int(self._owner[row])
            if len(hits) == limit:
                break
            hits.setdefault(owner, min(1.0, float(score[row])))
        return tuple(
            ProductHit(self._products[o].name, self._products[o].thema, round(s, 4))
            for o, s in hits.items()
        )


def _grams(words: Sequence[str]) -> dict[str, float]:
    """Return words (weight 2) and trigrams (weight 1) of the content words."""
    grams: dict[str, float] = {}
    for word in words:
        if word in _STOP_WORDS:
            continue
        grams[word] = 2.0
        padded = f"_{word}_"
        for i in range(len(padded) - 2):
            grams[padded[i : i + 3]] = 1.0
    return grams
