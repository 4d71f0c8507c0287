"""The stages on which telephony is tried out."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from tests.sip.stage import FakeStage, PjsuaStage, Stage

LONG_BEEP_SECONDS = 3.0


class StageHolder:
    """At most one real telephony at a time: pjsua2 allows no more in a process."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._stage: PjsuaStage | None = None

    def shared(self) -> PjsuaStage:
        """The one with usual settings; each test has lines of its own."""
        if self._stage is None:
            self._stage = PjsuaStage(self._folders.mktemp("sip"))
        return self._stage

    def close(self) -> None:
        """End it, to make room."""
        stage, self._stage = self._stage, None
        if stage is not None:
            stage.close()


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StageHolder]:
    """The holder of the real telephony."""
    pytest.importorskip("pjsua2", reason="pjsua2 is not built: run make setup")
    if shutil.which("sipp") is None:
        pytest.skip("SIPp is not installed: run make setup-tests")
    holder = StageHolder(tmp_path_factory)
    yield holder
    holder.close()


@pytest.fixture
def pjsua_stage(stages: StageHolder) -> PjsuaStage:
    """The real telephony, shared."""
    return stages.shared()


@pytest.fixture
def own_stage(stages: StageHolder, tmp_path: Path) -> Iterator[Callable[..., PjsuaStage]]:
    """A function that starts a real telephony with settings of one's own."""
    stages.close()
    with ExitStack() as running:

        def start(**changes: object) -> PjsuaStage:
            stage = PjsuaStage(tmp_path, **changes)
            running.callback(stage.close)
            return stage

        yield start


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
    return tone(tmp_path_factory.mktemp("wav") / "beep.wav", 0.5)


@pytest.fixture(scope="session")
def long_beep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of 440 Hz: a prompt that may lose its beginning, or is to be cut short."""
    return tone(tmp_path_factory.mktemp("wav") / "long_beep.wav", LONG_BEEP_SECONDS)


def tone(file: Path, seconds: float) -> Path:
    """Write 440 Hz to a file, and return it."""
    tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(round(8000 * seconds)) / 8000)
    with wave.open(str(file), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(8000)
        wav.writeframes(tone.astype("<i2").tobytes())
    return file


@pytest.fixture
def logged() -> Iterator[Sequence[EventDict]]:
    """The lines that are logged from here on, of every thread."""
    with capture_logs() as lines:
        yield lines
