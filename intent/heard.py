"""What a recogniser made of written questions: read, trained on, and counted as confusions.

``heard.tsv`` is written by ``python -m ivr.learning.spoken_questions``, because only ``ivr`` may
know a recogniser. It holds transcripts of our own training sentences spoken by espeak-ng, never
of a caller.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final

from intent.errors import TrainingDataError
from intent.text import tokens

HEADER: Final = "text\theard\tconfidence"
_LONGEST: Final = 3
"""Most words of a block of errors that is still one confusion and not a lost sentence."""


@dataclass(frozen=True, slots=True)
class HeardQuestion:
    """One transcript of a written question."""

    words: tuple[str, ...]
    """Normalised."""
    confidence: float
    """Of the recogniser, 0..1."""


def load_heard(file: Path) -> dict[str, tuple[HeardQuestion, ...]]:
    """Read the transcripts of each normalised question.

    Returns:
        Question → its transcripts, in file order; empty when the file is absent, so that training
        needs no recogniser.

    Raises:
        TrainingDataError: The file cannot be read, or a line has not three columns or no number.
    """
    if not file.exists():
        return {}
    remedy = "make it again with python -m ivr.learning.spoken_questions"
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise TrainingDataError(file, 0, "cannot be read as UTF-8", remedy=remedy) from None
    if not lines or lines[0] != HEADER:
        raise TrainingDataError(file, 1, "has another header", remedy=remedy)
    found: dict[str, list[HeardQuestion]] = {}
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split("\t")
        try:
            said, heard, confidence = cells[0], cells[1], float(cells[2])
        except (IndexError, ValueError):
            raise TrainingDataError(
                file, number, "has no text, transcript and confidence", remedy=remedy
            ) from None
        if not 0.0 <= confidence <= 1.0:
            raise TrainingDataError(file, number, "has no confidence of 0 to 1", remedy=remedy)
        found.setdefault(" ".join(tokens(said)), []).append(
            HeardQuestion(tuple(tokens(heard)), confidence)
        )
    return {said: tuple(transcripts) for said, transcripts in found.items()}


def confusions(
    heard: Mapping[str, Iterable[HeardQuestion]],
) -> dict[str, tuple[tuple[str, int], ...]]:
    """Count what single words were heard as.

    Args:
        heard: Question → its transcripts.

    Returns:
        Word → what it became, zero to three words in one string, with how often; oftenest first.
        A word that became nothing was heard as the empty string.
    """
    counts: dict[str, Counter[str]] = {}
    for said, transcripts in heard.items():
        for transcript in transcripts:
            for word, became in errors(said.split(), transcript.words):
                counts.setdefault(word, Counter())[became] += 1
    return {
        word: tuple(sorted(found.items(), key=lambda item: (-item[1], item[0])))
        for word, found in sorted(counts.items())
    }


def errors(said: Sequence[str], heard: Sequence[str]) -> list[tuple[str, str]]:
    """Align a transcript with its text and return the words that became something else.

    Of a block of errors as many words as were said, each word takes the one in its place; a single
    word takes the whole block; blocks that fit neither way are left out.

    Args:
        said: Normalised words.
        heard: Normalised words.
    """
    found: list[tuple[str, str]] = []
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, said, heard, autojunk=False).get_opcodes():
        if kind in ("equal", "insert"):
            continue
        block, became = said[i1:i2], heard[j1:j2]
        if len(block) == 1 and len(became) <= _LONGEST:
            found.append((block[0], " ".join(became)))
        elif len(block) == len(became) <= _LONGEST:
            found.extend(zip(block, became, strict=True))
    return found
