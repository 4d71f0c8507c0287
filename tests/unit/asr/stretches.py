"""What tests of the vosk engine's stretches share: a stretch that is watched, a recogniser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("vosk", reason="the vosk engine is not installed")


from asr.engines.vosk_stretches import (
    RATE_HZ,
    Next,
    Stretch,
)
from asr.engines.vosk_utterances import Decoder, VoskRecogniser
from asr.recogniser import Word

ROOT = Path(__file__).parents[3]
SECOND = np.resize(np.array([4000, -4000], np.int16), RATE_HZ)
FRAME = 160
NEVER = 1 << 40
SENTENCES = (
    "ik wil mijn rijbewijs verlengen",
    "ik heb een vraag over mijn belastingbrief",
    "hoe vraag ik een studietoelage aan voor mijn dochter",
    "ik kan niet inloggen met itsme",
)


class WatchedStretch(Stretch):
    """Keeps what was decided and how far the stretch had come, and how far any stretch came."""

    def __init__(self, *limits: int) -> None:
        super().__init__(*limits)
        self.ends: list[tuple[Next, int]] = []
        self.longest = 0

    def look(self, now: int, best: Sequence[str], lattice: Sequence[Word]) -> Next:
        """Judge as ever."""
        decided = super().look(now, best, lattice)
        self.longest = max(self.longest, now - self.began)
        if decided is not Next.GO_ON:
            self.ends.append((decided, now - self.began))
        return decided


def recogniser_on(
    kaldi: object, stretch: Stretch | None = None, kept: list[Decoder] | None = None
) -> VoskRecogniser:
    """A recogniser over a decoder of any kind."""
    return VoskRecogniser(
        (kept if kept is not None else []).append,
        Decoder(kaldi), model="test", rate_hz=RATE_HZ, interval_samples=800, n_best=0,
        stretch=stretch,
    )  # fmt: skip
