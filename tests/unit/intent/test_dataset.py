"""Rows of labelled questions: read, checked and split by family."""

from __future__ import annotations

from pathlib import Path

import pytest

from intent.dataset import Row, fingerprint, read_rows, read_training_rows
from intent.errors import TrainingDataError

LABELS = ("energie", "mens", "buiten-bereik")


def written(folder: Path, content: str | bytes, name: str = "energie.tsv") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def test_rows_are_read_with_their_columns(tmp_path: Path) -> None:
    """
    All columns arrive, and a row without a family is its own family.
    """
    file = written(
        tmp_path,
        "text\tthema\tfamily\tsplit\took_goed\n"
        "mijn meter\tenergie\tf1\ttest\tmens, buiten-bereik\r\n"
        "\n"
        "iemand\tmens\n",
    )

    rows = read_rows(file, LABELS)

    assert rows[0] == Row(
        text="mijn meter", thema="energie", also=("mens", "buiten-bereik"), family="f1",
        split="test",
    )  # fmt: skip
    assert ("train", "nl") == (rows[1].split, rows[1].language)
    assert rows[0].family != rows[1].family


def test_a_spreadsheet_may_write_quotation_marks(tmp_path: Path) -> None:
    """
    A byte order mark, CRLF and quoted cells are how others write the same file.
    """
    file = written(
        tmp_path,
        b'\xef\xbb\xbf"text"\t"thema"\r\n"hij zei ""gas"" tegen mij"\t"energie"\r\n',
    )

    rows = read_rows(file, LABELS)

    assert [('hij zei "gas" tegen mij', "energie")] == [(r.text, r.thema) for r in rows]


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("tekst\tthema\n", 1, "no column 'text'"),
        ("text\tlabel\n", 1, "no column 'thema'"),
        ("text\tthema\tmood\n", 1, "'mood'"),
        ("text\tthema\ttext\n", 1, "there twice"),
        ("", 1, "no column 'text'"),
        ("text\tthema\nx\tgas\n", 2, "unknown thema 'gas'"),
        ("text\tthema\took_goed\nx\tenergie\tgas\n", 2, "unknown thema 'gas'"),
        ("text\tthema\nx\n", 2, "has no thema"),
        ("text\tthema\n\tenergie\n", 2, "no text"),
        ("text\tthema\nx\tenergie\ty\n", 2, "3 columns instead of 2"),
        ("text\tthema\tsplit\nx\tenergie\tdev\n", 2, "unknown split 'dev'"),
        ("text\tthema\nDag!\tenergie\ndag\tmens\n", 3, "line 2 calls 'energie'"),
        (b"text\tthema\nx\xff\tenergie\n", 2, "not UTF-8"),
    ],
)
def test_wrong_line_is_named(tmp_path: Path, content: str | bytes, line: int, problem: str) -> None:
    """
    The error names file, line and remedy.
    """
    with pytest.raises(TrainingDataError, match=problem) as caught:
        read_rows(written(tmp_path, content), LABELS)

    assert line == caught.value.line
    assert "energie.tsv" in str(caught.value)


def test_error_never_quotes_the_caller(tmp_path: Path) -> None:
    """
    An utterance may be somebody's words: no message repeats it.
    """
    file = written(tmp_path, "text\tthema\nmarkeerwoord\tenergie\nmarkeerwoord\tmens\n")

    with pytest.raises(TrainingDataError) as caught:
        read_rows(file, LABELS)

    assert "markeerwoord" not in str(caught.value)


def test_same_text_with_same_label_counts_once(tmp_path: Path) -> None:
    """
    A duplicate is no contradiction and adds no weight.
    """
    file = written(tmp_path, "text\tthema\nGas!\tenergie\ngas\tenergie\n")

    assert 1 == len(read_rows(file, LABELS))


def test_same_text_counts_each_time_where_calls_are_measured(tmp_path: Path) -> None:
    """
    Two labels of one text are a mistake there too.
    """
    file = written(tmp_path, "text\tthema\nDag!\tmens\ndag\tmens\n")

    assert 2 == len(read_rows(file, LABELS, repeats=True))
    contradicting = written(tmp_path, "text\tthema\nDag!\tenergie\ndag\tmens\n")
    with pytest.raises(TrainingDataError, match="line 2 calls"):
        read_rows(contradicting, LABELS, repeats=True)


def test_missing_file_is_an_error_of_ours(tmp_path: Path) -> None:
    """
    A wrong path is named, without a traceback.
    """
    with pytest.raises(TrainingDataError, match="cannot be read"):
        read_rows(tmp_path / "none.tsv", LABELS)


def test_family_may_not_cross_the_split(tmp_path: Path) -> None:
    """
    A paraphrase of a training sentence in the test would flatter the model.
    """
    written(tmp_path, "text\tthema\tfamily\na\tenergie\tf\n", "utterances/a.tsv")
    written(tmp_path, "text\tthema\tfamily\tsplit\nb\tenergie\tf\ttest\n", "utterances/b.tsv")

    with pytest.raises(TrainingDataError, match="both sides"):
        read_training_rows(tmp_path, LABELS)


def test_contradiction_between_files_is_found(tmp_path: Path) -> None:
    """
    One text under two labels needs ook_goed.
    """
    written(tmp_path, "text\tthema\nhallo\tenergie\n", "utterances/a.tsv")
    written(tmp_path, "text\tthema\nHallo?\tmens\n", "utterances/b.tsv")

    with pytest.raises(TrainingDataError, match=r"a\.tsv calls 'energie'"):
        read_training_rows(tmp_path, LABELS)


def test_folder_without_utterances_is_refused(tmp_path: Path) -> None:
    """
    Nothing to train on is said so.
    """
    with pytest.raises(TrainingDataError, match="has no TSV file"):
        read_training_rows(tmp_path, LABELS)


def test_fingerprint_ignores_order_only() -> None:
    """
    The same rows in another order are the same data; another word is not.
    """
    one = Row(text="a", thema="mens", family="1")
    two = Row(text="b", thema="mens", family="2")
    other = Row(text="c", thema="mens", family="2")

    assert fingerprint([one, two]) == fingerprint([two, one])
    assert fingerprint([one, two]) != fingerprint([one, other])
