"""From word confidences to one number for the utterance that means what it says."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.errors import ModelDamagedError
from asr.recogniser import Word

UNKNOWN_WORD = "[unk]"
"""What a model emits for speech that is no known word; never shown to anyone."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Turns a decoder's confidence into the share of words that will be right.

    A decoder only weighs its own readings against each other: of speech in another language it may
    be sure. The cost of the best path for each letter tells how badly the sound fits any reading.

    Attributes:
        bias: Of the logistic function.
        confidence: Weight of the decoder's confidence, as log-odds.
        cost_per_letter: Weight of the best path's cost for each letter recognised.
    """

    bias: float
    confidence: float
    cost_per_letter: float

    def apply(self, confidence: float, cost_per_letter: float) -> float:
        """Return the calibrated confidence, 0..1."""
        odds = self.bias + self.confidence * log_odds(confidence)
        return 1.0 / (1.0 + math.exp(-(odds + self.cost_per_letter * cost_per_letter)))

    @staticmethod
    def load(path: Path) -> Calibration | None:
        """Read a model's calibration; None when the model has none.

        Raises:
            ModelDamagedError: The file does not hold the three numbers.
        """
        if not path.is_file():
            return None
        try:
            numbers = json.loads(path.read_text(encoding="utf-8"))
            return Calibration(
                float(numbers["bias"]),
                float(numbers["confidence"]),
                float(numbers["cost_per_letter"]),
            )
        except (ValueError, KeyError, TypeError):
            raise ModelDamagedError(
                path, "is no calibration", "restore the folder, or delete this file"
            ) from None


def log_odds(share: float) -> float:
    """Return ln(p / (1 - p)), bounded at 2 % and 98 %."""
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
