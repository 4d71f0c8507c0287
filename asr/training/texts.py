"""The corpora that language models and vocabularies are made of."""

from __future__ import annotations

import json
import re
from pathlib import Path


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
