"""Is this Dutch, and if not, which language?

A naive Bayes model over letter n-grams inside words, small enough to be trained with the rest.
Its score is a sum over words, so that each word is looked up once and then remembered. Speech in
another language reaches us as garbled Dutch words: then the classifier's own ``andere-taal``
examples and the recogniser's low confidence decide, and the language is a guess.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from intent.arithmetic import log, log_of

DUTCH: Final = "nl"
UNDETERMINED: Final = "und"

_SCRIPTS: Final = {
    "ARABIC": "ar", "CYRILLIC": "ru", "GREEK": "el", "CJK": "zh", "HANGUL": "ko",
    "HIRAGANA": "ja", "KATAKANA": "ja", "HEBREW": "he", "THAI": "th", "ARMENIAN": "hy",
    "GEORGIAN": "ka", "ETHIOPIC": "ti", "DEVANAGARI": "hi", "BENGALI": "bn", "GURMUKHI": "pa",
    "TAMIL": "ta",
}  # fmt: skip
"""First word of a letter's Unicode name → the language most of its callers here speak."""

_CACHE_WORDS: Final = 50_000
_SMOOTHING: Final = 0.3


@dataclass
class LanguageModel:
    """Log probabilities of letter n-grams per language.

    Args:
        languages: ISO 639 codes, Dutch included.
        vocabulary: n-gram → row.
        weights: Shape ``(len(vocabulary), len(languages))``, natural logarithms relative to an
            unseen n-gram.
    """

    languages: tuple[str, ...]
    vocabulary: dict[str, int]
    weights: NDArray[np.float32]
    _cache: dict[str, NDArray[np.float32]] = field(default_factory=dict, repr=False)

    @classmethod
    def learn(
        cls, samples: Mapping[str, Iterable[Sequence[str]]], *, min_count: int = 2
    ) -> LanguageModel:
        """Count n-grams of each language's utterances.

        Args:
            samples: Code → normalised words of each utterance.
            min_count: Fewest occurrences over all languages of a kept n-gram.
        """
        languages = tuple(sorted(samples))
        counts: dict[str, Counter[str]] = {}
        for language in languages:
            counter: Counter[str] = Counter()
            for words in samples[language]:
                for word in words:
                    counter.update(_grams(word))
            counts[language] = counter
        total: Counter[str] = Counter()
        for counter in counts.values():
            total.update(counter)
        kept = sorted(gram for gram, n in total.items() if n >= min_count)
        weights = np.zeros((len(kept), len(languages)), dtype=np.float32)
        for column, language in enumerate(languages):
            counter = counts[language]
            size = sum(counter.values()) + _SMOOTHING * max(len(total), 1)
            values = np.array([counter[gram] for gram in kept], dtype=np.float64)
            weights[:, column] = log((values + _SMOOTHING) / size) + log_of(max(len(total), 1))
        # Rounded as they are stored.
        rounded = weights.astype(np.float16).astype(np.float32)
        return cls(languages, {gram: i for i, gram in enumerate(kept)}, rounded)

    def scores(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Return one log score per language, shape ``(len(languages),)``, the mean over words."""
        if not words:
            return np.zeros(len(self.languages), dtype=np.float32)
        total = np.zeros(len(self.languages), dtype=np.float32)
        for word in words:
            value = self._cache.get(word)
            if value is None:
                ids = [self.vocabulary[g] for g in _grams(word) if g in self.vocabulary]
                value = self.weights[ids].sum(axis=0) / math.sqrt(max(1, len(word)))
                if len(self._cache) < _CACHE_WORDS:
                    self._cache[word] = value
            total += value
        return np.asarray(total / len(words), dtype=np.float32)

    def foreign_score(self, words: Sequence[str]) -> float:
        """Return how much better the best other language explains ``words`` than Dutch.

        Positive means another language; letters of another script give at least 10.
        """
        if script_language(words) is not None:
            return 10.0
        if DUTCH not in self.languages or len(self.languages) < 2:
            return 0.0
        scores: list[float] = self.scores(words).tolist()
        dutch = scores.pop(self.languages.index(DUTCH))
        return min(10.0, max(-10.0, max(scores) - dutch))

    def best_foreign(self, words: Sequence[str]) -> str:
        """Return the likeliest language that is not Dutch, ``und`` when nothing is known."""
        by_script = script_language(words)
        if by_script is not None:
            return by_script
        candidates = [i for i, code in enumerate(self.languages) if code != DUTCH]
        if not candidates or not words:
            return UNDETERMINED
        scores = self.scores(words)
        return self.languages[max(candidates, key=lambda i: float(scores[i]))]


def script_language(words: Sequence[str]) -> str | None:
    """Return a language when at least half the letters are of another script, else None."""
    text = "".join(words)
    if not text or text.isascii():
        return None
    found: Counter[str] = Counter()
    latin = 0
    for letter in text[:500]:
        name = unicodedata.name(letter, "").split(" ", 1)[0].split("-", 1)[0]
        if name in _SCRIPTS:
            found[_SCRIPTS[name]] += 1
        else:
            latin += 1
    if not found or found.total() < latin:
        return None
    language = found.most_common(1)[0][0]
    if language == "ru" and any(letter in "іїєґ" for letter in text):
        return "uk"
    return language


def _grams(word: str) -> list[str]:
    """Return letter n-grams of length 1 to 4 of ``<word>``, and the word itself twice."""
    padded = f"<{word[:30]}>"
    size = len(padded)
    found = [padded[i : i + n] for n in (2, 3, 4) for i in range(size - n + 1)]
    if size > 4:
        found += [padded, padded]
    return found
