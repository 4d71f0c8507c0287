"""Telling text that a generative model invented from words that were said. Pure.

Whisper was trained on subtitled films: on noise it writes what subtitles end with, or repeats
itself without end. A caller who was not understood is asked again, which costs seconds; invented
words send the caller to the wrong voorlichter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

MOST_LETTERS_A_SECOND = 30.0
"""Fast Dutch speech has about 18 letters a second; a credit written over a cough has hundreds."""
_LEAST_SECONDS = 0.4
"""Shorter speech counts as so long: onsets and ends are cut by the voice activity gate."""
_PHRASE_WORDS = 6
"""Loops of phrases up to so many words are found."""

# Published lists of what Whisper writes on Dutch silence agree on these; see for example the
# issues about hallucinations of openai/whisper. Each must be the whole segment.
_CREDITS = re.compile(
    r"""
    .*\bamara\W?org\b.*
    | (ondertitel(s|ing|d|ingen)|vertal(ing|ingen)|vertaald|transcriptie|bewerkt)
      (\s+\w+)?\s+(door|in\s+opdracht\s+van)\b.*
    | (tv|omroep)\s+gelderland(\s+\d+)?
    | (heel\s+erg\s+|hartelijk\s+)?(bedankt|dank\s*je(\s*wel)?|dank\s*u(\s*wel)?)\s+voor\s+het\s+
      (kijken|luisteren)(\s+en\s+tot\s.*)?
    | vergeet\s+(je\s+)?niet\s+te\s+(abonneren|liken)\b.*
    | tot\s+(de\s+)?volgende\s+(video|aflevering)
    | (thanks?|thank\s+you)(\s+\w+)*\s+for\s+watching\b.*
    | subtitles\s+by\b.*
    | (copyright\b|©).*
    """,
    re.VERBOSE,
)
_SOUND_NOTE = re.compile(r"[\[(*♪♫].*[\])*♪♫]|[♪♫\s]+", re.DOTALL)
"""A note about a sound, such as ``[muziek]`` or ``*applaus*``; nobody says brackets."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """From which figures on a segment is taken for invented.

    Attributes:
        least_logprob: Mean log-probability of its tokens, below which nothing is believed.
        no_speech: Probability that there is no speech, from which on ...
        least_logprob_if_no_speech: ... the mean log-probability must be this at least.
        most_compression: Length of the text divided by its compressed length; repetition is more.
    """

    least_logprob: float = -1.0
    no_speech: float = 0.6
    least_logprob_if_no_speech: float = -0.5
    most_compression: float = 2.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a model tells of one segment, and how much speech there was to write it from.

    Attributes:
        average_logprob: Mean log-probability of its tokens.
        no_speech_probability: 0..1.
        compression_ratio: Length of the text divided by its compressed length.
        speech_seconds: Speech in the stretch that the segment covers.
    """

    average_logprob: float
    no_speech_probability: float
    compression_ratio: float
    speech_seconds: float


def is_invented(text: str, figures: Figures, gates: Gates) -> bool:
    """Whether a segment is to be thrown away.

    Args:
        text: As the model wrote it, with punctuation.
        figures: What the model tells of it.
        gates: The limits.
    """
    if figures.average_logprob < gates.least_logprob:
        return True
    if (
        figures.no_speech_probability > gates.no_speech
        and figures.average_logprob < gates.least_logprob_if_no_speech
    ):
        return True
    if figures.compression_ratio > gates.most_compression:
        return True
    letters = sum(character.isalnum() for character in text)
    if letters > MOST_LETTERS_A_SECOND * max(_LEAST_SECONDS, figures.speech_seconds):
        return True
    return is_subtitle_credit(text)


def is_subtitle_credit(text: str) -> bool:
    """Whether a text is what subtitles say about themselves, or about sounds."""
    text = text.strip()
    if _SOUND_NOTE.fullmatch(text):
        return True
    plain = re.sub(r"[^\w\s.©]|\.(?=\s|$)", " ", text.lower())
    return _CREDITS.fullmatch(" ".join(plain.split())) is not None


def without_loops(words: Sequence[T], texts: Sequence[str]) -> list[T]:
    """Return the words, a phrase that is repeated over and over kept once.

    Callers do say a word two or three times. A single word counts as a loop from six times on, a
    longer phrase from four times on.

    Args:
        words: Any objects, in order.
        texts: Their texts, as many.

    Returns:
        Nothing at all when loops are most of it: then the rest is no better.
    """
    kept: list[int] = []
    place = 0
    while place < len(texts):
        size, times = _loop_at(texts, place)
        kept.extend(range(place, place + size))
        place += size * times
    if len(kept) * 2 < len(texts):
        return []
    return [words[index] for index in kept]


def _loop_at(texts: Sequence[str], place: int) -> tuple[int, int]:
    """Return (words of the phrase, times) of a loop that begins here; (1, 1) when none does."""
    for size in range(1, _PHRASE_WORDS + 1):
        phrase = list(texts[place : place + size])
        times = 1
        while list(texts[place + size * times : place + size * (times + 1)]) == phrase:
            times += 1
        if times >= (6 if size == 1 else 4):
            return size, times
    return 1, 1
