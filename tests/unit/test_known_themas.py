"""What only the classifier or only the configured catalogue knows is told before a call."""

from __future__ import annotations

from pathlib import Path

from intent.registry import Registry
from ivr.carried import embedded_dir
from ivr.known_themas import thema_gaps


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
