"""Whose words are believed, and what becomes of the readings of both engines."""

from __future__ import annotations

import pytest

from asr.recogniser import Alternative, Transcript
from ivr.engine.readings import believes_second, is_unsure, merged


def heard(
    text: str, confidence: float, *others: tuple[str, float], fallback: bool = False
) -> Transcript:
    readings = tuple(Alternative(other, share) for other, share in others)
    return Transcript(text, confidence, (), readings, "engine", "model", is_fallback=fallback)


@pytest.mark.parametrize(
    ("transcript", "below", "expected"),
    [
        (heard("een vraag", 0.9), 0.6, False),
        (heard("een vraag", 0.6), 0.6, False),
        (heard("een vraag", 0.59), 0.6, True),
        (heard("een vraag", 0.9, fallback=True), 0.6, True),
        (heard("", 0.0), 0.6, True),
        (None, 0.6, True),
        (None, 0.0, False),
        (heard("", 0.0), 0.0, False),
        (heard("een vraag", 0.0), 0.0, False),
    ],
)
def test_who_is_unsure(transcript: Transcript | None, below: float, expected: bool) -> None:
    """
    A low confidence, nothing, or only the last stable partial; with 0, nobody ever is.
    """
    assert expected is is_unsure(transcript, below)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (heard("a", 0.4), heard("b", 0.5), True),
        (heard("a", 0.5), heard("b", 0.4), False),
        (heard("a", 0.5), heard("b", 0.5), False),
        (None, heard("", 0.0), True),
        (heard("", 0.0), heard("b", 0.1), True),
        (heard("a", 0.1), heard("", 0.0), False),
        (heard("a", 0.9, fallback=True), heard("b", 0.3), True),
        (heard("a", 0.3), heard("b", 0.9, fallback=True), False),
        (heard("a", 0.3, fallback=True), heard("b", 0.9, fallback=True), True),
    ],
)
def test_whose_words_are_believed(
    first: Transcript | None, second: Transcript, expected: bool
) -> None:
    """
    Words beat silence, the finished beats the partial, then the confidence decides; ties keep.
    """
    assert expected is believes_second(first, second)
    better = merged(first, second)
    assert (second if expected or first is None else first).text == better.text


def test_a_reading_that_both_have_rises() -> None:
    """
    Each engine believes another reading first; the one both know gathers both shares.
    """
    first = heard("mijn rijbewijs", 0.4, ("mijn rijbewijs", 0.6), ("mijn bewijs", 0.4))
    second = heard("mijn prijs", 0.4, ("mijn prijs", 0.5), ("mijn bewijs", 0.5))

    both = merged(first, second)

    assert ["mijn bewijs", "mijn rijbewijs", "mijn prijs"] == [a.text for a in both.alternatives]
    assert pytest.approx([0.45, 0.3, 0.25]) == [a.confidence for a in both.alternatives]


def test_readings_count_by_what_their_engine_understood() -> None:
    """
    An engine without a list has one reading; an engine that understood nothing has little weight.
    """
    first = heard("ja dag", 0.1, ("ja dag", 1.0))
    second = heard("een premie", 0.9)

    both = merged(first, second)

    assert ["een premie", "ja dag"] == [a.text for a in both.alternatives]
    assert pytest.approx([0.9, 0.1]) == [a.confidence for a in both.alternatives]


def test_scores_that_are_no_shares_become_shares() -> None:
    """
    Whatever an engine calls a confidence, all readings together are one belief at most.
    """
    first = heard("a", 0.5, ("a", 1.0), ("b", 1.0), ("c", 0.5))
    second = heard("d", 0.0, *((letter, 0.9) for letter in "defghijkl"))

    both = merged(first, second)

    assert 1.0 >= sum(a.confidence for a in both.alternatives) - 1e-9
    assert 8 >= len(both.alternatives)


def test_two_engines_without_any_confidence() -> None:
    """
    No weights to divide by; the first stands.
    """
    both = merged(heard("a", 0.0), heard("b", 0.0))

    assert "a" == both.text
    assert {"a": 0.5, "b": 0.5} == {a.text: a.confidence for a in both.alternatives}
