"""Word error rate, with how far to trust it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class WordErrors:
    """Errors of one utterance.

    Attributes:
        substitutions: Words heard as another.
        deletions: Words not heard.
        insertions: Words heard that were not said.
        words: Words said.
    """

    substitutions: int
    deletions: int
    insertions: int
    words: int

    @property
    def errors(self) -> int:
        """All errors together."""
        return self.substitutions + self.deletions + self.insertions


@dataclass(frozen=True, slots=True)
class WordErrorRate:
    """Errors per word said over a set of utterances; may exceed 1.

    Attributes:
        rate: Errors divided by words.
        low: Lower end of the 95 % confidence interval.
        high: Upper end.
        errors: Errors in all.
        words: Words said in all.
        utterances: How many.
    """

    rate: float
    low: float
    high: float
    errors: int
    words: int
    utterances: int


def word_errors(said: str, heard: str) -> WordErrors:
    """Align two texts word for word and count the fewest errors (Levenshtein).

    Args:
        said: What was said; both are split at white space and compared as they are.
        heard: What was recognised.
    """
    wanted, got = said.split(), heard.split()
    # Each cell: errors, substitutions, deletions, insertions.
    row = [(j, 0, 0, j) for j in range(len(got) + 1)]
    for i, word in enumerate(wanted, 1):
        diagonal = row[0]
        row[0] = (i, 0, i, 0)
        for j, other in enumerate(got, 1):
            above, left = row[j], row[j - 1]
            if word == other:
                best = diagonal
            else:
                best = min(
                    (diagonal[0] + 1, diagonal[1] + 1, diagonal[2], diagonal[3]),
                    (above[0] + 1, above[1], above[2] + 1, above[3]),
                    (left[0] + 1, left[1], left[2], left[3] + 1),
                )
            diagonal, row[j] = above, best
    _, substitutions, deletions, insertions = row[-1]
    return WordErrors(substitutions, deletions, insertions, len(wanted))


def right_words(
    said: Sequence[str], heard: Sequence[str], *, unfinished: bool = False
) -> list[bool]:
    """Tell for each word heard whether it was said there, in the alignment with fewest errors.

    Args:
        said: Words said.
        heard: Words recognised.
        unfinished: Only the beginning was heard so far: words said after it are no errors.
    """
    cost = np.zeros((len(said) + 1, len(heard) + 1), np.int64)
    cost[:, 0] = np.arange(len(said) + 1)
    cost[0, :] = np.arange(len(heard) + 1)
    for i, word in enumerate(said, 1):
        for j, other in enumerate(heard, 1):
            cost[i, j] = min(
                cost[i - 1, j - 1] + (word != other), cost[i - 1, j] + 1, cost[i, j - 1] + 1
            )
    i, j = len(said), len(heard)
    if unfinished:
        i = int(np.argmin(cost[:, j]))
    right = [False] * len(heard)
    while i and j:
        if said[i - 1] == heard[j - 1] and cost[i, j] == cost[i - 1, j - 1]:
            i, j = i - 1, j - 1
            right[j] = True
        elif cost[i, j] == cost[i - 1, j - 1] + 1:
            i, j = i - 1, j - 1
        elif cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return right


def word_error_rate(
    counted: Iterable[WordErrors], *, seed: int = 1700, resamples: int = 1000
) -> WordErrorRate:
    """Return the rate over utterances with a bootstrap confidence interval.

    Utterances are drawn anew, not words: errors within an utterance hang together.

    Args:
        counted: Errors of each utterance.
        seed: Of the drawing.
        resamples: Times that the set is drawn.

    Raises:
        ValueError: Nothing was said at all.
    """
    each = list(counted)
    errors = np.array([one.errors for one in each], np.int64)
    words = np.array([one.words for one in each], np.int64)
    if not words.sum():
        raise ValueError("a word error rate needs at least one word that was said")
    rng = np.random.default_rng(seed)
    rates: list[float] = []
    for _ in range(resamples):
        drawn = rng.integers(len(each), size=len(each))
        rates.append(float(errors[drawn].sum() / max(1, words[drawn].sum())))
    low, high = np.quantile(rates, [0.025, 0.975])
    rate = float(errors.sum() / words.sum())
    return WordErrorRate(
        rate, float(low), float(high), int(errors.sum()), int(words.sum()), len(each)
    )
