"""``wegwijs classify``: any line of input gives a line of output or a clear error."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from ivr.commands import cli
from ivr.files.embedded import embedded_dir


def _classified(line: str, home: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line.encode()), "utf-8"))
    return cli.main(["classify", "--home", str(home), *arguments])


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("nope", "is not a JSON object with a text"),
        ("[]", "is not a JSON object with a text"),
        ("[" * 100_000, "is not a JSON object with a text"),
        ('{"text": null}', "is not a JSON object with a text"),
        ('{"text": 5}', "is not a JSON object with a text"),
        ('{"text": "kindergeld", "confidence": "high"}', "has a confidence that is no number"),
        ('{"text": "kindergeld", "confidence": null}', "has a confidence that is no number"),
        ('{"text": "kindergeld", "confidence": NaN}', "has a confidence that is no number"),
    ],
)
def test_line_that_cannot_be_used_is_named(
    line: str,
    mistake: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """
    With what is wrong in it: a bad confidence is not told as a missing text.
    """
    code = _classified(line, tmp_path, monkeypatch, "--jsonl")

    told = capsys.readouterr()
    assert (1, "") == (code, told.out)
    assert f"standard input, line 1: {mistake}" in told.err


@pytest.mark.parametrize("confidence", ["0.4", "7", "-1", "1e999", "1" + "0" * 400])
def test_confidence_out_of_range_counts_as_the_nearest(
    confidence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """
    Engines round: a little more than one is sure.
    """
    line = f'{{"text": "kindergeld", "confidence": {confidence}}}'

    code = _classified(line, tmp_path, monkeypatch, "--jsonl")

    found = json.loads(capsys.readouterr().out)
    assert (0, "gezin-groeipakket") == (code, found["thema"])


def test_text_that_cannot_be_printed_is_classified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Half a surrogate pair, from JSON or from an argument that is no UTF-8, becomes a question mark.
    """
    _classified(r'{"text": "kindergeld \ud800"}', tmp_path, monkeypatch, "--jsonl")
    _classified("", tmp_path, monkeypatch, "kindergeld \udcff")

    lines = capsys.readouterr().out.splitlines()
    assert ["kindergeld ?"] * 2 == [json.loads(line)["text"] for line in lines]


def test_catalogue_of_ones_own_decides_which_themas_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    As a line with that catalogue does: without a table there is no thema.
    """
    file = embedded_dir("training_data") / "catalogue.toml"
    tables = file.read_text(encoding="utf-8").split("[[themas]]")
    kept = [table for table in tables if 'slug = "energie"\nspoken = "energie"' not in table]
    (tmp_path / "catalogue.toml").write_text("[[themas]]".join(kept), encoding="utf-8")

    _classified("", tmp_path, monkeypatch, "zonnepanelen", "--catalogue", str(tmp_path))

    ranking = json.loads(capsys.readouterr().out)["ranking"]
    assert len(tables) - 2 == len(ranking)
    assert "energie" not in {ranked["thema"] for ranked in ranking}


def test_text_without_words_has_no_thema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Nor a probability; a person is the one to ask.
    """
    _classified("", tmp_path, monkeypatch, "", "   ", "\N{TELEPHONE RECEIVER}", "kindergeld")

    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [None, None, None, "gezin-groeipakket"] == [row["thema"] for row in found]
    assert [True, True, True, False] == [row["probability"] is None for row in found]
    assert ["human"] * 3 == [row["decision"]["action"] for row in found[:3]]
