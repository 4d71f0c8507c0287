"""What vosk answers, as words and readings."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from asr.errors import RecogniserFailedError
from asr.readings import NBestReading
from asr.recogniser import Word


def parsed(answer: str) -> dict[str, Any]:
    """Read an answer.

    Raises:
        RecogniserFailedError: It is no JSON object.
    """
    try:
        result = json.loads(answer)
    except ValueError:
        # "from None": JSONDecodeError.doc holds the caller's words.
        raise RecogniserFailedError("vosk", "returned malformed JSON") from None
    if not isinstance(result, dict):
        raise RecogniserFailedError("vosk", "returned no JSON object")
    return result


def words_of(result: dict[str, Any], key: str, earlier_seconds: float) -> list[Word]:
    """Return a word list; unknown words stay in it, they lower the confidence.

    Args:
        result: From :func:`parsed`.
        key: Of the list.
        earlier_seconds: On the decoder's clock when the utterance began.
    """
    words: list[Word] = []
    for item in result.get(key, []):
        # Hundredths of a second, as the decoder counts them: on a decoder that is used again, the
        # difference would have other last bits.
        start, end = (
            max(0.0, round(float(item[edge]) - earlier_seconds, 2)) for edge in ("start", "end")
        )
        confidence = min(1.0, max(0.0, float(item.get("conf", 0.0))))
        if words:
            start = max(start, words[-1].start_seconds)
        words.append(Word(str(item["word"]), start, max(start, end), confidence))
    return words


def readings_of(result: dict[str, Any], earlier_seconds: float) -> list[NBestReading]:
    """Turn the n best, scored by log-likelihood, into shares of the readings returned."""
    found = result.get("alternatives", [])
    scores = np.array([float(item.get("confidence", 0.0)) for item in found])
    if not len(scores):
        return []
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    return [
        NBestReading(words_of(item, "result", earlier_seconds), float(share), -float(score))
        for item, share, score in zip(found, shares, scores, strict=True)
    ]
