"""What synthetic callers say: the repository's own questions, and sentences in other languages."""

from __future__ import annotations

import csv
from pathlib import Path

_TRAINING_DATA = Path(__file__).resolve().parents[2] / "training_data"
UTTERANCES = _TRAINING_DATA / "utterances"
FOREIGN = _TRAINING_DATA / "asr" / "foreign.tsv"


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


def foreign_texts(path: Path = FOREIGN) -> dict[str, list[str]]:
    """Read the sentences in other languages."""
    sentences: dict[str, list[str]] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
            sentences.setdefault(row["language"], []).append(row["text"])
    return sentences
