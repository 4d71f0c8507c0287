"""``[recognition]`` with two engines: what is wrong is named, what is right is loaded."""

from __future__ import annotations

import contextlib
import shutil
import threading
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from asr.errors import AsrError
from asr.model_files.files import embedded_model_dir
from ivr.audio.recording import write
from ivr.config.loading import parse_config
from ivr.config.schema import Config
from ivr.engine.breaker import BreakerState
from ivr.engine.register import Recorded
from ivr.files.home import Home
from ivr.ports.records import ContactRecord, OtherReadingHeard
from ivr.service.recognisers import (
    LoadedRecognition,
    load_recognition,
)
from ivr.service.speech_engines import deadline_problems, engine_problems
from tests.fakes.speech import Results
from tests.fakes.surroundings import FakeSink

WAIT_SECONDS = 60.0
SECOND = '[recognition.second]\nengine = "vosk"\n'


@pytest.fixture(autouse=True)
def no_installed_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed on this machine changes nothing here."""
    monkeypatch.delenv("WEGWIJS_MODELS", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for the configuration, with another model in "ander" than the embedded one."""
    try:
        shutil.copytree(embedded_model_dir(), tmp_path / "ander")
    except AsrError as error:
        pytest.skip(str(error))
    return tmp_path


def config(folder: Path, text: str) -> Config:
    return parse_config(tomllib.loads(text), folder / "wegwijs.toml")


def problems(folder: Path, text: str) -> list[str]:
    made, path = config(folder, text), folder / "wegwijs.toml"
    found = [*engine_problems(made, Home(folder), path), *deadline_problems(made, path)]
    return [str(problem) for problem in found]


@pytest.mark.parametrize("model", ["ander", "./ander", "{folder}/ander"])
def test_second_engine_that_fits_has_no_problems(folder: Path, model: str) -> None:
    """
    Its model may be named like a folder beside the file, or by its path.
    """
    named = model.format(folder=folder)

    assert [] == problems(folder, f'{SECOND}model = "{named}"\n')


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (SECOND, ["recognition.second.model", "first engine"]),
        (
            '[recognition]\nmodel = "ander"\n' + SECOND + 'model = "./ander"\n',
            ["recognition.second.model", "first engine"],
        ),
        (
            '[recognition.second]\nengine = "kaldi"\n',
            ["recognition.second cannot be used", "'kaldi'", "vosk"],
        ),
        (
            SECOND + 'model = "vosk-nl-groot"\n',
            ["recognition.second.model = 'vosk-nl-groot'", "wegwijs models install"],
        ),
        (SECOND + 'model = "./nergens"\n', ["recognition.second.model", "nergens"]),
        (
            SECOND + 'model = "ander"\ndeadline_seconds = 1.2\n',
            ["recognition.second.deadline_seconds = 1.2", "at most 1,"],
        ),
        (
            SECOND + 'model = "ander"\nunsure_below = 0.0\nshare_of_calls = 0.0\n',
            ["recognition.second.unsure_below", "nothing to do"],
        ),
        (
            SECOND + 'model = "ander"\nthreads = 4\n',
            ["recognition.second cannot be used", "'threads'"],
        ),
        (
            "[recognition]\ndeadline_seconds = 2.0\n",
            ["recognition.deadline_seconds = 2.0", "timers.deciding_seconds"],
        ),
        (
            '[recognition]\nengine = "whisperr"\n',
            ["recognition cannot be used", "'whisperr'", "choose one of"],
        ),
    ],
)
def test_mistaken_engines_are_named(folder: Path, text: str, wanted: list[str]) -> None:
    """
    Each with its file, key and value, and what to do; nothing else is blamed.
    """
    found = problems(folder, text)

    assert 1 == len(found), found
    assert str(folder / "wegwijs.toml") in found[0]
    assert [] == [word for word in wanted if word not in found[0]], found


class ToldSink(FakeSink):
    """Says when it has something."""

    def __init__(self) -> None:
        super().__init__()
        self.told = threading.Event()

    def submit(self, record: ContactRecord) -> None:
        super().submit(record)
        self.told.set()


@pytest.fixture
def sink() -> ToldSink:
    return ToldSink()


@pytest.fixture
def loaded(folder: Path, sink: ToldSink) -> Iterator[LoadedRecognition]:
    """The embedded model twice: the first engine is asked, and the second whenever it can be."""
    text = SECOND + 'model = "ander"\nunsure_below = 1.0\n'
    with contextlib.ExitStack() as stack:
        yield load_recognition(
            config(folder, text),
            Home(folder),
            folder / "wegwijs.toml",
            sink,
            stack,
        )


def babble(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    rng = np.random.default_rng(7)
    return (rng.normal(size=int(8000 * seconds)) * 800).astype(np.int16)


def test_two_real_engines_share_a_turn(loaded: LoadedRecognition) -> None:
    """
    Both are vosk with real models and threads; the turn has one result, whoever is surer.
    """
    results = Results()
    pcm = babble(1.5)
    turn = loaded.engines.recognition.open(results)
    for start in range(0, len(pcm), 1600):
        turn.feed(pcm[start : start + 1600])
    turn.finish()
    told = results.all

    assert results.first.wait(WAIT_SECONDS)
    assert 1 == len(told)
    assert told[0].transcript is not None
    assert told[0].other is not None
    assert {"asr-nl-8k", "ander"} == {
        name.partition("@")[0] for name in (told[0].transcript.model, told[0].other.model)
    }
    counters = loaded.counters()
    assert [BreakerState.CLOSED] * 2 == [health.state for health in counters.engines]
    assert [{"done": 1}] * 2 == [health.uses for health in counters.engines]
    assert 1 == sum(counters.second_passes.values())


def test_a_real_recording_is_heard_in_the_background(
    loaded: LoadedRecognition, sink: ToldSink, tmp_path: Path
) -> None:
    """
    By the engine's real thread of the lowest priority, into the register.
    """
    path = tmp_path / "1.flac"
    write(path, babble(2.0))
    at = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    assert loaded.background is not None
    loaded.background.offer(Recorded(call_id="ab", number=1, at=at, path=path))

    assert sink.told.wait(WAIT_SECONDS)
    record = sink.records[0]
    assert isinstance(record, OtherReadingHeard)
    assert ("ab", 1, "background", at, "") == (
        record.call_id,
        record.number,
        record.heard_in,
        record.at,
        record.failure,
    )
    assert record.recogniser_version.startswith("ander@")
