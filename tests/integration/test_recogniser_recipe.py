"""A slice of the recipe, end to end: from sentences to a folder that vosk loads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from asr.engines import load_engine
from asr.transcribe import transcribe_pcm

_MISSING = [
    *(name for name in ("espeak-ng", "fstcompile") if shutil.which(name) is None),
    *(name for name in ("torch", "kaldi_native_fbank") if find_spec(name) is None),
]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}")
def test_slice_of_the_recipe_makes_a_model_that_vosk_runs(tmp_path: Path) -> None:
    """
    Forty callers, one epoch: a model of no use, but whole, checked and silent about silence.
    """
    model = tmp_path / "model"
    command = [sys.executable, "-m", "asr.training", "slice", "--data", str(tmp_path / "nothing")]
    done = subprocess.run(
        [*command, "--work", str(tmp_path / "work"), "--model", str(model)],
        capture_output=True,
        text=True,
        timeout=1500,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )

    assert 0 == done.returncode, done.stderr
    engine = load_engine("vosk", model)
    transcript = transcribe_pcm(engine, np.zeros(8000, np.int16))
    engine.close()
    assert engine.model == transcript.model
    card = (model / "README.md").read_text(encoding="utf-8")
    assert "real callers" in card
    assert "{" not in card
