"""The stages on which telephony is tried out."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.sip.stage import FakeStage, PjsuaStage, Stage


@pytest.fixture(scope="session")
def pjsua_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PjsuaStage]:
    """The real telephony, shared: each test has lines of its own."""
    pytest.importorskip("pjsua2", reason="pjsua2 is not built: run make setup")
    if shutil.which("sipp") is None:
        pytest.skip("SIPp is not installed: run make setup-tests")
    stage = PjsuaStage(tmp_path_factory.mktemp("sip"))
    yield stage
    stage.close()


@pytest.fixture(params=["fake", "pjsua"])
def stage(request: pytest.FixtureRequest) -> Stage:
    """The fake and the real telephony, one after the other."""
    if request.param == "fake":
        return FakeStage()
    real: Stage = request.getfixturevalue("pjsua_stage")
    return real


@pytest.fixture(scope="session")
def beep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of 440 Hz, as a prompt."""
    file = tmp_path_factory.mktemp("wav") / "beep.wav"
    tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(4000) / 8000)
    with wave.open(str(file), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(8000)
        wav.writeframes(tone.astype("<i2").tobytes())
    return file
