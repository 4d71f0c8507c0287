"""``wegwijs train``: what cannot end well does not begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr import cli, text_commands


def test_folder_that_cannot_be_written_is_told_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Not after minutes, with the work lost.
    """
    monkeypatch.setattr(
        text_commands, "train_version", lambda *_, **__: pytest.fail("the training began")
    )
    occupied = tmp_path / "file"
    occupied.write_text("not a folder")

    code = cli.main(["train", "--out", str(occupied), "--home", str(tmp_path / "home")])

    told = capsys.readouterr().err
    assert 1 == code
    assert f"wegwijs: {occupied}: cannot be written to" in told
    assert "--out" in told
