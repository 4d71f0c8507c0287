"""What a question may be about: themas with their probabilities."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RankedThema:
    """A thema, or a label that is none, and its calibrated probability, 0..1."""

    thema: str
    probability: float

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"probability of {self.thema} must be in 0..1")


def ranking_of(pairs: Iterable[tuple[str, float]]) -> tuple[RankedThema, ...]:
    """Return a classifier's ranking as the call machine takes it.

    Args:
        pairs: Label and probability, likeliest first; rounding may leave 1.0000001.

    Raises:
        ValueError: A probability is no number.
    """
    return tuple(RankedThema(label, min(1.0, max(0.0, share))) for label, share in pairs)
