"""``wegwijs check``: what it prints, and its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.commands.check import run_check


def test_mistakes_are_printed_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    One a line with its weight, then how many; a script sees exit code 1.
    """
    file = tmp_path / "wegwijs.toml"
    file.write_text('general = 7\n[lines."1700"]\nmode = "sometimes"\n', encoding="utf-8")

    code = run_check(file, tmp_path / "home")
    *findings, verdict = capsys.readouterr().out.splitlines()

    assert 1 == code
    assert {"mistake"} == {line.partition(": ")[0] for line in findings if "advice" not in line}
    assert any("general = 7" in line for line in findings)
    assert any("lines.1700.mode" in line for line in findings)
    assert verdict.startswith(f"{file}: ")
    assert verdict.endswith(" mistakes")


def test_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    One mistake is "1 mistake".
    """
    file = tmp_path / "absent.toml"

    code = run_check(file, tmp_path / "home")

    assert 1 == code
    assert f"{file}: 1 mistake" == capsys.readouterr().out.splitlines()[-1]
