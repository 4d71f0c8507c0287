"""Texts: spelling as the recogniser writes it, numbers in words, and the corpora."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from pathlib import Path

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


def everyday_sentences(data_dir: Path) -> list[str]:
    """Return the everyday sentences of ``text/language``, raw, one a line in the files."""
    folder = data_dir / "text" / "language"
    sentences: list[str] = []
    for name in ("danielsjf.txt", "tatoeba.nld", "pcmill.txt", "sentence-collector.txt"):
        path = folder / name
        if path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            sentences.extend(line.strip() for line in lines if line.strip())
    return sentences


def utterance_rows(folder: Path, split: str = "train") -> list[str]:
    """Return the Dutch spoken-style questions of ``training_data/utterances`` of one split."""
    rows: list[str] = []
    for path in sorted(folder.glob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
                is_dutch = row.get("thema") != "andere-taal"
                if row.get("split") == split and row.get("text") and is_dutch:
                    rows.append(row["text"])
    return rows


def product_titles(data_dir: Path) -> list[str]:
    """Return the names of public-service products."""
    titles: set[str] = set()
    for name in ("lpdc_products.jsonl", "register_products.jsonl"):
        path = data_dir / "text" / "catalogue" / name
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                product = json.loads(line)
                titles.update([product["title"], *product.get("other_titles", [])])
    return sorted(titles)


def product_descriptions(data_dir: Path) -> list[str]:
    """Return sentences of the product descriptions."""
    path = data_dir / "text" / "catalogue" / "lpdc_products.jsonl"
    sentences: list[str] = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            product = json.loads(line)
            body = re.sub(r"<[^>]+>", " ", product["description"])
            sentences.extend(part for part in re.split(r"(?<=[.?!])\s+", body) if part)
    return sentences


def subtitle_counts(data_dir: Path) -> dict[str, int]:
    """Return word counts of subtitles (``text/language/nl_50k_2018.txt``)."""
    path = data_dir / "text" / "language" / "nl_50k_2018.txt"
    counts: dict[str, int] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            word, _, count = line.partition(" ")
            if re.fullmatch(r"[a-zàçèéêëïöüä']+", word):
                counts[word] = int(count)
    return counts


def dictionary_words(data_dir: Path) -> set[str]:
    """Return the words of a Dutch dictionary (``text/language/gruut_lexicon_nl.tsv``)."""
    path = data_dir / "text" / "language" / "gruut_lexicon_nl.tsv"
    if not path.is_file():
        return set()
    lines = path.read_text(encoding="utf-8").splitlines()
    return {word for line in lines if (word := line.partition("\t")[0]).islower()}
