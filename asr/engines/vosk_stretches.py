"""When a Kaldi decoder must start anew, so that sound without words cannot take the processor.

Kaldi carries every path since the last word that its lattice is sure of. Where it hears no word,
in noise, in music and even in silence, that work grows with the square of the time: 0.04 of a core
in the first seconds, 1 after half a minute. A stretch, the sound since the decoder started, is
therefore ended before that. The rule knows samples and words and no clock: the same sound gives
the same words on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto, unique

from asr.confidence import utterance_confidence
from asr.recogniser import Word

RATE_HZ = 8000
_CHUNK_SAMPLES = 960
"""What the embedded model's network reads at once, 120 ms. A stretch that begins a whole number of
chunks after the one before it is read in the same chunks, so that hardly a word comes out
otherwise than it would without the new start."""
UNHEARD_SAMPLES = 33 * _CHUNK_SAMPLES
"""A stretch in which no word was heard ends after so much sound, 4 s; one with words so long after
its last word, when the lattice has them all. Else the work would grow again in the silence."""
REPEATED_SAMPLES = 7 * _CHUNK_SAMPLES
"""So much of its end, 0.8 s, is given to the decoder once more: a word may have begun in it. A word
is heard 0.3 to 0.5 s after it began."""
UNSETTLED_SAMPLES = 10 * RATE_HZ
"""For so long, 10 s, words came and the lattice took none of them. In speech it takes a word after
1 to 2.5 s, of single words with pauses between them after 10 s at most; hums and buzzes that are
half like speech make it wait, and grow."""
DOUBTED_SAMPLES = 15 * RATE_HZ
DOUBTED_CONFIDENCE = 0.6
"""A stretch of 15 s whose words are less sure than this, together, is no speech, or speech that is
not understood: in noise as loud as a caller it is 0.5 to 0.6, of clear speech 0.75 to 1."""


@unique
class Next(Enum):
    """What to do with the stretch."""

    GO_ON = auto()
    REPEAT_END = auto()
    """Start anew, from :data:`REPEATED_SAMPLES` ago: no word was heard, so none is lost."""
    KEEP_WORDS = auto()
    """Ask for the final words of the stretch and keep them, then start anew."""


class Stretch:
    """Watches one stretch; all places are samples since the utterance began.

    Args:
        unheard_samples: Longest stretch without a word, or without a new one after words that are
            settled.
        unsettled_samples: Longest time that the lattice may lag behind the words of the best path.
        doubted_samples: Longest stretch of words that the decoder itself hardly believes.
    """

    def __init__(
        self,
        unheard_samples: int = UNHEARD_SAMPLES,
        unsettled_samples: int = UNSETTLED_SAMPLES,
        doubted_samples: int = DOUBTED_SAMPLES,
    ) -> None:
        self.began = 0
        """First sample of the stretch."""
        self._settled = 0
        self._heard: int | None = None
        self._best: list[str] = []
        self._changed = 0
        self._unheard_samples = unheard_samples
        self._unsettled_samples = unsettled_samples
        self._doubted_samples = doubted_samples

    def begin(self, at: int) -> None:
        """Begin a stretch whose first sample is ``at``."""
        self.began = self._settled = self._changed = at
        self._heard = None
        self._best = []

    def look(self, now: int, best: Sequence[str], lattice: Sequence[Word]) -> Next:
        """Judge the stretch by what is heard in it now.

        Args:
            now: Samples of the utterance so far.
            best: Words of the best path.
            lattice: Those that the lattice has, with times; it follows the best path.
        """
        if not best:
            waited = now - max(self.began, self._settled)
            return Next.REPEAT_END if waited >= self._unheard_samples else Next.GO_ON
        if self._heard is None:
            self._heard = now
        if list(best) != self._best:
            self._best, self._changed = list(best), now
        is_all = [word.text for word in lattice] == list(best)
        if lattice:
            # Hundredths, as the decoder counts them: which decoder is used again changes no bit.
            until = now if is_all else round(100 * lattice[-1].end_seconds) * (RATE_HZ // 100)
            self._settled = max(self._settled, until)
        if is_all and now - self._changed >= self._unheard_samples:
            return Next.KEEP_WORDS
        if now - max(self._heard, self._settled) >= self._unsettled_samples:
            return Next.KEEP_WORDS
        is_doubted = (
            now - self.began >= self._doubted_samples
            and bool(lattice)
            and utterance_confidence(lattice) < DOUBTED_CONFIDENCE
        )
        return Next.KEEP_WORDS if is_doubted else Next.GO_ON
