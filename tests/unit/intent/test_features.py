"""From words to numbers: the same words give the same row."""

from __future__ import annotations

import numpy as np
import pytest

from intent.features import CHAR_WEIGHT, FeatureSpace, compound_parts, grams


@pytest.fixture
def space() -> FeatureSpace:
    documents = ["mijn zonnepanelen", "studietoelage aanvragen", "premie voor mijn huis"] * 3
    return FeatureSpace.learn(text.split() for text in documents)


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("zonnepanelenpremie", ("zonnepanelen", "premie")),
        ("verkeersbelasting", ("verkeer", "belasting")),
        ("premie", ()),
        ("qqqqqqqqqqqq", ()),
        ("x" * 5000, ()),
    ],
)
def test_compounds_fall_apart_in_known_words(word: str, parts: tuple[str, ...]) -> None:
    """
    A compound that training never saw still speaks through its parts.
    """
    known = {"zonnepanelen", "premie", "verkeer", "belasting"}

    assert parts == compound_parts(word, known)


def test_cut_compound_is_the_same_word(space: FeatureSpace) -> None:
    """
    A recogniser that writes "studie toelage" still gives the feature "studietoelage".
    """
    indices, _ = space.vector(["studie", "toelage"])

    assert space.vocabulary["studietoelage"] in indices


def test_blocks_have_their_length(space: FeatureSpace) -> None:
    """
    Words and letters keep their share, however long the text.
    """
    _, values = space.vector(["mijn", "zonnepanelen", "mijn"])

    assert 1.0 + CHAR_WEIGHT**2 == pytest.approx(float(np.dot(values, values)), abs=1e-5)


def test_unknown_text_is_an_empty_vector(space: FeatureSpace) -> None:
    """
    Nothing known gives no feature and no error.
    """
    for words in ([], ["qqq"], ["😀"]):
        indices, values = space.vector(words)

        assert 0 == len(indices) == len(values)


def test_cache_changes_nothing(space: FeatureSpace) -> None:
    """
    The second look at a word gives what the first gave.
    """
    first = space.vector(["premie", "huis"])
    second = space.vector(["premie", "huis"])

    assert first[0].tolist() == second[0].tolist()
    assert first[1].tolist() == second[1].tolist()


def test_grams_stay_inside_the_word() -> None:
    """
    Letters are looked at per word, with its edges marked.
    """
    assert {"#<ja", "#ja>", "#<ja>"} == set(grams("ja"))
