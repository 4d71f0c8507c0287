"""What a crash and a shutdown of the phone process leave behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from asr.errors import AsrError
from asr.model_files.files import embedded_model_dir
from ivr.contacts.models import Call
from ivr.contacts.store import ContactStore
from ivr.demo.demo import StagedCall, run_calls
from ivr.demo.processes import Child
from ivr.demo.stage import Stage, StageSettings

CALLER = "caller"
PATIENT_SECONDS = 120.0
READY_CPU_SECONDS = 5.0
PATIENT = StageSettings(
    # So long that neither caller nor group is given up while a busy machine holds up a process.
    tables={
        "timers": {"no_input_seconds": 60.0, "menu_seconds": 60.0, "transfer_seconds": 60.0},
        "sip": {"media_lost_seconds": 60.0},
    },
    wait_seconds=60.0,
)
SUPERVISED = replace(PATIENT, phone_command=(sys.executable, "-m", "ivr", "serve"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Service and contact centre, not started yet; the home folder outlives the service."""
    if importlib.util.find_spec("pjsua2") is None:
        pytest.skip("pjsua2 is not installed: run make setup")
    try:
        embedded_model_dir()
    except AsrError as error:
        pytest.skip(str(error))
    with Stage(getattr(request, "param", PATIENT), tmp_path / "home") as running:
        yield running


def _record(stage: Stage, register: ContactStore, call_id: str | None) -> Call:
    """The contact record, once the call's answer is committed."""
    assert call_id is not None
    call = register.get(call_id)
    until = time.monotonic() + PATIENT_SECONDS
    while (call is None or call.answered_at is None) and time.monotonic() < until:
        stage.next(0.1)
        call = register.get(call_id)
    assert call is not None
    return call


@contextmanager
def _register(stage: Stage) -> Iterator[ContactStore]:
    """The contact register, to look at beside the service."""
    register = ContactStore(stage.home.database_url, read_only=True)
    try:
        yield register
    finally:
        register.close()


def _await_menu(stage: Stage, caller: Child) -> str:
    """Let a caller open the menu; returns the service's id of the call."""
    greeting = stage.wait_for(
        lambda h: h.event == "state" and h.fields["new"] == "greeting",
        PATIENT_SECONDS,
        "a greeting",
    )
    caller.send(do="digits", digits="1")
    stage.wait_for(
        lambda h: h.event == "state" and h.fields["new"] == "menu", PATIENT_SECONDS, "a menu"
    )
    return str(greeting.fields["call_id"])


def _cpu_seconds(pid: int) -> float:
    """Time that a process has computed, by the kernel's account."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_killed_phone_loses_no_committed_record(stage: Stage) -> None:
    """
    What was committed is there after kill -9; a restart completes the open record.

    Readiness is measured in computing time: on a machine that does nothing else the wall clock
    says the same, and the test's machine does much else.
    """
    phone = stage.start_all()
    finished = StagedCall(stage, None, "0", name="first caller")
    run_calls(stage, [finished])
    caller = stage.start_caller(stage.uri, name=CALLER)
    open_call = _await_menu(stage, caller)
    with _register(stage) as register:
        assert _record(stage, register, open_call).answered_at is not None
        before = _record(stage, register, finished.call_id)
        phone.signal(signal.SIGKILL)
        assert phone.wait(PATIENT_SECONDS) is not None

    with _register(stage) as register:
        killed = _record(stage, register, open_call)
    again = stage.begin_phone()
    stage.await_phone(again)
    cpu_seconds = _cpu_seconds(again.pid)
    caller.send(do="hang_up")
    third = StagedCall(stage, None, "0", name="third caller")
    run_calls(stage, [third])
    with _register(stage) as register:
        completed = _record(stage, register, open_call)
        after = _record(stage, register, finished.call_id)
        next_call = _record(stage, register, third.call_id)

    assert cpu_seconds <= READY_CPU_SECONDS
    assert killed.ended_at is None
    assert ("media_failed", True) == (completed.outcome, completed.interrupted)
    assert completed.ended_at is not None
    assert ("routed", "algemeen") == (after.outcome, after.group)
    assert before.ended_at == after.ended_at
    assert [t.result for t in before.transfers] == [t.result for t in after.transfers]
    assert "routed" == next_call.outcome


def test_a_phone_that_is_asked_to_stop_finishes_its_call(stage: Stage) -> None:
    """
    SIGTERM: who is in stays and reaches a group, who comes now gets 503, then the process ends.
    """
    phone = stage.start_all()
    caller = stage.start_caller(stage.uri, "--talk-seconds", "1", name=CALLER)
    call_id = _await_menu(stage, caller)

    phone.signal(signal.SIGTERM)
    stage.wait_for(lambda h: h.event == "draining", PATIENT_SECONDS, "the draining")
    late = stage.start_caller(stage.uri, name="late caller")
    refused = stage.wait_for(
        lambda h: h.source == "late caller" and h.event == "summary", PATIENT_SECONDS, "a refusal"
    )
    caller.send(do="digits", digits="2")
    stage.wait_for(
        lambda h: h.source == CALLER and h.event == "transferred", PATIENT_SECONDS, "the transfer"
    )

    assert 0 == phone.wait(PATIENT_SECONDS)
    assert (False, 503) == (refused.fields["answered"], refused.fields["status"])
    assert 1 == late.wait(PATIENT_SECONDS)
    with _register(stage) as register:
        call = _record(stage, register, call_id)
    assert ("menu_routed", "onderwijs") == (call.outcome, call.group)
    assert call.interrupted is False


@pytest.mark.parametrize("stage", [SUPERVISED], indirect=True)
def test_a_phone_whose_supervisor_is_killed_finishes_its_call_and_ends(stage: Stage) -> None:
    """
    kill -9 of ``wegwijs serve`` alone: who is in reaches a group, then the home folder is free.
    """
    supervisor = stage.start_all()
    children = Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children")
    (phone,) = (int(pid) for pid in children.read_text(encoding="ascii").split())
    try:
        caller = stage.start_caller(stage.uri, "--talk-seconds", "1", name=CALLER)
        call_id = _await_menu(stage, caller)

        supervisor.signal(signal.SIGKILL)
        assert supervisor.wait(PATIENT_SECONDS) is not None
        caller.send(do="digits", digits="2")
        stage.wait_for(lambda h: h.event == "stopped", PATIENT_SECONDS, "the end of the phone")
    finally:
        with suppress(ProcessLookupError):
            os.kill(phone, signal.SIGKILL)

    stage.home.lock().release()
    with _register(stage) as register:
        call = _record(stage, register, call_id)
    assert ("menu_routed", "onderwijs", False) == (call.outcome, call.group, call.interrupted)
