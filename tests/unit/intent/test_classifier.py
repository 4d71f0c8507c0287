"""On the embedded model: what every caller of the classifier relies on."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from intent.catalogue import Catalogue, load_catalogue
from intent.classifier import Classification, TrainedClassifier
from intent.explain import Neighbours, word_weights
from tests.unit.intent.steps import steps

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(ROOT / "training_data")


@pytest.fixture(scope="module")
def classifier(catalogue: Catalogue) -> TrainedClassifier:
    return TrainedClassifier.load(ROOT / "models" / "intent-nl", catalogue)


@pytest.mark.parametrize(
    ("said", "thema"),
    [
        ("ik heb een brief gekregen over de verkeersbelasting van mijn auto", "belastingen"),
        ("studie toelage voor mijn dochter waar blijft die", "onderwijs"),
        ("premie voor nieuwe ramen", "bouwen-wonen"),
        ("mijn digitale meter is stuk", "energie"),
        ("wanneer komt het kindergeld", "gezin-groeipakket"),
        ("plaats zoeken in een rusthuis voor ons moeder", "welzijn-zorg"),
        ("mijn rijbewijs is vervallen", "mobiliteit"),
        ("ik wil dienstencheques bestellen", "werk-ondernemen"),
        ("er ligt asbest in de gracht", "leefmilieu-natuur"),
        ("itsme werkt niet meer op mijn nieuwe gsm", "digitale-hulp"),
        ("ik ben verhuisd en wil mijn adres veranderen", "burger-overheid"),
        ("hoe vraag ik een uitpas aan", "cultuur-sport-vrijetijd"),
        ("wanneer wordt mijn pensioen gestort", "buiten-bereik"),
        ("geef mij een echte mens alstublieft", "mens"),
        ("bonjour est ce que vous parlez français", "andere-taal"),
    ],
)
def test_plain_questions_reach_their_thema(
    classifier: TrainedClassifier, said: str, thema: str
) -> None:
    """
    One plain question of each label is understood.
    """
    assert thema == classifier.classify(said).ranking[0].thema


@pytest.mark.parametrize(
    "text",
    ["", "   ", "😀😀", "<script>alert(1)</script>", "\x00\x01", "a" * 100_000, "ja " * 10_000,
     "مرحبا", "12345678901234567890" * 50, "\ud800", "l" * 39 + "é" * 1000],
)  # fmt: skip
@pytest.mark.parametrize("confidence", [1.0, 0.0, -3.0, math.nan, math.inf])
def test_any_text_gives_a_full_ranking(
    classifier: TrainedClassifier, text: str, confidence: float
) -> None:
    """
    Whatever was said, all labels are ranked, in order, and the probabilities sum to one.
    """
    found = classifier.classify(text, confidence=confidence)
    probabilities = [ranked.probability for ranked in found.ranking]

    assert set(classifier.labels) == {ranked.thema for ranked in found.ranking}
    assert sorted(probabilities, reverse=True) == probabilities
    assert 1.0 == pytest.approx(sum(probabilities))
    assert all(0.0 <= p <= 1.0 for p in probabilities)
    assert classifier.version == found.model


def test_nothing_said_is_unsure(classifier: TrainedClassifier) -> None:
    """
    Silence favours no thema.
    """
    found = classifier.classify("")

    assert found.ranking[0].probability == pytest.approx(found.ranking[-1].probability)
    assert "nl" == found.language
    assert found.product is None


def test_other_language_is_named(classifier: TrainedClassifier) -> None:
    """
    The language goes with andere-taal and is Dutch otherwise.
    """
    turkish = classifier.classify("merhaba türkçe bilen biri var mı lütfen")

    assert ("andere-taal", "tr") == (turkish.ranking[0].thema, turkish.language)
    assert "nl" == classifier.classify("mijn rijbewijs is kwijt").language
    assert "ar" == classifier.classify("مرحبا هل تتكلم العربية").language


def test_product_goes_to_the_voorlichter(classifier: TrainedClassifier) -> None:
    """
    The likeliest product of the likeliest thema comes with the ranking.
    """
    found = classifier.classify("ik heb nog geen startbedrag gekregen voor onze baby")

    assert found.product is not None
    assert ("Startbedrag geboorte", "gezin-groeipakket") == (
        found.product.name,
        found.product.thema,
    )


def test_alternatives_are_weighed_in(classifier: TrainedClassifier) -> None:
    """
    A misheard best transcript is corrected by the next ones.
    """
    alone = classifier.classify("de bewijs", confidence=0.3)
    helped = classifier.classify(
        "de bewijs", confidence=0.3, alternatives=[("mijn rijbewijs", 0.3), ("rijbewijs", 0.25)]
    )

    def mobility(found: Classification) -> float:
        return next(r.probability for r in found.ranking if r.thema == "mobiliteit")

    assert mobility(helped) > mobility(alone)


def test_removed_thema_is_never_ranked(classifier: TrainedClassifier, catalogue: Catalogue) -> None:
    """
    A thema taken from the catalogue leaves its probability to buiten-bereik; the old classifier,
    which calls in progress still hold, is untouched.
    """
    without = dataclasses.replace(
        catalogue,
        themas=tuple(t for t in catalogue.themas if t.slug != "energie"),
        products=tuple(p for p in catalogue.products if p.thema != "energie"),
    )
    smaller = TrainedClassifier(classifier.model, classifier.version, without)

    found = smaller.classify("mijn digitale meter is stuk")

    assert "energie" not in {ranked.thema for ranked in found.ranking}
    assert 1.0 == pytest.approx(sum(ranked.probability for ranked in found.ranking))
    assert "energie" == classifier.classify("mijn digitale meter is stuk").ranking[0].thema


def test_explanation_names_the_telling_word(classifier: TrainedClassifier) -> None:
    """
    The word that decided stands first, and similar training utterances share the thema.
    """
    text = "goeiedag mevrouw ik had graag iets geweten over mijn rijbewijs"
    words = word_weights(classifier.model, text, "mobiliteit")
    nearest = Neighbours(classifier.model).nearest(text)

    assert "rijbewijs" == words[0].word
    assert words[0].weight > 0
    assert "mobiliteit" == nearest[0].thema
    assert nearest[0].similarity >= nearest[-1].similarity > 0


def test_explanation_of_nothing_is_empty(classifier: TrainedClassifier) -> None:
    """
    No words, no reasons.
    """
    assert () == word_weights(classifier.model, "", "mens")
    assert () == Neighbours(classifier.model).nearest("")


def test_one_classification_is_a_bounded_number_of_steps(classifier: TrainedClassifier) -> None:
    """
    A sentence takes a few hundred; a story without end, no more than its 240 words that are read.
    """
    text = "euh ja goeiedag ik heb een brief gekregen over de belasting van mijn wagen "
    for said in (text, text * 16):
        classifier.classify(said)

    assert steps(lambda: classifier.classify(text)) < 800
    assert steps(lambda: classifier.classify(text * 40)) < 4000
