"""The pictures beside a model: whole, and of the numbers they were given."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from intent.plots import plots
from intent.storage import read_card

EMBEDDED = Path(__file__).parents[3] / "models" / "intent-nl"


def test_pictures_are_drawn_from_the_card() -> None:
    """
    A curve and a confusion matrix for calibration and for the held-out part, each valid SVG.
    """
    pictures = plots(read_card(EMBEDDED))

    assert 4 == len(pictures)
    for name, content in pictures.items():
        assert name.endswith(".svg")
        assert "svg" in ElementTree.fromstring(content).tag


def test_without_scores_there_is_nothing_to_draw() -> None:
    """
    A version without a held-out part has no pictures of it.
    """
    assert {} == plots({"labels": ["mens"], "held_out": {}})
