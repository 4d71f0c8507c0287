"""Callers and targets that misbehave, against a real phone process.

Callers are the demo's agents and SIPp. Every call ends in one complete record, no caller is
stranded, and what a call used is free for the next one.

One file, because all of it misuses the same phone: starting one costs more than most tests.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from ivr.ports.records import UNFINISHED
from tests.integration.callers import (
    Centre,
    are_heard,
    assert_ended_in,
    attempts,
    caller,
    full_house,
    menu_groups,
    newest,
    sipp_caller,
    spoken,
)
from tests.integration.datagrams import ask, options, torture
from tests.integration.phone import WITHIN_SECONDS, Phone, configuration, short_prompts
from tests.integration.sipp import Sipp
from tests.sip import scenarios as sip
from tests.sip.agents import Agent
from tests.sip.stage import wait_until_bound

pytestmark = [pytest.mark.slow, pytest.mark.sipp, pytest.mark.usefixtures("service_can_run")]

QUESTION = "ik heb een vraag over zonnepanelen"
MARKER_WORD = "zonnepanelen"
MARKER_NUMBER = "0479135792"
MARKER_DIGITS = "86429753"
"""So many that no moment and no measurement holds them by chance."""
MAX_CALLS = 4
RETRY_AFTER = 17


@pytest.fixture(scope="module")
def question(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The caller's words."""
    return spoken(tmp_path_factory.mktemp("speech"), QUESTION)


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones of half a second instead of sentences."""
    return short_prompts(tmp_path_factory.mktemp("prompts") / "short", 0.5)


@pytest.fixture(scope="module")
def unavailable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A SIP address that answers 503."""
    folder = tmp_path_factory.mktemp("unavailable")
    steps = (sip.wait_for("INVITE"), sip.reply(503, first=True), sip.wait_for("ACK"))
    scenario = sip.write(folder, "unavailable", *steps)
    with Sipp(folder, "-sf", str(scenario), "-key", "rtp", "9", name="unavailable") as target:
        wait_until_bound(target.port)
        yield f"sip:groep@127.0.0.1:{target.port}"


@pytest.fixture(scope="module")
def phone(
    tmp_path_factory: pytest.TempPathFactory,
    prompts: Path,
    centre: Centre,
    unavailable: str,
) -> Iterator[Phone]:
    """One phone for most tests of this file.

    In the menu key 1 leads to a group that answers, 2 to one whose three targets refuse, 3 to one
    that rings for ever.
    """
    folder = tmp_path_factory.mktemp("phone")
    tables = configuration(
        {
            "service": {"max_calls": MAX_CALLS, "retry_after_seconds": RETRY_AFTER},
            "sip": {"blocked_callers": ["0488*"], "codecs": ["PCMA", "PCMU"]},
            "lines": {"1700": {}},
            "prompts": {"recordings": prompts},
            "groups": {
                group: {"targets": targets}
                for group, targets in zip(
                    menu_groups(),
                    (
                        [centre.at("answer")],
                        [centre.at("busy"), unavailable, centre.at("decline")],
                        [centre.at("ring")],
                    ),
                    strict=False,
                )
            },
        },
        target=centre.at("algemeen"),
    )
    with Phone(folder, tables) as running:
        yield running


# --- refused before the answer ----------------------------------------------------------


def test_caller_without_a_codec_in_common_is_refused(phone: Phone) -> None:
    """
    488, and a record that says refused.
    """
    since = time.time()

    assert ask(phone, "1700", codec=3).startswith("SIP/2.0 488")
    record = newest(phone, since)
    assert ("refused", 488, None) == (record.outcome, record.sip_status, record.answered_at)


@pytest.mark.parametrize(
    ("sound_at", "status"),
    [("IP6 ::1", 488), ("IP4 no-such-host.invalid", 488), ("nonsense", 400)],
)
def test_caller_whose_sound_cannot_be_reached_is_refused(
    phone: Phone, sound_at: str, status: int
) -> None:
    """
    The record and the metric say refused, not that the caller hung up.
    """
    since, before = time.time(), refused(phone)

    assert ask(phone, "1700", sound_at=sound_at).startswith(f"SIP/2.0 {status}")
    assert ("refused", status) == (newest(phone, since).outcome, newest(phone, since).sip_status)
    assert before + 1 == refused(phone)


def refused(phone: Phone) -> float:
    """Calls that our side could not take after all."""
    return phone.metric(
        "wegwijs_calls_ended_total", line="1700", outcome="refused", reason="leg_failed"
    )


def test_caller_without_ports_for_sound_is_told_when_to_come_back(phone: Phone) -> None:
    """
    Another program holds all of sip.rtp_ports: 503 with Retry-After, a record, a count, a log line.
    """
    configured = tomllib.loads(phone.config.read_text("utf-8"))["sip"]["rtp_ports"]
    first, last = map(int, configured.split("-"))
    since, before = time.time(), refused(phone)
    with ExitStack() as other:
        for port in range(first, last + 1):
            # A call that has just ended may hold its ports a moment longer.
            phone.until("free port", partial(take, other, port))
        answer = ask(phone, "1700", number=MARKER_NUMBER)
    record = newest(phone, since)

    assert answer.startswith("SIP/2.0 503")
    assert f"\r\nRetry-After: {RETRY_AFTER}" in answer
    assert ("refused", 503) == (record.outcome, record.sip_status)
    assert before + 1 == refused(phone)
    phone.until("the log line", lambda: "the ports of sip.rtp_ports" in phone.stderr)
    assert MARKER_NUMBER not in phone.stderr


def take(stack: ExitStack, port: int) -> bool:
    """Hold a UDP port until the stack unwinds; whether it was free."""
    holder = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    try:
        holder.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def test_unknown_line_is_not_found(phone: Phone) -> None:
    """
    404 where the configuration has no line "*".
    """
    since = time.time()

    assert ask(phone, "1701").startswith("SIP/2.0 404")
    assert ("refused", 404) == (newest(phone, since).outcome, newest(phone, since).sip_status)


def test_blocked_caller_is_declined(phone: Phone) -> None:
    """
    603 for a number that a rule forbids; its neighbour is answered.
    """
    since = time.time()

    assert ask(phone, "1700", number="0488654321").startswith("SIP/2.0 603")
    assert ("refused", 603) == (newest(phone, since).outcome, newest(phone, since).sip_status)


def test_full_house_is_told_when_to_come_back(phone: Phone) -> None:
    """
    503 with Retry-After; those who are in stay in.
    """
    with full_house(phone, MAX_CALLS):
        answer = ask(phone, "1700")

    assert answer.startswith("SIP/2.0 503")
    assert f"\r\nRetry-After: {RETRY_AFTER}" in answer


def test_draining_phone_refuses_and_says_so(tmp_path: Path, prompts: Path) -> None:
    """
    SIGTERM amid a call: 503 with Retry-After to who comes now and to OPTIONS, and the end once the
    call is over.
    """
    tables = configuration(
        {
            "service": {"retry_after_seconds": RETRY_AFTER, "drain_seconds": 90},
            "prompts": {"recordings": prompts},
        }
    )
    with Phone(tmp_path, tables) as draining:
        assert options(draining).startswith("SIP/2.0 200")
        with sipp_caller(draining, 0) as inside:
            draining.until("call", lambda: are_heard(draining))
            draining.signal(signal.SIGTERM)
            draining.until("the draining", lambda: draining.log("draining"))
            answer, told = ask(draining, "1700"), options(draining)
            inside.go_on()
            assert 0 == inside.wait(within_seconds=WITHIN_SECONDS)
        assert 0 == draining.wait()

    assert answer.startswith("SIP/2.0 503")
    assert f"\r\nRetry-After: {RETRY_AFTER}" in answer
    assert told.startswith("SIP/2.0 503")
    assert f"\r\nRetry-After: {RETRY_AFTER}" in told
    assert "Traceback" not in draining.stderr


# --- datagrams ----------------------------------------------------------------------------


def test_malformed_datagrams_harm_nobody(phone: Phone) -> None:
    """
    The process lives, takes the next call, and keeps numbers to itself.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for message in torture(phone.sip_ports["udp"]):
            peer.sendto(message, ("127.0.0.1", phone.sip_ports["udp"]))

    assert options(phone).startswith("SIP/2.0 200")
    phone.until("end of what was torn", lambda: phone.live() == [])
    since = time.time()
    with caller(phone, "--talk-seconds", "0.3") as agent:
        phone.until("ear for keys", lambda: are_heard(phone))
        agent.command(do="digits", digits="0")
        agent.until("transferred")
    assert "routed" == newest(phone, since).outcome
    assert phone.running
    assert "Traceback" not in phone.stderr
    assert "0470111222" not in phone.stderr


# --- targets that refuse -----------------------------------------------------------------


def to_the_second_group(agent: Agent, phone: Phone) -> None:
    """Open the menu and choose from it."""
    agent.until("answered")
    phone.until("ear for keys", lambda: are_heard(phone))
    agent.command(do="digits", digits="1")
    phone.until_state("menu")
    agent.command(do="digits", digits="2")


def test_every_refusal_leads_to_the_next_target(phone: Phone) -> None:
    """
    486, 503 and 603 of one group's targets, one after the other, then the general group.
    """
    since = time.time()
    with caller(phone) as agent:
        to_the_second_group(agent, phone)
        agent.until("transferred")
        agent.command(do="hang_up")
    record = newest(phone, since)

    assert ("menu_routed", "algemeen") == (record.outcome, record.group)
    assert [
        ("refer", "failed", 486),
        ("refer", "failed", 503),
        ("refer", "failed", 603),
        ("refer", "succeeded", 200),
    ] == attempts(record)


def test_nobody_reachable_ends_with_a_closing_message(phone: Phone, centre: Centre) -> None:
    """
    The general group is busy too, by REFER and by bridge: the caller hears it, and goodbye.
    """
    since = time.time()
    centre.behave("algemeen", "busy")
    try:
        with caller(phone) as agent:
            to_the_second_group(agent, phone)
            ended = agent.until("summary")
            record = newest(phone, since)
    finally:
        centre.behave("algemeen", "answer")

    assert "unrouted" == record.outcome
    assert ended["answered"]
    assert [
        ("refer", "failed", 486),
        ("refer", "failed", 503),
        ("refer", "failed", 603),
        ("refer", "failed", 486),
        ("bridge", "failed", 486),
    ] == attempts(record)
    assert_ended_in(phone, "closing")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_test_call_that_is_broken_off_hangs_up(phone: Phone, number: signal.Signals) -> None:
    """
    Ctrl-C leaves no call behind: the service hears a goodbye, not silence.
    """
    since = time.time()
    command = [sys.executable, "-m", "ivr", "call", phone.uri()]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as test_call:
        try:
            phone.until("call", lambda: are_heard(phone))
            test_call.send_signal(number)
            said, complained = test_call.communicate(timeout=WITHIN_SECONDS)
        finally:
            test_call.kill()

    assert "Traceback" not in said + complained
    assert ("abandoned", 200) == (newest(phone, since).outcome, newest(phone, since).sip_status)


# --- what stays private -----------------------------------------------------------------------


def test_words_keys_and_numbers_stay_in_the_register(phone: Phone, question: Path) -> None:
    """
    A word that was spoken and understood, keys that were pressed and the caller's number are in
    no log line, no metric and no list of calls; the word is in the register, the number is not.
    """
    since = time.time()
    shown = []
    with caller(phone, "--from-user", MARKER_NUMBER) as agent:
        agent.until("answered")
        phone.until_state("listening")
        agent.command(do="say", file=str(question))
        agent.until("saying")
        shown.append(phone.get("/calls") + phone.get("/metrics"))
        agent.until("said")
        phone.until("call on its way", lambda: not are_heard(phone))
        agent.command(do="digits", digits=MARKER_DIGITS)
        agent.until("pressed")
        shown.append(phone.get("/calls") + phone.get("/metrics"))
        agent.command(do="hang_up")
        agent.until("summary")
    # What was said may be understood after the end of the call.
    phone.until(
        "what was understood",
        lambda: {u.failure for u in newest(phone, since).utterances} not in (set(), {UNFINISHED}),
    )
    record = newest(phone, since)
    shown.append(phone.get("/calls") + phone.get("/metrics") + phone.get("/readyz"))
    shown.append(phone.stderr)

    assert MARKER_WORD in (record.utterances[0].transcript or "")
    assert record.caller_encrypted is None
    assert record.caller_hash
    for text in shown:
        assert MARKER_WORD not in text
        assert MARKER_NUMBER not in text
        assert MARKER_DIGITS not in text
    register = phone.home.path / "contacts.sqlite"
    kept = b"".join(path.read_bytes() for path in register.parent.glob("contacts.sqlite*"))
    assert MARKER_WORD.encode() in kept
    assert MARKER_NUMBER.encode() not in kept
