"""What only the classifier or only the configured catalogue knows is told before a call."""

from __future__ import annotations

from pathlib import Path

from intent.registry import Registry
from ivr.files.embedded import embedded_dir
from ivr.files.home import Home
from ivr.learning.catalogue_gaps import thema_gaps
from ivr.service.findings.check import check
from ivr.service.findings.finding import Weight


def test_gaps_are_told_from_both_sides(tmp_path: Path) -> None:
    """
    The thema that was renamed is unknown to the model under its new name; its three labels that
    are no themas are nobody's gap.
    """
    text = (embedded_dir("training_data") / "catalogue.toml").read_text(encoding="utf-8")
    (tmp_path / "catalogue.toml").write_text(
        text.replace('slug = "energie"\nspoken = "energie"', 'slug = "stroom"\nspoken = "stroom"')
    )
    registry = Registry(tmp_path / "none", embedded_dir("models") / "intent-nl")
    file = tmp_path / "wegwijs.toml"

    lacking, unknown = thema_gaps(registry, tmp_path, file)

    assert [] == list(thema_gaps(registry, None, file))
    assert f"{file}: catalogue.folder: {tmp_path} lacks energie, which" in lacking
    assert f"{file}: catalogue.folder: {tmp_path} has stroom, which" in unknown


def test_check_advises_on_gaps(tmp_path: Path) -> None:
    """
    The phone works, and an engineer reads which themas nobody will reach by speaking.
    """
    text = (embedded_dir("training_data") / "catalogue.toml").read_text(encoding="utf-8")
    (tmp_path / "catalogue.toml").write_text(
        text.replace('slug = "energie"\nspoken = "energie"', 'slug = "stroom"\nspoken = "stroom"')
    )
    file = tmp_path / "wegwijs.toml"
    file.write_text(f'[catalogue]\nfolder = "{tmp_path}"\n', encoding="utf-8")

    found = check(file, Home(tmp_path / "home"))

    advice = [f.message for f in found if f.weight is Weight.ADVICE]
    assert [True] == ["lacks energie" in told for told in advice if "catalogue.folder" in told][:1]
