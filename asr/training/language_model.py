"""A trigram language model: absolute discounting for each source, interpolated, pruned.

Source: Kneser and Ney (1995) for the lower orders; Seymore and Rosenfeld (1996) for pruning.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

START, END = "<s>", "</s>"
_DISCOUNT = 0.75
Context = tuple[str, ...]


class Source:
    """Counts of one text source, and its interpolated probabilities.

    Args:
        sentences: Normalised sentences.
        vocabulary: Words kept; the others become ``unknown``.
        unknown: The word for all others.
        background: Unigram probabilities that smooth this source's own.
    """

    def __init__(
        self,
        sentences: Iterable[str],
        vocabulary: set[str],
        unknown: str,
        background: dict[str, float],
    ) -> None:
        self.bigrams: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.trigrams: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for sentence in sentences:
            known = [word if word in vocabulary else unknown for word in sentence.split()]
            if not known:
                continue
            words = [START, *known, END]
            for i in range(1, len(words)):
                self.bigrams[words[i - 1]][words[i]] += 1
                if i > 1:
                    self.trigrams[words[i - 2], words[i - 1]][words[i]] += 1
        self._background = background
        followed: Counter[str] = Counter()
        for following in self.bigrams.values():
            followed.update(following.keys())
        self._followed = followed
        self._contexts = sum(followed.values()) or 1
        self._totals2 = {word: sum(following.values()) for word, following in self.bigrams.items()}
        self._totals3 = {pair: sum(following.values()) for pair, following in self.trigrams.items()}
        self._rest1 = _DISCOUNT * len(followed) / self._contexts

    def unigram(self, word: str) -> float:
        """Return p(word)."""
        own = max(self._followed[word] - _DISCOUNT, 0.0) / self._contexts
        return own + self._rest1 * self._background.get(word, 1e-9)

    def bigram(self, first: str, word: str) -> float:
        """Return p(word | first)."""
        total = self._totals2.get(first)
        lower = self.unigram(word)
        if not total:
            return lower
        following = self.bigrams[first]
        own = max(following[word] - _DISCOUNT, 0.0) / total if word in following else 0.0
        return own + _DISCOUNT * len(following) / total * lower

    def trigram(self, first: str, second: str, word: str) -> float:
        """Return p(word | first, second)."""
        total = self._totals3.get((first, second))
        lower = self.bigram(second, word)
        if not total:
            return lower
        following = self.trigrams[first, second]
        own = max(following[word] - _DISCOUNT, 0.0) / total if word in following else 0.0
        return own + _DISCOUNT * len(following) / total * lower


@dataclass(slots=True)
class BackoffModel:
    """A pruned model in the form of explicit n-grams and back-off weights.

    Attributes:
        probabilities: For each context, the words with a probability of their own.
        backoffs: For each context but the empty one, the weight of the shorter context.
    """

    probabilities: dict[Context, dict[str, float]]
    backoffs: dict[Context, float] = field(default_factory=dict)

    def probability(self, context: Context, word: str) -> float:
        """Return p(word | context), backing off as a decoder does."""
        own = self.probabilities.get(context, {}).get(word)
        if own is not None:
            return own
        if not context:
            return 1e-12
        return self.backoffs.get(context, 1.0) * self.probability(context[1:], word)

    def size(self) -> int:
        """Return the number of explicit n-grams."""
        return sum(len(words) for words in self.probabilities.values())


def unigram_background(
    counts: list[tuple[float, dict[str, int]]], words: set[str]
) -> dict[str, float]:
    """Mix word frequencies of several sources into one distribution over the vocabulary.

    Args:
        counts: Weight and word counts of each source.
        words: The vocabulary; every word gets a little.
    """
    mixed = dict.fromkeys(words, 0.02 / len(words))
    for weight, source in counts:
        total = sum(count for word, count in source.items() if word in words) or 1
        for word, count in source.items():
            if word in words:
                mixed[word] += weight * count / total
    whole = sum(mixed.values())
    return {word: share / whole for word, share in mixed.items()}


def interpolate(
    sources: list[tuple[float, Source]],
    vocabulary: set[str],
    *,
    bigrams: int,
    trigrams: int,
) -> BackoffModel:
    """Mix sources and keep the n-grams that matter most.

    Args:
        sources: Weight and source; weights sum to 1.
        vocabulary: All words, each of which keeps its unigram.
        bigrams: Explicit bigrams kept.
        trigrams: Explicit trigrams kept; their contexts' bigrams are kept as well.
    """
    words = {*vocabulary, END}
    one = {word: sum(w * s.unigram(word) for w, s in sources) for word in words}
    whole = sum(one.values())
    one = {word: p / whole for word, p in one.items()}

    pairs = {(a, b) for _, s in sources for a, following in s.bigrams.items() for b in following}
    two = {(a, b): sum(w * s.bigram(a, b) for w, s in sources) for a, b in pairs}
    triples = {
        (a, b, c) for _, s in sources for (a, b), following in s.trigrams.items() for c in following
    }
    three = {t: sum(w * s.trigram(*t) for w, s in sources) for t in triples}

    def weight2(pair: tuple[str, str]) -> float:
        gain = two[pair] * math.log(max(two[pair] / one[pair[1]], 1e-3))
        return gain * one.get(pair[0], 0.05)

    def weight3(triple: tuple[str, str, str]) -> float:
        a, b, c = triple
        lower = two.get((b, c), one[c] * 0.3)
        return (
            one.get(a, 0.05)
            * two.get((a, b), 1e-6)
            * three[triple]
            * math.log(max(three[triple] / lower, 1e-3))
        )

    kept3 = set(sorted(triples, key=lambda t: (-weight3(t), t))[:trigrams])
    kept2 = set(sorted(pairs, key=lambda p: (-weight2(p), p))[:bigrams])
    kept2 |= {(a, b) for a, b, _ in kept3} | {(b, c) for _, b, c in kept3}
    kept2 = {pair for pair in kept2 if pair in two}
    kept3 = {t for t in kept3 if (t[0], t[1]) in kept2 and (t[1], t[2]) in kept2}
    probabilities: dict[Context, dict[str, float]] = {(): one}
    for a, b in kept2:
        probabilities.setdefault((a,), {})[b] = two[a, b]
    for a, b, c in kept3:
        probabilities.setdefault((a, b), {})[c] = three[a, b, c]
    model = BackoffModel(probabilities)
    for context in sorted(probabilities, key=len):
        if context:
            model.backoffs[context] = _backoff(model, context)
    return model


def _backoff(model: BackoffModel, context: Context) -> float:
    own = model.probabilities[context]
    left = 1.0 - sum(own.values())
    lower = 1.0 - sum(model.probability(context[1:], word) for word in own)
    return max(left, 1e-4) / max(lower, 1e-4)


def perplexity(model: BackoffModel, sentences: list[str], vocabulary: set[str]) -> float:
    """Return the perplexity over the words of sentences that the vocabulary knows."""
    total, count = 0.0, 0
    for sentence in sentences:
        context: Context = (START,)
        for word in [*sentence.split(), END]:
            if word in vocabulary or word == END:
                total -= math.log(model.probability(context, word))
                count += 1
                context = (*context, word)[-2:]
            else:
                context = ()
    return math.exp(total / max(1, count))
