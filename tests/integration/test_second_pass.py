"""Two real engines in a real phone: one that hears badly, and one that makes good for it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from asr.model_files.files import embedded_model_dir, write_checksums
from ivr.contacts.models import Call
from tests.integration.callers import Centre, spoken
from tests.integration.phone import Phone, configuration, short_prompts
from tests.sip.agents import Agent

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("service_can_run")]

QUESTION = "krijg ik nog een premie voor zonnepanelen"
MARKER_WORD = "zonnepanelen"


@pytest.fixture(scope="module")
def question(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The caller's words."""
    return spoken(tmp_path_factory.mktemp("speech"), QUESTION)


@pytest.fixture
def start(tmp_path: Path, centre: Centre) -> Callable[[dict[str, Any]], Phone]:
    """Make a phone with this recognition."""

    def make(recognition: dict[str, Any]) -> Phone:
        return Phone(
            tmp_path,
            configuration(
                {
                    "lines": {"1700": {}},
                    "prompts": {"recordings": short_prompts(tmp_path / "prompts")},
                    "recognition": recognition,
                },
                target=centre.at("algemeen"),
            ),
        )

    return make


def hard_of_hearing(folder: Path) -> Path:
    """The embedded model, with hardly any choice while it decodes and no belief in the result."""
    shutil.copytree(embedded_model_dir(), folder)
    conf = folder / "conf" / "model.conf"
    lines = conf.read_text("utf-8").splitlines()
    kept = [line for line in lines if not line.startswith(("--beam", "--max-active", "--min-act"))]
    narrow = ["--beam=1.0", "--max-active=12", "--min-active=2", ""]
    conf.write_text("\n".join([*kept, *narrow]), encoding="utf-8")
    calibration = folder / "conf" / "confidence.json"
    numbers = json.loads(calibration.read_text("utf-8"))
    calibration.write_text(json.dumps(numbers | {"bias": -8.0}), encoding="utf-8")
    write_checksums(folder)
    return folder


@contextmanager
def asked(phone: Phone, question: Path) -> Iterator[None]:
    """Somebody asks the question, and stays until the block is over."""
    with Agent("caller_agent", "--to", phone.uri(), "--pause-ms", "300") as agent:
        agent.until("answered")
        phone.until_state("listening")
        agent.command(do="say", file=str(question))
        yield
        agent.command(do="hang_up")


def only_record(phone: Phone, is_whole: Callable[[Call], bool]) -> Call:
    """The record of the only call, once it is over and whole."""
    found: list[Call] = []

    def is_there() -> bool:
        found[:] = phone.records()
        return len(found) == 1 and found[0].ended_at is not None and is_whole(found[0])

    phone.until("whole record", is_there)
    return found[0]


def test_the_second_engine_rescues_an_unsure_first_one(
    start: Callable[[dict[str, Any]], Phone], question: Path, tmp_path: Path
) -> None:
    """
    The caller reaches the thema that the second engine heard; the record says who heard what, and
    nothing of it is in log, metrics or readiness.
    """
    deaf = hard_of_hearing(tmp_path / "deaf")
    with start({"model": str(deaf), "second": {"engine": "vosk"}}) as phone:
        with asked(phone, question):
            phone.until("end of recognition", lambda: phone.metric("wegwijs_second_passes_total"))
            phone.until("transfer", lambda: phone.metric("wegwijs_transfers_total"))
        record = only_record(phone, lambda call: bool(call.other_readings))
        ready = phone.readiness()
        better = phone.metric("wegwijs_second_passes_total", result="better")
        shown = phone.stderr + phone.get("/metrics") + json.dumps(ready)

    heard, other = record.utterances[0], record.other_readings[0]
    assert ("routed", "energie") == (record.outcome, record.thema)
    assert str(heard.recogniser_version).startswith("asr-nl-8k@")
    assert MARKER_WORD in (heard.transcript or "")
    assert ("first", "vosk", "") == (other.heard_in, other.recogniser, other.failure)
    assert other.recogniser_version.startswith("deaf@")
    assert (other.confidence or 0.0) < 0.1 < (heard.confidence or 0.0)
    assert 1 == better
    assert [("first", "closed"), ("second", "closed")] == [
        (engine["recogniser"], engine["breaker"]) for engine in ready["recognisers"]
    ]
    assert MARKER_WORD not in shown


def test_recordings_are_transcribed_again_after_the_call(
    start: Callable[[dict[str, Any]], Phone], question: Path, tmp_path: Path
) -> None:
    """
    The caller hung up long ago; the reading is beside the utterance, by the second engine.
    """
    other_model = shutil.copytree(embedded_model_dir(), tmp_path / "other")
    second = {"engine": "vosk", "model": str(other_model), "unsure_below": 0.0}
    since = time.time()
    with start({"second": second}) as phone:
        with asked(phone, question):
            phone.until("transfer", lambda: phone.metric("wegwijs_transfers_total"))
        record = only_record(phone, lambda call: bool(call.other_readings))
        done = phone.metric("wegwijs_background_passes_total", result="done")

    heard, other = record.utterances[0], record.other_readings[0]
    assert str(heard.recogniser_version).startswith("asr-nl-8k@")
    assert ("background", "") == (other.heard_in, other.failure)
    assert other.recogniser_version.startswith("other@")
    assert heard.transcript == other.transcript
    assert heard.at == other.at
    assert other.at.timestamp() >= since
    assert 1 == done
