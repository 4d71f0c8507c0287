"""The words of the recogniser and how each may be said."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from asr.synthetic.espeak import pronounce
from asr.synthetic.phones import GARBAGE, PHONE_IDS
from asr.training.corpus import SPOKEN_FILE
from asr.training.domain_texts import FOLDER

Pronunciation = tuple[str, ...]
UNKNOWN_WORD = "[unk]"
CORRECTIONS = FOLDER / "lexicon.tsv"
_MOST_PRONUNCIATIONS = 4
_FEWEST_REDUCED = 3
"""Phones; shorter words would become each other."""


class LexiconError(ValueError):
    """A row of the hand-corrected lexicon is wrong."""


def read_corrections(path: Path = CORRECTIONS) -> dict[str, list[Pronunciation]]:
    """Read the hand-corrected pronunciations.

    Raises:
        LexiconError: A row has no two columns, or a phone that does not exist.
    """
    found: dict[str, list[Pronunciation]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        word, _, phones = line.partition("\t")
        pronunciation = tuple(phones.split())
        strange = [phone for phone in pronunciation if phone not in PHONE_IDS]
        if not pronunciation or strange:
            raise LexiconError(
                f"{path}:{number}: {word!r} wants phones of asr.synthetic.phones after a tab"
                + (f"; there is no phone {strange[0]!r}" if strange else "")
            )
        found.setdefault(word, []).append(pronunciation)
    return found


def choose_vocabulary(
    domain: Counter[str],
    everyday: Counter[str],
    subtitles: dict[str, int],
    dictionary: set[str],
    size: int,
) -> list[str]:
    """Choose the most useful words.

    Domain words come first; then words by frequency, with a share for every corpus. Words of
    subtitles alone that no dictionary has come last: most are names and foreign words.

    Args:
        domain: Counts in texts of our domain.
        everyday: Counts in everyday sentences.
        subtitles: Counts of subtitles.
        dictionary: Dutch words.
        size: Words wanted.
    """
    score: dict[str, float] = {}
    spoken = sum(subtitles.values()) or 1
    for word in {*domain, *everyday, *subtitles}:
        if not re.fullmatch(r"[a-zàçèéêëïöüä']+", word):
            continue
        rate = subtitles.get(word, 0) / spoken * 1e6
        known = everyday.get(word, 0)
        trust = 1.0 if known or word in dictionary else 0.02
        ours = domain.get(word, 0)
        score[word] = 1e6 * min(ours, 1) + ours + 4.0 * known + rate * trust
    return sorted(sorted(score, key=lambda word: (-score[word], word))[:size])


def reductions(way: Pronunciation) -> list[Pronunciation]:
    """Return how people say it who speak less carefully than espeak-ng.

    The n after a final schwa is silent for most speakers of Dutch (*lopen*, *buiten*); many in
    Flanders say no h. Source: Booij, The Phonology of Dutch (1995), on n-deletion.
    """
    reduced: list[Pronunciation] = []
    if len(way) > _FEWEST_REDUCED and way[-2:] == ("@", "n"):
        reduced.append(way[:-1])
    if len(way) >= _FEWEST_REDUCED and way[0] == "h":
        reduced.extend(less[1:] for less in (way, *reduced))
    return reduced


def make_lexicon(words: list[str], work_dir: Path) -> dict[str, list[Pronunciation]]:
    """Return the ways of saying each word: by espeak-ng alone and in sentences, and by hand.

    Args:
        words: The vocabulary.
        work_dir: Folder that may hold how callers said words in sentences.

    Raises:
        LexiconError: The hand-corrected file is wrong.
    """
    corrections = read_corrections()
    path = work_dir / SPOKEN_FILE
    heard = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    words = sorted({*words, *corrections} - {UNKNOWN_WORD})
    lexicon: dict[str, list[Pronunciation]] = {}
    for word, alone in zip(words, pronounce(words), strict=True):
        ways: list[Pronunciation] = [alone, *corrections.get(word, [])]
        variants = heard.get(word, [])
        total = sum(count for _, count in variants)
        for phones, count in variants:
            if count >= 3 and count >= 0.03 * total:
                ways.append(tuple(phones.split()))
        unique = [way for way in dict.fromkeys(ways) if way]
        if unique:
            lexicon[word] = unique[:_MOST_PRONUNCIATIONS]
    lexicon[UNKNOWN_WORD] = [(GARBAGE,)]
    return lexicon
