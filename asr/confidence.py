"""From word confidences to one number for the utterance."""

from __future__ import annotations

from collections.abc import Sequence

from asr.recogniser import Word

UNKNOWN_WORD = "[unk]"
"""What a model emits for speech that is no known word; never shown to anyone."""


def utterance_confidence(words: Sequence[Word]) -> float:
    """Return how much of the speech was understood, 0..1.

    Each word counts by its length, since a long word right or wrong says more than an article;
    speech that was no known word counts as not understood.

    Args:
        words: Words in order, unknown ones included.
    """
    total = 0.0
    understood = 0.0
    for word in words:
        if word.text == UNKNOWN_WORD:
            # An unknown stretch weighs as the letters that usually take its time: 12 a second.
            total += max(4.0, 12.0 * (word.end_seconds - word.start_seconds))
        else:
            total += len(word.text)
            understood += len(word.text) * word.confidence
    return understood / total if total else 0.0
