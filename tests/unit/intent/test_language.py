"""Which language a caller speaks, from few and misheard words."""

from __future__ import annotations

import pytest

from intent.language import UNDETERMINED, LanguageModel, script_language
from intent.text import tokens


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    samples = {
        "nl": [
            "ik heb een vraag over mijn huis",
            "waar kan ik een premie aanvragen",
            "het is goed",
        ],
        "fr": ["je voudrais savoir si vous parlez", "bonjour madame pour la maison", "c'est bien"],
        "en": ["i would like to know how this works", "do you speak english please", "the house"],
    }
    return LanguageModel.learn({k: [tokens(t) for t in v] for k, v in samples.items()})


@pytest.mark.parametrize(
    ("text", "language"),
    [("bonjour je voudrais une maison", "fr"), ("hello i would like a house please", "en")],
)
def test_other_languages_are_told_apart(model: LanguageModel, text: str, language: str) -> None:
    """
    The likeliest other language is named and beats Dutch.
    """
    assert language == model.best_foreign(tokens(text))
    assert model.foreign_score(tokens(text)) > 0


def test_dutch_is_not_foreign(model: LanguageModel) -> None:
    """
    Dutch that was not in the examples explains itself best.
    """
    assert model.foreign_score(tokens("waar is mijn premie voor een goed huis")) < 0


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("здравствуйте", "ru"),
        ("добрий день, її", "uk"),
        ("مرحبا", "ar"),
        ("你好", "zh"),
        ("hallo", None),
        ("café", None),
        ("", None),
    ],
)
def test_script_names_the_language(text: str, language: str | None) -> None:
    """
    Letters of another script need no example.
    """
    assert language == script_language(tokens(text))


def test_nothing_said_has_no_language(model: LanguageModel) -> None:
    """
    No words: no language, and no sign of another.
    """
    assert UNDETERMINED == model.best_foreign([])
    assert 0.0 == model.foreign_score([])
