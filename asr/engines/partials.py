"""What a caller has said so far: which words are settled, and how sure each of them is."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from asr.confidence import UNKNOWN_WORD, PartialCalibration, utterance_confidence
from asr.recogniser import Partial, Word

_SETTLED_SECONDS = 0.4
"""Words that all guesses over so much audio agree on are not likely to change."""


class Guesses:
    """The guesses at one utterance while it lasts.

    Args:
        interval_seconds: Audio between two guesses.
        calibration: What the decoder's confidences of unfinished speech are worth.
    """

    def __init__(self, interval_seconds: float, calibration: PartialCalibration) -> None:
        self._calibration = calibration
        agreeing = 1 + max(1, round(_SETTLED_SECONDS / max(0.001, interval_seconds)))
        self._recent: deque[list[str]] = deque(maxlen=agreeing)
        self.last_stable: tuple[list[str], float] = ([], 0.0)
        """The latest stable words, and the confidence of the guess that had them."""

    def forget(self) -> None:
        """Begin anew, for another utterance."""
        self._recent.clear()
        self.last_stable = [], 0.0

    def begin_stretch(self) -> None:
        """Compare no guess with those from before: the decoder started anew."""
        self._recent.clear()

    def add(
        self, done: Sequence[Word], best: Sequence[str], lattice: Sequence[Word], now: float
    ) -> Partial:
        """Take the next guess.

        Args:
            done: Words that will not change any more, calibrated as they are.
            best: Words of the best path after those; up to date, without confidences.
            lattice: The same with times and confidences, as of some 300 ms ago.
            now: Seconds of audio given.
        """
        words = [*done, *self._weighed(best, lattice, now)]
        confidence = utterance_confidence(words)
        known = tuple(word for word in words if word.text != UNKNOWN_WORD)
        texts = [word.text for word in known]
        self._recent.append(texts)
        stable = self._stable()
        if stable:
            self.last_stable = stable, confidence
        return Partial(" ".join(texts), " ".join(stable), confidence, known)

    def _weighed(self, best: Sequence[str], lattice: Sequence[Word], now: float) -> list[Word]:
        """Give the words of the best path the times and confidences that the lattice has."""
        matcher = SequenceMatcher(None, [word.text for word in lattice], best, autojunk=False)
        found: dict[int, Word] = {}
        for block in matcher.get_matching_blocks():
            for step in range(block.size):
                found[block.b + step] = lattice[block.a + step]
        words: list[Word] = []
        ended = 0.0
        for place, text in enumerate(best):
            if place in found:
                word = found[place]
                sure = self._calibration.apply(word.confidence)
                words.append(replace(word, confidence=sure))
            else:
                following = (found[at] for at in range(place + 1, len(best)) if at in found)
                known = next(following, None)
                end = max(ended, known.start_seconds if known else now)
                words.append(Word(text, ended, end, self._calibration.newest))
            ended = words[-1].end_seconds
        return words

    def _stable(self) -> list[str]:
        """Return the leading words on which the recent guesses agree."""
        if len(self._recent) < (self._recent.maxlen or 0):
            return []
        stable: list[str] = []
        for candidates in zip(*self._recent, strict=False):
            if len(set(candidates)) > 1:
                break
            stable.append(candidates[0])
        return stable
