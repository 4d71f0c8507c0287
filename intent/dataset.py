"""Labelled utterances: one TSV format for training, evaluation and the console's export.

UTF-8 with or without a byte order mark, lines ending in LF or CRLF, cells with or without the
quotation marks of a spreadsheet. Columns
``text`` and ``thema``; optional ``family`` (paraphrase family), ``split`` (``train`` or ``test``),
``ook_goed`` (also acceptable themas, comma-separated) and ``taal`` (ISO 639 code of an utterance
that is not Dutch). Other columns are refused. A text that stands there twice is trained on once and
measured twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from intent.errors import TrainingDataError
from intent.text import normalise

_REQUIRED: Final = ("text", "thema")
_OPTIONAL: Final = ("family", "split", "ook_goed", "taal")
_SPLITS: Final = ("train", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One labelled utterance."""

    text: str
    thema: str
    also: tuple[str, ...] = ()
    """Themas that are acceptable too."""
    family: str
    split: str = "train"
    language: str = "nl"
    line: int = field(default=0, repr=False, compare=False)
    """Of its file, the header being line 1; 0 when it comes from no file."""

    @property
    def accepted(self) -> frozenset[str]:
        """All acceptable labels."""
        return frozenset((self.thema, *self.also))


def read_rows(
    file: Path, labels: Collection[str], *, other_columns: bool = False, repeats: bool = False
) -> list[Row]:
    """Read one labelled TSV.

    Args:
        file: UTF-8, tab-separated, with a header line.
        labels: The slugs of the catalogue.
        other_columns: Whether all columns but text, thema and ook_goed are passed over: in a
            file to measure on they are somebody's notes, in training data a mistyped name.
        repeats: Whether a text counts each time it stands there: what callers ask often weighs
            more when real calls are measured. Otherwise it counts once.

    Returns:
        The rows in file order. A row without a family is a family of its own.

    Raises:
        TrainingDataError: A column is missing or unknown, a label is not in ``labels``, a text is
            empty, or one text has two labels.
    """
    try:
        content = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TrainingDataError(
            file, 0, f"cannot be read ({error.strerror})", remedy="check the path"
        ) from None
    except UnicodeDecodeError as error:
        place = error.object[: error.start].count(b"\n") + 1
        raise TrainingDataError(file, place, "is not UTF-8", remedy="save it as UTF-8") from None
    lines = content.split("\n")
    header = _cells(lines[0])
    if other_columns:
        header = [name if name in (*_REQUIRED, "ook_goed") else f"#{name}" for name in header]
    for column in _REQUIRED:
        if column not in header:
            raise TrainingDataError(
                file, 1, f"has no column {column!r}",
                remedy=f"start with {'<TAB>'.join((*_REQUIRED, *_OPTIONAL))}",
            )  # fmt: skip
    for column in header:
        if other_columns and column.startswith("#"):
            continue
        if column not in (*_REQUIRED, *_OPTIONAL) or header.count(column) > 1:
            raise TrainingDataError(
                file, 1, f"has a column {column[:40]!r} that is unknown or there twice",
                remedy=f"use {', '.join((*_REQUIRED, *_OPTIONAL))}, each once",
            )  # fmt: skip
    rows = []
    seen: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        row = _row(file, number, header, _cells(line), labels)
        key = normalise(row.text)
        earlier = seen.setdefault(key, (row.thema, number))
        if earlier[0] != row.thema and key:
            raise TrainingDataError(
                file, number,
                f"says {row.thema!r} of a text that line {earlier[1]} calls {earlier[0]!r}",
                remedy="choose one and name the other in ook_goed",
            )  # fmt: skip
        if repeats or earlier[1] == number:
            rows.append(row)
    return rows


def read_training_rows(directory: Path, labels: Collection[str]) -> list[Row]:
    """Read ``utterances/*.tsv`` under ``directory``.

    Raises:
        TrainingDataError: A file is wrong, a paraphrase family stands on both sides of the split,
            or one text has two labels in two files.
    """
    files = sorted((directory / "utterances").glob("*.tsv"))
    if not files:
        raise TrainingDataError(
            directory / "utterances", 0, "has no TSV file", remedy="add one file per thema"
        )
    rows: list[Row] = []
    sides: dict[str, str] = {}
    seen: dict[str, tuple[Row, Path]] = {}
    for file in files:
        for row in read_rows(file, labels):
            if sides.setdefault(row.family, row.split) != row.split:
                raise TrainingDataError(
                    file, row.line, f"has family {row.family!r} on both sides of the split",
                    remedy="give all rows of a family one split",
                )  # fmt: skip
            key = normalise(row.text)
            first, where = seen.setdefault(key, (row, file))
            if key and row.thema not in first.accepted and first.thema not in row.accepted:
                raise TrainingDataError(
                    file, row.line,
                    f"has a text that line {first.line} of {where.name} calls {first.thema!r}",
                    remedy="choose one label and name the other in ook_goed",
                )  # fmt: skip
            if first is row:
                rows.append(row)
    return rows


def fingerprint(rows: Iterable[Row]) -> str:
    """Return SHA-256 over the rows, whatever their order."""
    digest = hashlib.sha256()
    for line in sorted(repr(row) for row in rows):
        digest.update(line.encode())
        digest.update(b"\n")
    return digest.hexdigest()


def _cells(line: str) -> list[str]:
    """Split a line, and take off the quotation marks around a whole cell."""
    cells = []
    for cell in line.rstrip("\r").split("\t"):
        if len(cell) > 1 and cell[0] == cell[-1] == '"':
            cell = cell[1:-1].replace('""', '"')
        cells.append(cell)
    return cells


def _row(
    file: Path, number: int, header: Sequence[str], cells: list[str], labels: Collection[str]
) -> Row:
    if len(cells) > len(header):
        raise TrainingDataError(
            file, number, f"has {len(cells)} columns instead of {len(header)}",
            remedy="remove tabs from the text",
        )  # fmt: skip
    named = dict(zip(header, [*cells, *[""] * len(header)], strict=False))
    text, thema = named["text"].strip(), named["thema"].strip()
    if not text:
        raise TrainingDataError(file, number, "has no text", remedy="fill it or remove the line")
    if not thema:
        raise TrainingDataError(
            file, number, "has no thema",
            remedy=f"fill that column with one of {', '.join(sorted(labels))}",
        )  # fmt: skip
    also = tuple(a.strip() for a in named.get("ook_goed", "").split(",") if a.strip())
    for label in (thema, *also):
        if label not in labels:
            raise TrainingDataError(
                file, number, f"has the unknown thema {label[:40]!r}",
                remedy=f"use one of {', '.join(sorted(labels))}",
            )  # fmt: skip
    split = named.get("split", "").strip() or "train"
    if split not in _SPLITS:
        raise TrainingDataError(
            file, number, f"has the unknown split {split[:40]!r}", remedy="use train or test"
        )
    return Row(
        text=text,
        thema=thema,
        also=also,
        family=named.get("family", "").strip() or f"{file.stem}:{number}",
        split=split,
        language=named.get("taal", "").strip() or "nl",
        line=number,
    )
