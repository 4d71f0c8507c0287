"""Words and phrases that speak for a label, beside the written utterances.

For a thema they are its ``keywords`` and the names of its products that have a synonym;
``lexicon/<label>.txt`` adds lines for any label: subjects of other services, small talk, ways to
ask for a person. A line that ends with a full stop or a question mark, is long, or begins like a
sentence stands alone; any other is a subject to be put in a sentence. ``languages/<code>.txt``
holds words and sentences of other languages.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from intent.catalogue import Catalogue
from intent.errors import TrainingDataError
from intent.text import normalise

_SENTENCE_STARTS: Final = frozenset(
    {"ik", "we", "wij", "mag", "moet", "kan", "hoe", "waar", "wanneer", "wie", "wat", "er", "ze"}
    | {"hij", "de", "het", "mijn", "ons", "onze"}
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """A normalised subject, or a sentence that stands alone."""

    text: str
    sentence: bool = False


def read_lexicon(directory: Path, catalogue: Catalogue) -> dict[str, tuple[Phrase, ...]]:
    """Return normalised phrases per label, without repetition.

    Args:
        directory: ``training_data``; ``lexicon/`` may be absent.
        catalogue: Gives the labels, product names and keywords.

    Raises:
        TrainingDataError: A file is not named after a label, or cannot be read.
    """
    phrases: dict[str, dict[Phrase, None]] = {label: {} for label in catalogue.labels}
    for thema in catalogue.themas:
        for keyword in thema.keywords:
            phrases[thema.slug][Phrase(normalise(keyword))] = None
    for product in catalogue.products:
        # An official name alone is found by the search; callers do not say it.
        for name in product.names if len(product.names) > 1 else ():
            phrases[product.thema][Phrase(normalise(name))] = None
    for file in sorted((directory / "lexicon").glob("*.txt")):
        if file.stem not in phrases:
            raise TrainingDataError(
                file, 0, "is not named after a thema of catalogue.toml",
                remedy=f"use one of {', '.join(phrases)}",
            )  # fmt: skip
        for line in _lines(file):
            phrases[file.stem][Phrase(normalise(line), _is_sentence(line))] = None
    return {label: tuple(p for p in found if p.text) for label, found in phrases.items()}


def read_languages(directory: Path) -> dict[str, tuple[str, ...]]:
    """Return the lines of ``languages/<code>.txt`` per ISO 639 code; empty without the folder."""
    return {
        file.stem: tuple(_lines(file)) for file in sorted((directory / "languages").glob("*.txt"))
    }


def _is_sentence(line: str) -> bool:
    """Tell a sentence by its punctuation, its length or its first word."""
    words = line.split()
    return line.endswith((".", "?")) or len(words) >= 6 or words[0].lower() in _SENTENCE_STARTS


def _lines(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise TrainingDataError(file, 0, "cannot be read", remedy="save it as UTF-8") from None
    return [line.strip() for line in lines if line.strip() and not line.startswith("# ")]
