"""What a turn is about, while the caller speaks and at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

from asr.recogniser import Partial, Transcript
from intent.classifier import Classification, Classifier

FAILED = "classifier_failed"


@dataclass(frozen=True, slots=True)
class Classified:
    """What a transcript is about."""

    classification: Classification | None = field(default=None, repr=False)
    """None when there were no words, or the classifier failed."""
    failure: str = ""
    """Code of the failure; empty when there was none."""
    seconds: float = 0.0


class TurnClassifier:
    """The classifier, for words that were recognised. Any thread.

    Args:
        classifier: Returns the classifier of the moment, so that a promoted model is taken by the
            next turn without a lost call.
    """

    def __init__(self, classifier: Callable[[], Classifier]) -> None:
        self._classifier = classifier

    def so_far(self, partial: Partial) -> Classification | None:
        """Classify what was heard so far; None when the classifier failed."""
        try:
            return self._classifier().classify(partial.text, confidence=partial.confidence)
        except Exception:
            # The turn then ends after the usual pause.
            return None

    def whole(self, transcript: Transcript | None) -> Classified:
        """Classify a whole turn, with the other readings of its words."""
        if transcript is None or not transcript.text:
            return Classified()
        began = perf_counter()
        try:
            classification = self._classifier().classify(
                transcript.text,
                confidence=transcript.confidence,
                alternatives=tuple((a.text, a.confidence) for a in transcript.alternatives),
            )
        except Exception:
            # Whatever breaks in there must cost a menu, not the call. Its message may quote the
            # caller, so a fixed word is kept.
            return Classified(failure=FAILED)
        return Classified(classification, seconds=perf_counter() - began)
