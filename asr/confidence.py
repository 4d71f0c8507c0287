"""From word confidences to one number for the utterance that means what it says."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from asr.errors import ModelDamagedError
from asr.recogniser import Word

UNKNOWN_WORD = "[unk]"
"""What a model emits for speech that is no known word; never shown to anyone."""


@dataclass(frozen=True, slots=True)
class PartialCalibration:
    """Turns a decoder's confidence in a word of unfinished speech into the share that is right.

    Attributes:
        bias: Of the logistic function.
        confidence: Weight of the decoder's confidence, as log-odds.
        newest: Share of the words right that the decoder has no confidence for yet.
    """

    bias: float = 0.0
    confidence: float = 1.0
    newest: float = 0.5

    def apply(self, confidence: float) -> float:
        """Return the calibrated confidence, 0..1.

        Args:
            confidence: The decoder's, 0..1.
        """
        return _logistic(self.bias + self.confidence * log_odds(confidence))


@dataclass(frozen=True, slots=True)
class Calibration:
    """Turns a decoder's confidence into the share of words that will be right.

    A decoder only weighs its own readings against each other: of speech in another language it may
    be sure. The cost of the best path for each letter tells how badly the sound fits any reading.

    Attributes:
        bias: Of the logistic function.
        confidence: Weight of the decoder's confidence, as log-odds.
        cost_per_letter: Weight of the best path's cost for each letter recognised.
        partial: For words of unfinished speech, where no cost is known.
        fallback: Share right of the words of a partial that stand where the final result was
            empty: by then the decoder has taken all of it for no word.
    """

    bias: float
    confidence: float
    cost_per_letter: float
    partial: PartialCalibration = PartialCalibration()
    fallback: float = 1.0

    def apply(self, confidence: float, cost_per_letter: float) -> float:
        """Return the calibrated confidence, 0..1.

        Args:
            confidence: The decoder's, 0..1.
            cost_per_letter: The best path's cost, a negated natural log-likelihood as the decoder
                scales it, divided by the letters of its words.
        """
        odds = self.bias + self.confidence * log_odds(confidence)
        return _logistic(odds + self.cost_per_letter * cost_per_letter)

    @staticmethod
    def load(path: Path) -> Calibration | None:
        """Read a model's calibration; None when the model has none.

        Raises:
            ModelDamagedError: The file does not hold the numbers.
        """
        if not path.is_file():
            return None
        try:
            numbers = json.loads(path.read_text(encoding="utf-8"))
            partial = numbers.get("partial", {})
            return Calibration(
                bias=_number(numbers["bias"]),
                confidence=_number(numbers["confidence"]),
                cost_per_letter=_number(numbers["cost_per_letter"]),
                partial=PartialCalibration(
                    **{name: _number(value) for name, value in partial.items()}
                ),
                fallback=_number(numbers.get("fallback", 1.0)),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ModelDamagedError(
                path, "is no calibration", "restore the folder, or delete this file"
            ) from None

    def save(self, path: Path) -> None:
        """Write what :meth:`load` reads."""
        path.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("not a finite number")
    return float(value)


def _logistic(odds: float) -> float:
    # Beyond 50 the exponential says nothing more, and from 710 on it overflows.
    return 1.0 / (1.0 + math.exp(-min(50.0, max(-50.0, odds))))


def log_odds(share: float) -> float:
    """Return ln(p / (1 - p)), bounded at 2 % and 98 %.

    Args:
        share: A probability, 0..1.
    """
    bounded = min(0.98, max(0.02, share))
    return math.log(bounded / (1.0 - bounded))


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
