"""Recognition errors made on purpose: deterministic, bounded, and never an empty sentence."""

from __future__ import annotations

from random import Random

import pytest

from intent.augment import Augmenter

TEXT = "ik wil een premie voor mijn huis in gent want ik heb twintig jaar gespaard"


@pytest.fixture
def augmenter() -> Augmenter:
    return Augmenter({"premie": ("première", "primi"), "huis": ("thuis", "buis")})


def test_same_seed_same_variants(augmenter: Augmenter) -> None:
    """
    Training is reproducible only if its variants are.
    """
    one = [augmenter.corrupt(augmenter.wrap(TEXT, r), 0.3, r) for r in (Random(1), Random(2))]
    two = [augmenter.corrupt(augmenter.wrap(TEXT, r), 0.3, r) for r in (Random(1), Random(2))]

    assert one == two
    assert one[0] != one[1]


def test_rate_is_a_share_of_words(augmenter: Augmenter) -> None:
    """
    No errors at rate 0; at rate 0.2 about one word in five is touched.
    """
    rng = Random(7)
    words = TEXT.split()
    missing = sum(
        len(set(words) - set(augmenter.corrupt(TEXT, 0.2, rng).split())) for _ in range(400)
    )

    assert TEXT == augmenter.corrupt(TEXT, 0.0, rng)
    assert 0.10 < missing / 400 / len(words) < 0.25


def test_wrapping_keeps_the_question(augmenter: Augmenter) -> None:
    """
    Politeness goes around and between the words, never over them.
    """
    rng = Random(3)
    for _ in range(50):
        left = iter(augmenter.wrap(TEXT, rng).split())

        assert all(word in left for word in TEXT.split())


def test_slots_change_place_and_amount(augmenter: Augmenter) -> None:
    """
    The town and the number are others; every other word stays.
    """
    filled = augmenter.fill_slots(TEXT, Random(4)).split()

    assert len(TEXT.split()) == len(filled)
    changed = {a for a, b in zip(TEXT.split(), filled, strict=True) if a != b}
    assert changed <= {"gent", "twintig"}
    assert changed


def test_nothing_survives_as_nothing(augmenter: Augmenter) -> None:
    """
    Empty text and a single word do not break.
    """
    assert "" == augmenter.corrupt("", 1.0, Random(1))
    assert augmenter.corrupt("premie", 1.0, Random(1))
