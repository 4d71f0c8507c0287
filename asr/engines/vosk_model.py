"""What must be true of a vosk model folder before it is loaded into a process that has callers.

vosk trusts its files: a graph that does not fit the network, or a file cut short, may end the whole
process. A folder without checksums or record of ours is therefore tried in a process of its own.
"""

from __future__ import annotations

import re
from pathlib import Path

from asr.engines.apart import LOADING_SECONDS, Ending, try_apart
from asr.errors import ModelDamagedError, ModelMissingError

REQUIRED = ("am/final.mdl", "final.mdl")
_PARTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "am/final.mdl": (("am/final.mdl",), ("final.mdl",)),
    "conf/mfcc.conf": (("conf/mfcc.conf",), ("mfcc.conf",)),
    "graph/HCLG.fst": (("graph/HCLG.fst",), ("graph/HCLr.fst", "graph/Gr.fst"), ("HCLG.fst",)),
}
"""The parts of a model, each with the sets of files that it may consist of."""
_ANOTHER = "restore the folder, or name another model"
EVERYDAY_WORDS = (
    *("ik", "het", "een", "niet", "van", "voor", "wat", "hoe", "mijn", "wanneer"),
    *("naar", "worden", "krijgen", "moet", "geen", "maar", "hebben", "waar", "deze", "graag"),
)
_LEAST_KNOWN = 5
"""Of those; a model of another language knows one or two by accident."""


def check_parts(model_dir: Path) -> None:
    """Check that the files are there without which vosk cannot load a folder.

    Raises:
        ModelDamagedError: A part is missing.
    """
    for part, ways in _PARTS.items():
        if not any(all((model_dir / name).is_file() for name in way) for way in ways):
            raise ModelDamagedError(model_dir / part, "the file is missing", _ANOTHER)


def check_language(model_dir: Path, known: int) -> None:
    """Refuse a model that hardly knows a Dutch word.

    Args:
        model_dir: For the message.
        known: How many of :data:`EVERYDAY_WORDS` it knows.

    Raises:
        ModelDamagedError: It is a model of another language.
    """
    if known < _LEAST_KNOWN:
        raise ModelDamagedError(
            model_dir,
            f"knows {known} of {len(EVERYDAY_WORDS)} everyday Dutch words: it is no Dutch model",
            "name a Dutch one",
        )


def check_apart(model_dir: Path, *, timeout_seconds: float = LOADING_SECONDS) -> None:
    """Load a folder without checksums or record of ours in a process of its own.

    Raises:
        ModelDamagedError: vosk cannot load it, crashes on it, or does not end.
    """
    trial = try_apart("vosk", model_dir, timeout_seconds=timeout_seconds)
    if trial.ending is not Ending.LOADED:
        raise ModelDamagedError(model_dir, trial.sentence("vosk"), _ANOTHER)


def model_rate_hz(model_dir: Path) -> int:
    """Read the model's sample rate; vosk's default is 16000.

    Raises:
        ModelMissingError: There is no such folder.
        ModelDamagedError: The rate is no multiple of 8000.
    """
    if not model_dir.is_dir():
        raise ModelMissingError(model_dir, "check the path")
    for name in ("conf/mfcc.conf", "mfcc.conf"):
        path = model_dir / name
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            found = re.search(r"--sample-frequency=(\d+)", text)
            rate_hz = int(found.group(1)) if found else 16000
            if rate_hz not in (8000, 16000, 24000, 48000):
                raise ModelDamagedError(
                    path, f"sample rate {rate_hz} Hz cannot be made from 8000 Hz", "name another"
                )
            return rate_hz
    return 16000
