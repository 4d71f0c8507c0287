"""Callers who hang up, whatever the service does: one complete record, and all is free again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from asr.model_files.files import embedded_model_dir, write_checksums
from ivr.sip.settings import SPARE_LEGS
from tests.integration.callers import (
    Centre,
    assert_all_is_free,
    assert_ended_in,
    caller,
    menu_groups,
    newest,
    sipp,
    spoken,
)
from tests.integration.phone import WITHIN_SECONDS, Phone, configuration, short_prompts
from tests.integration.ports import free_range
from tests.sip import scenarios as sip

pytestmark = [pytest.mark.slow, pytest.mark.sipp, pytest.mark.usefixtures("service_can_run")]

MAX_CALLS = 4
KEYS = {"greeting": "", "prompting": "", "listening": "", "menu": "1", "announcing": "0"}
PATIENT_PROMPT_SECONDS = 8.0
SECOND_PASS_SECONDS = 20.0
LONG_QUESTION = (
    "goeiemorgen ik heb een vraag want ik wil graag weten of ik nog een premie krijg voor "
    "zonnepanelen op het dak van mijn woning die ik vorig jaar heb laten plaatsen door een "
    "aannemer uit de buurt"
)


def searches_widely(folder: Path) -> Path:
    """The embedded model with a beam in which it needs about as long as the caller spoke."""
    model = shutil.copytree(embedded_model_dir(), folder)
    conf = model / "conf" / "model.conf"
    lines = conf.read_text("utf-8").splitlines()
    kept = [line for line in lines if not line.startswith(("--beam", "--max-active"))]
    conf.write_text("\n".join([*kept, "--beam=42", "--max-active=200000", ""]), encoding="utf-8")
    write_checksums(model)
    return model


@pytest.fixture(scope="module")
def long_question(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of speech: even a fast machine has something to search."""
    return spoken(tmp_path_factory.mktemp("speech"), LONG_QUESTION)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory, centre: Centre) -> Iterator[Phone]:
    """A phone in which every state lasts long enough to hang up in it.

    Prompts take eight seconds, the policy always asks the caller to confirm, and callers wait for a
    second engine: a real one that searches so widely that it needs as long as it is given.
    """
    folder = tmp_path_factory.mktemp("patient")
    # As few ports as these settings allow: one that is not given back is missed soon.
    legs = 2 * MAX_CALLS + SPARE_LEGS
    first = free_range(2 * legs, low=11_000, high=19_000)
    tables = configuration(
        {
            "service": {"max_calls": MAX_CALLS},
            "sip": {"rtp_ports": f"{first}-{first + 2 * legs - 1}"},
            "lines": {"1700": {}},
            "prompts": {"recordings": short_prompts(folder / "prompts", PATIENT_PROMPT_SECONDS)},
            "recognition": {
                "second": {
                    "engine": "vosk",
                    "model": searches_widely(folder / "asr"),
                    "unsure_below": 1.0,
                    "deadline_seconds": SECOND_PASS_SECONDS,
                    "share_of_calls": 0.0,
                },
            },
            "costs": {
                "misroute_seconds": 100_000.0,
                "confirm_seconds": 0.001,
                "menu_seconds": 10_000.0,
                "repeat_seconds": 10_000.0,
                "human_seconds": 100_000.0,
            },
            "groups": {menu_groups()[2]: {"targets": [centre.at("ring")]}},
        },
        target=centre.at("algemeen"),
    )
    with Phone(folder, tables) as running:
        yield running


@pytest.mark.parametrize("state", [*KEYS, "deciding", "confirming"])
def test_caller_may_hang_up_in_any_state(patient: Phone, long_question: Path, state: str) -> None:
    """
    The record is complete with the one right outcome, and no call is left.
    """
    since = time.time()
    with caller(patient) as agent:
        agent.until("answered")
        if state not in KEYS:
            patient.until_state("listening")
            agent.command(do="say", file=str(long_question))
        elif KEYS[state]:
            patient.until_state("greeting")
            agent.command(do="digits", digits=KEYS[state])
        patient.until_state(state)
        agent.command(do="hang_up")
        agent.until("summary")
    record = newest(patient, since)

    assert_ended_in(patient, state)
    assert "abandoned" == record.outcome
    assert record.answered_at is not None
    assert "Traceback" not in patient.stderr
    assert_all_is_free(patient, MAX_CALLS)


def test_caller_may_hang_up_amid_a_transfer(patient: Phone) -> None:
    """
    Accepted, and no news of it: the record says unconfirmed, and no call is left.
    """
    steps = (
        sip.invite(body=sip.sdp(sip.PCMA)),
        sip.accepted(),
        sip.inside("INFO", 2, body="Signal=0\r\nDuration=160", kind="application/dtmf-relay"),
        sip.plain(),
        sip.wait_for("REFER"),
        sip.reply(202),
        sip.told_to_go_on(),
        sip.bye(),
    )
    since = time.time()
    with sipp(patient, "leaves-amid-transfer", *steps) as caller:
        patient.until_state("transferring")
        patient.until("answer to the REFER", lambda: "202 Reply" in caller.messages())
        caller.go_on()
        assert 0 == caller.wait(within_seconds=WITHIN_SECONDS), caller.errors()
    record = newest(patient, since)

    assert ("transfer_unconfirmed", "algemeen") == (record.outcome, record.group)
    assert ["unconfirmed"] == [attempt.result for attempt in record.transfers]
    assert_all_is_free(patient, MAX_CALLS)
