"""Words as the classifier reads them, from typed and from recognised text alike."""

from __future__ import annotations

import pytest

from intent.text import MAX_WORDS, normalise, number_words, tokens


@pytest.mark.parametrize(
    ("typed", "spoken"),
    [
        ("Ik heb 2 kinderen!", "ik heb twee kinderen"),
        ("V.D.A.B.", "vdab"),
        ("k m o portefeuille", "kmo portefeuille"),
        ("vee dee aa bee", "vdab"),
        ("foto's café", "fotos cafe"),
        ("zo'n brief", "zo n brief"),
        ("65-plusser", "vijfenzestig plusser"),
        ("<b>premie</b> &amp; lening", "premie lening"),
        ("😀\x00\x07 hallo​", "hallo"),
    ],
)
def test_typed_and_spoken_become_one_spelling(typed: str, spoken: str) -> None:
    """
    What is typed with capitals, digits and markup equals what a recogniser writes.
    """
    expected = spoken

    assert expected == normalise(typed)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "nul"),
        (21, "eenentwintig"),
        (100, "honderd"),
        (84, "vierentachtig"),
        (1700, "zeventienhonderd"),
        (2000, "tweeduizend"),
        (2024, "tweeduizendvierentwintig"),
        (12345, "een twee drie vier vijf"),
    ],
)
def test_numbers_are_spelled_the_dutch_way(number: int, words: str) -> None:
    """
    Years and amounts sound as a recogniser writes them.
    """
    assert words == number_words(number)


def test_long_story_keeps_its_end() -> None:
    """
    Of ten thousand words the last stays: the point often comes there.
    """
    words = tokens("bla " * 10_000 + "rijbewijs")

    assert MAX_WORDS == len(words)
    assert "rijbewijs" == words[-1]


def test_other_scripts_stay() -> None:
    """
    Letters of another script are evidence of another language.
    """
    assert ["здравствуите", "мир"] == tokens("Здравствуйте, мир")


@pytest.mark.parametrize("text", ["", " ", "...", "😀", "\x00", "<br>"])
def test_nothing_said_gives_no_words(text: str) -> None:
    """
    Text without letters or digits has no words.
    """
    assert [] == tokens(text)
