"""``wegwijs train``: what cannot end well does not begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from intent.catalogue import load_catalogue
from intent.training import ModelVersion
from ivr.commands import cli, text_commands
from ivr.files.embedded import embedded_dir


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


@pytest.mark.parametrize(("fingerprint", "told"), [("another", True), (None, False)])
def test_catalogue_of_ones_own_is_to_be_configured(
    fingerprint: str | None,
    told: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """
    A promoted version alone routes nobody to a new thema; a copy of the embedded data needs no
    setting.
    """
    ours = load_catalogue(embedded_dir("training_data")).fingerprint
    trained = ModelVersion(
        version="nl-0123456789ab",
        directory=tmp_path,
        card={"data": {"catalogue": fingerprint or ours}},
    )
    monkeypatch.setattr(text_commands, "train_version", lambda *_, **__: trained)

    code = cli.main(["train", "--data", str(tmp_path), "--home", str(tmp_path / "home")])

    setting = f'[catalogue] folder = "{tmp_path}"'
    assert (0, told) == (code, setting in capsys.readouterr().out.splitlines()[-1])
