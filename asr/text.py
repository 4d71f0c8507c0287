"""Spelling as every recogniser of ours writes it: lower case, words only, numbers in words."""

from __future__ import annotations

import re
import unicodedata

_UP_TO_NINETEEN = (
    "nul een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien "
    "zestien zeventien achttien negentien"
)
_UNITS = tuple(_UP_TO_NINETEEN.split())
_FROM_TWENTY = "twintig dertig veertig vijftig zestig zeventig tachtig negentig"
_TENS = tuple(_FROM_TWENTY.split())


def number_in_words(value: int) -> str:
    """Spell a number as it is said: ``vierentwintig``, ``tweeduizend vierentwintig``.

    Args:
        value: 0..999999999; hundreds and thousands are words of their own kind, so that a
            vocabulary of a few hundred words covers them all.
    """
    if value < 20:
        return _UNITS[value]
    if value < 100:
        ten, unit = divmod(value, 10)
        if not unit:
            return _TENS[ten - 2]
        joint = "ën" if _UNITS[unit].endswith("e") else "en"
        return _UNITS[unit] + joint + _TENS[ten - 2]
    if value < 1000 or 1100 <= value < 2000:
        hundreds, rest = divmod(value, 100)
        head = "honderd" if hundreds == 1 else number_in_words(hundreds) + "honderd"
    elif value < 1_000_000:
        thousands, rest = divmod(value, 1000)
        few = thousands < 13
        head = number_in_words(thousands) + ("" if few else " ") + "duizend"
        head = "duizend" if thousands == 1 else head
    else:
        millions, rest = divmod(value, 1_000_000)
        head = number_in_words(millions) + " miljoen"
    return f"{head} {number_in_words(rest)}" if rest else head


def normalise(text: str) -> str:
    """Write a sentence as the recogniser does: lower case, words only, numbers in words.

    Accents that only mark stress go (``één`` becomes ``een``); the diaeresis stays (``financiën``).
    """
    text = unicodedata.normalize("NFC", text).replace("’", "'").replace("‘", "'").replace("`", "'")
    text = re.sub(r"(\d)[.  ](?=\d{3}\b)", r"\1", text)
    text = re.sub(r"€\s*(\d[\d,.]*)", r"\1 euro ", text).replace("€", " euro ")
    text = text.replace("%", " procent ").replace("&", " en ")
    text = re.sub(r"\d+", lambda m: f" {number_in_words(int(m.group()[:9]))} ", text).lower()
    text = re.sub("[áâ]", "a", text)
    text = re.sub("[óô]", "o", re.sub("[úû]", "u", re.sub("[íî]", "i", text)))
    text = re.sub(r"\bé{2}n\b|\beén\b|\béen\b", "een", text)
    text = re.sub(r"[^a-zàçèéêëïöüä' ]", " ", text)
    words = (_apostrophes(word) for word in text.split())
    return " ".join(word for word in words if word)


def _apostrophes(word: str) -> str:
    """Keep an apostrophe inside a word and in front of a clitic ('k, 't), drop quotes."""
    word = word.rstrip("'")
    if word.startswith("'") and word not in {"'k", "'t", "'s", "'n", "'m", "'r", "'ns"}:
        word = word.lstrip("'")
    return word
