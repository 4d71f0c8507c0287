"""The n best readings of an utterance, as one decoder gives them."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from asr.confidence import UNKNOWN_WORD
from asr.recogniser import Alternative, Word


class NBestReading(NamedTuple):
    """One of the n best: its words, its share of all of them, its cost (minus log-likelihood)."""

    words: list[Word]
    share: float
    cost: float


def joined(words: list[Word]) -> str:
    """The text of words, unknown ones left out."""
    return " ".join(word.text for word in words if word.text != UNKNOWN_WORD)


def with_confidences(readings: list[NBestReading]) -> list[Word]:
    """Return the best reading, each word as sure as the readings that have it there."""
    if not readings:
        return []
    sure: list[Word] = []
    for word in readings[0].words:
        share = sum(
            reading.share
            for reading in readings
            if any(
                other.text == word.text
                and other.start_seconds < word.end_seconds
                and word.start_seconds < other.end_seconds
                for other in reading.words
            )
        )
        sure.append(replace(word, confidence=min(1.0, share)))
    return sure


def alternatives_of(readings: list[NBestReading]) -> tuple[Alternative, ...]:
    """Return the different texts of the readings, likeliest first."""
    shares: dict[str, float] = {}
    for reading in readings:
        if text := joined(reading.words):
            shares[text] = shares.get(text, 0.0) + reading.share
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    return tuple(Alternative(text, share) for text, share in ranked)


def followed(
    before: tuple[Alternative, ...], after: tuple[Alternative, ...], most: int
) -> tuple[Alternative, ...]:
    """Return the likeliest readings of two stretches of an utterance, one after the other.

    Args:
        before: Of the first stretch; empty when nothing was said in it.
        after: Of the second one, likewise.
        most: How many to return at most.
    """
    if not before or not after:
        return before or after
    pairs = [
        Alternative(f"{first.text} {second.text}", first.confidence * second.confidence)
        for first in before
        for second in after
    ]
    return tuple(sorted(pairs, key=lambda pair: -pair.confidence)[:most])
