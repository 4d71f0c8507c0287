"""Model folders that nobody vouches for: a clear error, never the end of the process."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("vosk", reason="the vosk engine is not installed")

from asr.engines import load_engine
from asr.engines.vosk_model import check_apart
from asr.errors import AsrError, ModelDamagedError, ModelMissingError
from asr.model_files.files import CHECKSUMS_FILE, embedded_model_dir
from asr.transcribe import transcribe_pcm


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The embedded model as an operator might have made it: without checksums."""
    copy = tmp_path / "model"
    shutil.copytree(embedded_model_dir(), copy)
    (copy / CHECKSUMS_FILE).unlink()
    return copy


def _cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def _other_layout(folder: Path) -> None:
    """A constant graph of another program in place of the two that vosk composes."""
    (folder / "graph" / "HCLr.fst").unlink()
    (folder / "graph" / "Gr.fst").unlink()
    (folder / "graph" / "HCLG.fst").write_bytes(struct.pack("<iiq", 2125659606, 6, 1 << 40) * 99)


def _foreign_words(folder: Path) -> None:
    """The same graphs with the words of another language."""
    lines = (folder / "graph" / "words.txt").read_text(encoding="utf-8").splitlines()
    renamed = [f"mot{index} {line.split()[1]}" for index, line in enumerate(lines)]
    renamed[0] = "<eps> 0"
    (folder / "graph" / "words.txt").write_text("\n".join(renamed) + "\n", encoding="utf-8")


LOADING = "vosk (does not load it|crashes on it)"
DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "network cut short": (lambda f: _cut(f / "am" / "final.mdl", 0.6), LOADING),
    "network cut to its head": (lambda f: _cut(f / "am" / "final.mdl", 0.0001), LOADING),
    "network of zeros": (lambda f: (f / "am" / "final.mdl").write_bytes(bytes(99999)), LOADING),
    "word graph cut short": (lambda f: _cut(f / "graph" / "HCLr.fst", 0.5), LOADING),
    "language graph cut short": (lambda f: _cut(f / "graph" / "Gr.fst", 0.5), LOADING),
    "graph of another layout": (_other_layout, LOADING),
    "no network": (lambda f: (f / "am" / "final.mdl").unlink(), "holds no model"),
    "no graph": (lambda f: (f / "graph" / "Gr.fst").unlink(), r"HCLG\.fst: the file is missing"),
    "no features": (lambda f: (f / "conf" / "mfcc.conf").unlink(), r"mfcc\.conf: the file is miss"),
    "no words": (lambda f: (f / "graph" / "words.txt").unlink(), LOADING),
    "another language": (_foreign_words, "is no Dutch model"),
    "strange rate": (
        lambda f: (f / "conf" / "mfcc.conf").write_text("--sample-frequency=11025\n"),
        "11025 Hz cannot be made",
    ),
    "fewer bands than the network wants": (
        lambda f: (f / "conf" / "mfcc.conf").write_text(
            "--sample-frequency=8000\n--num-mel-bins=20\n--num-ceps=13\n--high-freq=3800\n"
        ),
        LOADING,
    ),
}


@pytest.mark.parametrize("name", sorted(DAMAGE))
def test_damaged_or_foreign_folder_is_a_clear_error(folder: Path, name: str) -> None:
    """
    The error names the folder or file and a remedy, in one line; this process lives on.
    """
    damage, words = DAMAGE[name]
    damage(folder)

    with pytest.raises((ModelDamagedError, ModelMissingError), match=words) as caught:
        load_engine("vosk", folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "name another" in str(caught.value) or "name a" in str(caught.value)


def test_folder_without_checksums_is_tried_and_used(folder: Path) -> None:
    """
    An operator's own whole model needs no checksums of ours.
    """
    engine = load_engine("vosk", folder)

    assert "" == transcribe_pcm(engine, np.zeros(8000, np.int16)).text
    engine.close()


def test_model_that_does_not_end_is_given_up(folder: Path) -> None:
    """
    A word list that is a pipe with nobody at the other end would be read for ever.
    """
    (folder / "graph" / "words.txt").unlink()
    os.mkfifo(folder / "graph" / "words.txt")

    with pytest.raises(AsrError, match="within 3 s"):
        check_apart(folder, timeout_seconds=3.0)
