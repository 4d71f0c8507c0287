"""The table of sound-alikes: one that cannot be used is named, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from intent.confusions import load_confusions
from intent.errors import TrainingDataError


@pytest.mark.parametrize(
    ("octets", "line", "problem"),
    [
        (b"huis\thuid\nbeleid\n", 2, "has no tab"),
        (b"huis\thuid\ncaf\xe9\tcava\n", 2, "is not UTF-8"),
        (None, 0, "cannot be read"),
    ],
)
def test_wrong_line_is_named(octets: bytes | None, line: int, problem: str, tmp_path: Path) -> None:
    """
    A folder in its place too.
    """
    file = tmp_path / "confusions.tsv"
    if octets is None:
        file.mkdir()
    else:
        file.write_bytes(octets)

    with pytest.raises(TrainingDataError, match=problem) as caught:
        load_confusions(file)

    assert line == caught.value.line
    assert "confusions.tsv" in str(caught.value)
