"""The demo's own agents: real calls over SIP, with the embedded models, to the right group.

All callers of a module share one service, which they call at the same time; each test reads the
story of its own caller.
"""

from __future__ import annotations

import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.errors import AsrError
from asr.model_files.files import embedded_model_dir
from ivr.demo.call import run_call
from ivr.demo.demo import StagedCall, run_calls, run_demo
from ivr.demo.speech import write_question
from ivr.demo.stage import Stage, StageSettings
from ivr.demo.story import Story

RATE_HZ = 8000
NUMBER = "+32470998877"
QUESTIONS = {
    "onderwijs": "Hoe kan ik een studietoelage aanvragen voor mijn dochter?",
    "mobiliteit": "Ik wil graag weten hoe ik mijn rijbewijs kan verlengen.",
    "energie": "Krijg ik een premie als ik een warmtepomp laat plaatsen?",
}
KEYS = {"human": "0", "second": "2", "ringing": "3", "busy": "1"}
# Behind keys 1 and 3 of the menu of the busiest.
BEHAVIOURS = {"belastingen": "busy", "bouwen-wonen": "ring"}
# The silent caller must not make everybody wait for two menus. All other waits are long: nine
# callers, who are processes too, keep a machine busy.
TABLES: dict[str, dict[str, object]] = {
    "timers": {
        "no_input_seconds": 15.0,
        "menu_seconds": 15.0,
        "confirm_seconds": 15.0,
        "deciding_seconds": 60.0,
        "transfer_seconds": 60.0,
    },
    "recognition": {"deadline_seconds": 30.0},
    "sip": {"media_lost_seconds": 60.0},
    'lines."*"': {"no_input_retries": 0, "menu_replays": 0},
}
RING_SECONDS = 30.0
"""How long a group may take to answer before the next one is tried."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module", autouse=True)
def needs() -> None:
    """Skip where the demo cannot run."""
    if importlib.util.find_spec("pjsua2") is None:
        pytest.skip("pjsua2 is not installed: run make setup")
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: run make setup")
    try:
        embedded_model_dir()
    except AsrError as error:
        pytest.skip(str(error))


def _babble() -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Voiced noise without words: what a mumbling caller sounds like."""
    random = np.random.default_rng(1700)
    at = np.arange(RATE_HZ * 3) / RATE_HZ
    pitch = 120 + 15 * np.sin(2 * np.pi * 0.7 * at)
    voice = sum(np.sin(np.cumsum(2 * np.pi * n * pitch / RATE_HZ)) / n for n in range(1, 12))
    hum = voice * (0.4 + 0.6 * np.abs(np.sin(2 * np.pi * 2.1 * at)))
    return np.asarray(4000 * hum + 300 * random.standard_normal(at.size), dtype=np.int16)


class Evening:
    """The stories of all callers of this module, and what the service logged."""

    def __init__(self, stories: dict[str, Story], log: str) -> None:
        self.stories = stories
        self.log = log


@pytest.fixture(scope="module")
def evening(needs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    """Nine callers of one service."""
    folder = tmp_path_factory.mktemp("callers")
    sounds = {"silent": np.zeros(RATE_HZ, dtype=np.int16), "mumbling": _babble()}
    settings = StageSettings(behaviours=BEHAVIOURS, tables=TABLES, wait_seconds=RING_SECONDS)
    with Stage(settings) as stage:
        phone = stage.start_all()
        calls = {}
        for name, sound in sounds.items():
            path = folder / f"{name}.wav"
            soundfile.write(path, sound, RATE_HZ, subtype="PCM_16")
            calls[name] = StagedCall(stage, path, name=name)
        for thema, question in QUESTIONS.items():
            spoken = folder / thema
            spoken.mkdir()
            path_said = write_question(spoken, question, None)
            calls[thema] = StagedCall(stage, path_said, name=thema, number=NUMBER)
        for name, keys in KEYS.items():
            calls[name] = StagedCall(stage, None, keys, name=name, number=NUMBER)
        # Those whose words matter first: a recogniser that is short of cores hears only half.
        run_calls(stage, [calls[name] for name in QUESTIONS])
        run_calls(stage, [call for name, call in calls.items() if name not in QUESTIONS])
        stories = {name: call.story(QUESTIONS.get(name)) for name, call in calls.items()}
        phone.stop()
        yield Evening(stories, "\n".join(phone.errors))


@pytest.mark.parametrize("thema", QUESTIONS)
def test_a_clear_question_reaches_its_group(evening: Evening, thema: str) -> None:
    """
    By the contact centre's own report, with the thema in the transfer's headers.
    """
    story = evening.stories[thema]

    assert thema == story.group
    assert thema == story.thema
    assert "routed" == story.outcome
    assert len(story.dead_air_ms) >= 1
    rings = [entry for entry in story.timeline if entry.what == "rings"]
    assert story.call_id == rings[-1].details["headers"]["X-Wegwijs-Call-Id"]


def test_key_nought_reaches_a_human(evening: Evening) -> None:
    """
    At any moment, also in the greeting.
    """
    story = evening.stories["human"]

    assert "algemeen" == story.group
    assert () == story.menu


def test_the_second_key_reaches_the_second_group_of_the_menu(evening: Evening) -> None:
    """
    The menu without a ranking offers the busiest themas in their order.
    """
    story = evening.stories["second"]

    assert ["1", "2", "3", "4"] == [option["digit"] for option in story.menu]
    assert story.menu[1]["thema"] == story.thema
    assert "onderwijs" == story.group
    assert "menu_routed" == story.outcome


@pytest.mark.parametrize(("name", "result"), [("busy", "failed"), ("ringing", "timeout")])
def test_a_group_that_does_not_answer_leads_to_the_general_one(
    evening: Evening, name: str, result: str
) -> None:
    """
    The caller is told so and is not lost.
    """
    story = evening.stories[name]

    assert [result, "succeeded"] == [attempt["result"] for attempt in story.transfers]
    assert "algemeen" == story.group
    assert "next_group" in [entry.details.get("prompt") for entry in story.timeline]


def test_a_silent_caller_reaches_a_human(evening: Evening) -> None:
    """
    Through the menu, which nobody answers.
    """
    story = evening.stories["silent"]

    assert "algemeen" == story.group
    assert () == story.dead_air_ms
    assert 4 == len(story.menu)


def test_a_mumbling_caller_is_sent_to_no_thema(evening: Evening) -> None:
    """
    A human, at once or after a menu or a question that nobody answers.
    """
    story = evening.stories["mumbling"]

    assert "algemeen" == story.group


def test_the_log_holds_nothing_that_callers_said_or_pressed(evening: Evening) -> None:
    """
    Neither words, nor the caller's number, nor a thema that would tell what was asked.
    """
    spoken = " ".join(
        f"{story.said} {story.transcript}" for story in evening.stories.values()
    ).lower()
    words = {word for word in re.findall(r"\w+", spoken) if len(word) > 5}
    log = evening.log.lower()

    assert '"event": "call_ended"' in log
    assert NUMBER.strip("+") not in log
    assert set() == {word for word in words if word in log}
    assert '"digit"' not in log


def test_the_command_prints_one_object_and_draws_a_picture(tmp_path: Path) -> None:
    """
    The default question, through the command line as scripts use it.
    """
    picture = tmp_path / "call.svg"
    command = [sys.executable, "-m", "ivr", "demo", "--json", "--svg", str(picture)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)

    assert "" == done.stderr
    assert 0 == done.returncode
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert "onderwijs" == told["thema"] == told["group"]
    assert told["probability"] > 0.5
    assert told["transcript"]
    assert {"caller", "service", "voorlichter"} == {entry["who"] for entry in told["timeline"]}
    drawn = picture.read_text(encoding="utf-8")
    ElementTree.fromstring(drawn)
    assert {"http://www.w3.org/2000/svg"} == set(re.findall(r"\w+://[^\s\"'<>)]+", drawn))


def test_a_test_call_from_outside_reaches_a_group() -> None:
    """
    ``wegwijs call`` knows no more than a caller does, and says so.
    """
    with Stage() as stage:
        stage.start_all()
        out, errors = io.StringIO(), io.StringIO()

        code = run_call(
            stage.uri,
            audio=None,
            say=None,
            digits="0",
            json_output=True,
            stdout=out,
            stderr=errors,
        )

    told = json.loads(out.getvalue())
    assert "" == errors.getvalue()
    assert 0 == code
    assert ("routed", "algemeen") == (told["outcome"], told["group"])
    assert told["transcript"] is None


def test_a_service_that_cannot_start_is_one_clear_message() -> None:
    """
    The reason of the service itself; no traceback, nothing left running.
    """
    settings = StageSettings(tables={"service": {"max_calls": 0}})
    out, errors = io.StringIO(), io.StringIO()

    code = run_demo(
        say=None,
        audio=None,
        digits="0",
        json_output=False,
        svg=None,
        home=None,
        settings=settings,
        stdout=out,
        stderr=errors,
    )

    assert (1, "") == (code, out.getvalue())
    assert "max_calls" in errors.getvalue()
    assert "Traceback" not in errors.getvalue()


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"digits": "x"}, "--digits"),
        ({"audio": Path("/nonexistent.wav")}, "no such file"),
        ({"say": " "}, "--say"),
        ({"svg": Path("/nonexistent/call.svg")}, "--svg"),
        ({"svg": Path("/")}, "name a file in it"),
        ({"svg": Path("/proc/call.svg")}, "name a file in a folder"),
    ],
)
def test_wrong_usage_is_told_before_anything_starts(
    wrong: dict[str, str | Path], word: str
) -> None:
    """
    Exit code 2 and one line.
    """
    errors = io.StringIO()
    asked: dict[str, str | Path | None] = {"say": None, "audio": None, "digits": None, "svg": None}

    code = run_demo(
        **{**asked, **wrong},  # type: ignore[arg-type]
        json_output=False,
        home=None,
        stderr=errors,
    )

    assert 2 == code
    assert word in errors.getvalue()
    assert 1 == len(errors.getvalue().splitlines())
