"""Two passes over one turn: when to ask the second engine, and whose words to believe. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from asr.recogniser import Alternative, Transcript

_ALTERNATIVES_MOST = 8


def is_unsure(transcript: Transcript | None, below: float) -> bool:
    """Whether a second engine should be asked.

    A last stable partial counts as unsure whatever its confidence: that is not calibrated, and
    the end of the sentence may be missing.

    Args:
        transcript: Of the first engine; None when it failed.
        below: Confidence, 0..1, from which on the first engine is believed.
    """
    if transcript is None or transcript.is_fallback or not transcript.text:
        return below > 0.0
    return transcript.confidence < below


def believes_second(first: Transcript | None, second: Transcript) -> bool:
    """Whether the second engine's words are the better ones.

    The rule: words beat silence, a finished transcript beats a last stable partial, and else the
    higher calibrated confidence wins. On a tie the first engine stands: it decided so far, and a
    change would need a reason. Confidences of two engines are comparable as far as each is
    calibrated, which means that its confidence is the share of words that are right.

    Args:
        first: None when the first engine failed.
        second: What the second one gave.
    """
    if first is None or not first.text:
        return True
    if not second.text:
        return False
    if first.is_fallback is not second.is_fallback:
        return first.is_fallback
    return second.confidence > first.confidence


def merged(first: Transcript | None, second: Transcript) -> Transcript:
    """Return the better transcript, with the n-best readings of both.

    Each engine's readings are shares of its own belief. They are weighed by the engine's
    confidence in the utterance, so that a reading both engines have gathers both shares and rises,
    and the readings of an engine that understood little sink. Shares still sum to at most 1.

    Args:
        first: None when the first engine failed.
        second: What the second one gave.
    """
    better = second if first is None or believes_second(first, second) else first
    if first is None or not (first.text and second.text):
        return better
    total = first.confidence + second.confidence
    shares: dict[str, float] = {}
    for transcript in (first, second):
        weight = transcript.confidence / total if total else 0.5
        for reading in _readings(transcript):
            shares[reading.text] = shares.get(reading.text, 0.0) + weight * reading.confidence
    ranked = sorted(shares.items(), key=lambda item: -item[1])[:_ALTERNATIVES_MOST]
    return replace(
        better, alternatives=tuple(Alternative(text, min(1.0, share)) for text, share in ranked)
    )


def _readings(transcript: Transcript) -> Sequence[Alternative]:
    """The engine's n best; its text alone, with all its belief, where it gives none."""
    given = [reading for reading in transcript.alternatives if reading.text]
    total = sum(reading.confidence for reading in given)
    if not given or not total:
        return [Alternative(transcript.text, 1.0)]
    if total <= 1.0:
        return given
    # An engine may promise shares and give scores.
    return [replace(reading, confidence=reading.confidence / total) for reading in given]
