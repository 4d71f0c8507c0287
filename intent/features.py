"""From normalised words to a sparse feature vector, the same way in training and in a call.

Three blocks, each scaled to length one and weighted: whole words with pairs of neighbours, and
letter n-grams inside words. A pair is also looked up as one word and a long unknown word as its
parts, because recognisers cut and join Dutch compounds (*studie toelage*, *zonnepanelenpremie*).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from intent.arithmetic import dot, log

MIN_GRAM: Final = 3
MAX_GRAM: Final = 6
CHAR_WEIGHT: Final = 1.2
"""Length of the letter block beside the word block of length one."""

_MIN_PART: Final = 4
"""Shortest part of a compound, in letters."""

_CACHE_WORDS: Final = 50_000

_OFTEN: Final = np.concatenate([[0.0], 1.0 + log(np.arange(1.0, 1000.0))])
"""What a feature counts that a text has so many times."""

Words = Sequence[str]
Vector = tuple[NDArray[np.int32], NDArray[np.float32]]


@dataclass
class FeatureSpace:
    """A fixed vocabulary with inverse document frequencies.

    Words stand under their own name, pairs as ``a b``, n-grams as ``#gram``. Not thread-safe
    while its cache fills, but harmless: two threads compute the same value.
    """

    vocabulary: dict[str, int]
    idf: NDArray[np.float32]
    """Shape ``(len(vocabulary),)``."""
    _cache: dict[str, list[int]] = field(default_factory=dict, repr=False)
    _grams: int = field(init=False, repr=False)
    """n-grams come first, because ``#`` sorts before every letter."""

    def __post_init__(self) -> None:
        self._grams = sum(feature.startswith("#") for feature in self.vocabulary)

    @classmethod
    def learn(
        cls, documents: Iterable[Words], *, min_words: int = 1, min_grams: int = 2
    ) -> FeatureSpace:
        """Count features over ``documents`` and keep those of enough documents.

        Args:
            documents: Normalised words of each training utterance.
            min_words: Fewest documents of a word; a pair needs one more.
            min_grams: Fewest documents of an n-gram.
        """
        documents = [list(words) for words in documents]
        known = {word for words in documents for word in words}
        inside = {word: (word, *compound_parts(word, known), *grams(word)) for word in known}
        frequency: Counter[str] = Counter()
        for words in documents:
            seen: set[str] = set()
            for word in words:
                seen.update(inside[word])
            seen.update(pairs(words))
            seen.update(a + b for a, b in pairwise(words) if a + b in known)
            frequency.update(seen)

        def enough(feature: str, count: int) -> bool:
            if feature.startswith("#"):
                return count >= min_grams
            return count >= min_words + (" " in feature)

        kept = sorted(f for f, n in frequency.items() if enough(f, n))
        counts = np.array([frequency[f] for f in kept], dtype=np.float64)
        idf = log((1.0 + len(documents)) / (1.0 + counts)) + 1.0
        # Rounded as it is stored.
        rounded = idf.astype(np.float16).astype(np.float32)
        return cls({f: i for i, f in enumerate(kept)}, rounded)

    def __len__(self) -> int:
        return len(self.vocabulary)

    def vector(self, words: Words) -> Vector:
        """Return the indices and values of one utterance's features.

        Args:
            words: Normalised words.

        Returns:
            Sorted distinct indices, dtype int32, and their weights, dtype float32; both empty
            when no feature is known.
        """
        ids: list[int] = []
        look_up = self.vocabulary.get
        previous = ""
        for word in words:
            found = self._cache.get(word)
            if found is None:
                found = self._look_up_word(word)
            ids += found
            if previous:
                pair = look_up(previous + " " + word)
                if pair is not None:
                    ids.append(pair)
                joined = look_up(previous + word)
                if joined is not None:
                    ids.append(joined)
            previous = word
        if not ids:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        indices, counts = np.unique(np.array(ids, dtype=np.int32), return_counts=True)
        values = _OFTEN[np.minimum(counts, len(_OFTEN) - 1)] * self.idf[indices]
        cut = int(np.searchsorted(indices, self._grams))
        for block, length in ((values[:cut], CHAR_WEIGHT), (values[cut:], 1.0)):
            if len(block):
                block *= length / math.sqrt(dot(block, block))
        return indices, values.astype(np.float32)

    def _look_up_word(self, word: str) -> list[int]:
        features = (word, *compound_parts(word, self.vocabulary), *grams(word))
        ids = [self.vocabulary[f] for f in features if f in self.vocabulary]
        if len(self._cache) < _CACHE_WORDS:
            self._cache[word] = ids
        return ids


def pairs(words: Words) -> list[str]:
    """Return neighbouring words as ``a b``."""
    return [a + " " + b for a, b in pairwise(words)]


def grams(word: str) -> list[str]:
    """Return the n-grams of ``<word>`` marked with ``#``."""
    padded = f"<{word[:40]}>"
    size = len(padded)
    return [
        "#" + padded[i : i + n] for n in range(MIN_GRAM, MAX_GRAM + 1) for i in range(size - n + 1)
    ]


def compound_parts(word: str, known: Collection[str]) -> tuple[str, ...]:
    """Split a long word into two known words, with the joints Dutch uses.

    Args:
        word: For example ``verkeersbelastingbrief``.
        known: Words that may be a part.

    Returns:
        The parts, or nothing when there is no such split; the split with the longest last part
        wins, because the last part is the head of a Dutch compound.
    """
    if len(word) < 2 * _MIN_PART or len(word) > 40:
        return ()
    for cut in range(_MIN_PART, len(word) - _MIN_PART + 1):
        tail = word[cut:]
        if tail not in known:
            continue
        head = word[:cut]
        for joint in ("", "s", "en", "n", "e"):
            if joint and not head.endswith(joint):
                continue
            stem = head[: len(head) - len(joint)] if joint else head
            if len(stem) >= _MIN_PART and stem in known:
                return (stem, tail)
    return ()
