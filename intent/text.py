"""One spelling for what is typed, transcribed and trained on.

A recogniser gives lower case without punctuation, cuts compounds and spells letters; typed text
has capitals, digits and accents. Both pass through :func:`tokens`, so that the classifier sees
one spelling.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

MAX_WORDS: Final = 240
"""Of a longer text the first 80 and the last 160 words are read: the point often comes last."""

_MAX_CHARS: Final = 20_000
_TAG: Final = re.compile(r"<[^<>]{1,200}>")
_GLUED_APOSTROPHE: Final = re.compile(r"(?<=\w)['’`](?=(?:s|tje|kes?|ke)\b)")
_WORD: Final = re.compile(r"[^\W_]+")
_DIGITS: Final = re.compile(r"\d+")

_UNITS: Final = (  # noqa: SIM905
    "nul een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien "
    "vijftien zestien zeventien achttien negentien"
).split()
_TENS: Final = (  # noqa: SIM905
    "nul tien twintig dertig veertig vijftig zestig zeventig tachtig negentig"  # 0, 10 … 90
).split()

_LETTER_NAMES: Final = {
    "aa": "a", "bee": "b", "cee": "c", "dee": "d", "ee": "e", "ef": "f", "gee": "g",
    "haa": "h", "jee": "j", "kaa": "k", "el": "l", "em": "m", "oo": "o", "pee": "p",
    "er": "r", "es": "s", "tee": "t", "uu": "u", "vee": "v", "wee": "w", "zet": "z",
}  # fmt: skip
"""Names of letters as a recogniser without acronyms in its lexicon writes them."""


def number_words(number: int) -> str:
    """Spell a number the Dutch way, without accents.

    Args:
        number: 0..9999; larger numbers are spelled digit by digit.

    Returns:
        For example ``vierentachtig`` or ``zeventienhonderd``.
    """
    if number < 20:
        return _UNITS[number]
    if number < 100:
        tens, unit = divmod(number, 10)
        return (_UNITS[unit] + "en" if unit else "") + _TENS[tens]
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        head = "" if hundreds == 1 else _UNITS[hundreds]
        return head + "honderd" + (number_words(rest) if rest else "")
    if number < 10_000:
        if number % 1000 >= 100 and number // 1000 % 10:
            hundreds, rest = divmod(number, 100)
            if hundreds % 10:
                return number_words(hundreds) + "honderd" + (number_words(rest) if rest else "")
        thousands, rest = divmod(number, 1000)
        head = "" if thousands == 1 else _UNITS[thousands]
        return head + "duizend" + (number_words(rest) if rest else "")
    return " ".join(_UNITS[int(digit)] for digit in str(number))


def tokens(text: str) -> list[str]:
    """Split ``text`` into normalised words.

    HTML tags, control characters, emoji and punctuation disappear, accents are dropped, digits
    become Dutch words, spelled letters become one acronym. Letters of other scripts stay.

    Args:
        text: Anything, also empty; only the first and last 20,000 characters are read.

    Returns:
        At most ``MAX_WORDS`` words, possibly none.
    """
    if len(text) > 2 * _MAX_CHARS:
        text = text[:_MAX_CHARS] + " " + text[-_MAX_CHARS:]
    if "<" in text or "&" in text:
        text = _TAG.sub(" ", html.unescape(text))
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in decomposed if not unicodedata.combining(c))
    text = _GLUED_APOSTROPHE.sub("", text.lower())
    words: list[str] = []
    for word in _WORD.findall(text):
        if word.isalpha():
            words.append(word)
        else:
            words.extend(_spell_digits(word).split())
    if len(words) > MAX_WORDS:
        words = words[: MAX_WORDS // 3] + words[-(MAX_WORDS - MAX_WORDS // 3) :]
    return _join_spelled(words)


def normalise(text: str) -> str:
    """Return the normalised words of ``text`` joined by single spaces."""
    return " ".join(tokens(text))


def _spell_digits(word: str) -> str:
    """Replace digits inside ``word``: ``65plusser`` becomes ``vijfenzestigplusser``."""

    def spell(match: re.Match[str]) -> str:
        digits = match.group()
        return number_words(int(digits)) if digits.isascii() and len(digits) <= 20 else "getal"

    return _DIGITS.sub(spell, word)


def _join_spelled(words: list[str]) -> list[str]:
    """Join runs of at least two spelled letters: ``v d a b`` or ``vee dee aa bee``."""
    joined: list[str] = []
    run: list[str] = []
    spelled: list[str] = []
    for word in words:
        letter = word if len(word) == 1 else _LETTER_NAMES.get(word)
        if letter is not None and letter.isascii():
            run.append(letter)
            spelled.append(word)
            continue
        if run:
            joined.extend(_close_run(run, spelled))
            run, spelled = [], []
        joined.append(word)
    if run:
        joined.extend(_close_run(run, spelled))
    return joined


def _close_run(run: list[str], spelled: list[str]) -> list[str]:
    """Join a run, unless it may be ordinary words such as ``er`` or ``u t``."""
    return ["".join(run)] if len(run) >= 3 or (len(run) == 2 and spelled == run) else spelled
