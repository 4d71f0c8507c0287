"""Callers for tests of recognition: espeak-ng says what a test wants to hear."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from asr.audio_files import read_speech


def say(sentence: str, voice: str, folder: Path) -> NDArray[np.int16]:
    """Let espeak-ng say a sentence; the test skips where it is not installed.

    Returns:
        Shape ``(n,)``, 8000 Hz.
    """
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: apt-get install espeak-ng")
    wav = folder / "said.wav"
    subprocess.run(
        ["espeak-ng", "-v", voice, "-s", "140", "-w", str(wav), sentence], check=True, timeout=60
    )
    return read_speech(wav)
