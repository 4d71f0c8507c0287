"""The whole service between a SIPp caller who speaks and a real Asterisk that keeps the queues.

The caller's words are espeak-ng's, sent as RTP by SIPp; Asterisk's queue_log and CDR say where the
caller ended, and our contact record is held against them.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.errors import AsrError
from asr.model_files.files import embedded_model_dir
from ivr.contacts.models import Call
from ivr.demo.speech import write_question
from tests.integration.asterisk import (
    Asterisk,
    AsteriskFailedError,
    AsteriskUnavailableError,
    QueueEvent,
    Tls,
)
from tests.integration.phone import Phone, configuration, short_prompts
from tests.integration.ports import free_port
from tests.integration.sipp import SCENARIOS, Sipp

pytestmark = [pytest.mark.asterisk, pytest.mark.sipp, pytest.mark.slow]

CALLER = "0470998877"
QUEUE_SECONDS = 15
"""Two tests wait so long; a voorlichter on a busy machine must not need longer to answer."""
LEAD_SECONDS = 1.0
STAY_SECONDS = 180.0
SILENCE_SECONDS = 15
"""Shorter, a phone that a busy machine holds up would be taken for dead."""
NET_SECONDS = SILENCE_SECONDS + 45.0
"""For Asterisk to notice; the rest is for a busy machine."""
QUESTIONS = {
    "onderwijs": "ik wil graag een studietoelage aanvragen voor mijn dochter",
    "belastingen": "ik heb een vraag over mijn verkeersbelasting",
    "mobiliteit": "mijn rijbewijs is verlopen wat moet ik doen",
    "energie": "krijg ik nog een premie voor zonnepanelen",
    "gezin-groeipakket": "wanneer wordt het groeipakket uitbetaald",
    "bouwen-wonen": "waar kan ik een sociale woning aanvragen",
}


@dataclass(frozen=True, slots=True)
class Service:
    """Contact centre and phone, and who calls them."""

    centre: Asterisk
    phone: Phone
    folder: Path
    speak: Callable[[str], Path]

    @contextmanager
    def caller(self, thema: str, *, number: str = "1700", speaks: bool = True) -> Iterator[Sipp]:
        """Somebody who was asked for a question, has one about ``thema``, and usually says it.

        Everything is hung up afterwards.
        """
        name = f"caller-{thema}-{time.monotonic_ns()}"
        sound = self.speak(QUESTIONS[thema])
        uri = self.centre.uri(number)
        with Sipp.talker(self.folder, uri, sound, name=name, caller=CALLER) as caller:
            try:
                self.phone.until_state("listening")
                if speaks:
                    caller.go_on()
                yield caller
            finally:
                self.centre.rx("channel request hangup all")
                self.centre.wait_for_channels(0)

    def saw(self, event: str, *, queue: str, since: float) -> QueueEvent:
        """The queue's event, now or soon."""
        try:
            return self.centre.wait_for(event, queue=queue, since=since)
        except AsteriskFailedError as error:
            raise AssertionError(f"{error}\nthe phone:\n{self.phone.stderr[-5000:]}") from None

    def record(self, since: float) -> Call:
        """The record of the one call since that moment, once it is over."""
        found: list[Call] = []

        def is_over() -> bool:
            found[:] = [r for r in self.phone.records() if r.started_at.timestamp() >= since]
            return len(found) == 1 and found[0].ended_at is not None

        self.phone.until("end of the call", is_over)
        return found[0]

    def noted(self, thema: str, event: QueueEvent) -> None:
        """Return when the CDR of a queue's caller holds the thema."""
        self.centre.wait_for_thema(thema, call=event.call)


@pytest.fixture(scope="module")
def speak(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that gives raw A-law of a spoken question, silence around it."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: run make setup-tests")
    folder = tmp_path_factory.mktemp("speech")

    def spoken(text: str) -> Path:
        sound = folder / f"{abs(hash(text))}.alaw"
        if not sound.exists():
            question = write_question(folder, text, None)
            assert question is not None
            pcm, _ = soundfile.read(question, dtype="int16")
            before = np.zeros(round(8000 * LEAD_SECONDS), np.int16)
            after = np.zeros(round(8000 * STAY_SECONDS), np.int16)
            whole = np.concatenate([before, pcm, after])
            soundfile.write(sound, whole, 8000, format="RAW", subtype="ALAW")
        return sound

    return spoken


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """A certificate for 127.0.0.1, signed by itself, and a port for the phone."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: run make setup-tests")
    folder = tmp_path_factory.mktemp("tls")
    files = Tls(free_port(), folder / "cert.pem", folder / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(files.key), "-out", str(files.certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return files


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, speak: Callable[[str], Path], tls: Tls
) -> Iterator[Service]:
    """One contact centre and one phone, for all tests of this file.

    Voorlichters answer for onderwijs, gezin-groeipakket and algemeen; the one of mobiliteit is
    busy, and those of all other groups are absent.
    """
    pytest.importorskip("pjsua2", reason="pjsua2 is not built: run make setup")
    if shutil.which("sipp") is None:
        pytest.skip("SIPp is not installed: run make setup-tests")
    try:
        embedded_model_dir()
    except AsrError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("service")
    with ExitStack() as running:
        voorlichters = {}
        for group in ("onderwijs", "gezin-groeipakket", "algemeen"):
            voorlichter = Sipp.voorlichter(folder, name=f"voorlichter-{group}")
            voorlichters[group] = running.enter_context(voorlichter).port
        busy = Sipp(folder, "-sf", str(SCENARIOS / "busy.xml"), name="voorlichter-mobiliteit")
        voorlichters["mobiliteit"] = running.enter_context(busy).port
        port = free_port()
        centre = Asterisk(
            infoline_port=port,
            voorlichters=voorlichters,
            queue_seconds=QUEUE_SECONDS,
            silence_seconds=SILENCE_SECONDS,
            tls=tls,
        )
        try:
            running.enter_context(centre)
        except AsteriskUnavailableError as error:
            pytest.skip(f"no real Asterisk: {error}")
        groups = {group: {"targets": [centre.uri(group)]} for group in (*QUESTIONS, "algemeen")} | {
            group: {"targets": [{"uri": centre.uri(group), "method": "bridge"}]}
            for group in ("mobiliteit", "gezin-groeipakket")
        }
        groups["energie"] = {"targets": [centre.uri("verhuisd")]}
        tables = configuration(
            {
                "sip": {
                    "udp_port": port,
                    "tls_port": tls.infoline_port,
                    "srtp": "optional",
                    "tls": {
                        "certificate": tls.certificate,
                        "key": tls.key,
                        "authorities": tls.certificate,
                    },
                },
                "prompts": {"recordings": short_prompts(folder / "prompts")},
                "groups": groups,
            },
            target=centre.uri("algemeen"),
        )
        phone = running.enter_context(Phone(folder, tables))
        yield Service(centre, phone, folder, speak)


def transfers(record: Call) -> list[tuple[str, str, str, int | None]]:
    """Group, method, result and SIP status of each attempt."""
    return [(t.group, t.method, t.result, t.sip_status) for t in record.transfers]


def test_spoken_question_ends_in_its_queue(service: Service) -> None:
    """
    Heard, understood and transferred: the right voorlichter answers, the CDR has the thema, and
    our record says the same.
    """
    since = time.time()
    with service.caller("onderwijs"):
        connected = service.saw("CONNECT", queue="onderwijs", since=since)
        record = service.record(since)

    assert "PJSIP/voorlichter-onderwijs" == connected.member
    service.noted("onderwijs", connected)
    assert ("routed", "onderwijs", "onderwijs") == (record.outcome, record.thema, record.group)
    assert [("onderwijs", "refer", "succeeded", 200)] == transfers(record)
    assert "studietoelage" in (record.utterances[0].transcript or "")
    assert ("route", "onderwijs") == (record.decisions[0].action, record.decisions[0].thema)
    assert {"endpoint", "recognition", "classification", "dead_air"} <= {
        latency.stage for latency in record.latencies
    }


def test_absent_voorlichter_leads_to_the_general_queue(service: Service) -> None:
    """
    A blind transfer cannot be taken back: the contact centre's own dialplan goes on to the
    general group, and we hear that somebody answered.
    """
    since = time.time()
    with service.caller("belastingen"):
        gone = service.saw("EXITWITHTIMEOUT", queue="belastingen", since=since)
        connected = service.saw("CONNECT", queue="algemeen", since=since)
        record = service.record(since)

    assert gone.call == connected.call
    service.noted("belastingen", connected)
    assert ("routed", "belastingen") == (record.outcome, record.thema)
    assert [("belastingen", "refer", "succeeded", 200)] == transfers(record)


def test_busy_voorlichter_of_a_bridged_group_leads_to_the_general_queue(service: Service) -> None:
    """
    The caller stays ours while we bridge: the refusal is heard, and the general group is next.
    """
    since = time.time()
    with service.caller("mobiliteit"):
        service.saw("EXITWITHTIMEOUT", queue="mobiliteit", since=since)
        connected = service.saw("CONNECT", queue="algemeen", since=since)
        record = service.record(since)

    service.noted("mobiliteit", connected)
    assert ("routed", "mobiliteit", "algemeen") == (record.outcome, record.thema, record.group)
    assert ["failed", "succeeded"] == [attempt.result for attempt in record.transfers]
    assert ["bridge", "refer"] == [attempt.method for attempt in record.transfers]
    assert (record.transfers[0].sip_status or 0) >= 400


def test_unknown_target_leads_to_the_general_queue(service: Service) -> None:
    """
    NOTIFY 404: the caller is still ours, and is sent to the general group.
    """
    since = time.time()
    with service.caller("energie"):
        connected = service.saw("CONNECT", queue="algemeen", since=since)
        record = service.record(since)

    service.noted("energie", connected)
    assert ("routed", "energie", "algemeen") == (record.outcome, record.thema, record.group)
    assert [
        ("energie", "refer", "failed", 404),
        ("algemeen", "refer", "succeeded", 200),
    ] == transfers(record)


def test_bridged_group_talks_through_us(service: Service) -> None:
    """
    Without REFER the voorlichter is connected too, with the thema; the record ends with the talk.
    """
    since = time.time()
    with service.caller("gezin-groeipakket") as caller:
        connected = service.saw("CONNECT", queue="gezin-groeipakket", since=since)
        service.phone.until_state("bridged")
        caller.hang_up()
        record = service.record(since)
        service.saw("COMPLETECALLER", queue="gezin-groeipakket", since=since)

    service.noted("gezin-groeipakket", connected)
    assert ("routed", "gezin-groeipakket") == (record.outcome, record.group)
    assert [("gezin-groeipakket", "bridge", "succeeded", 200)] == transfers(record)


def test_caller_who_leaves_the_queue_takes_nobody_s_time(service: Service) -> None:
    """
    The exchange says that the transfer failed, and our call stands with nobody in it: no
    voorlichter of the general group is made to answer to silence.
    """
    since = time.time()
    with service.caller("bouwen-wonen") as caller:
        service.saw("ENTERQUEUE", queue="bouwen-wonen", since=since)
        caller.hang_up()
        service.saw("ABANDON", queue="bouwen-wonen", since=since)
        record = service.record(since)
        service.centre.wait_for_channels(0)

    assert ("abandoned", "bouwen-wonen") == (record.outcome, record.thema)
    assert ("bouwen-wonen", "refer", "failed", 503) == transfers(record)[0]
    assert [] == [
        event
        for event in service.centre.queue_log()
        if event.time >= since and event.queue == "algemeen"
    ]
    assert [] == service.phone.live()


def test_killed_phone_leaves_its_caller_to_the_safety_net(service: Service) -> None:
    """
    kill -9 amid the call: a voorlichter of the general group answers soon, and a restart completes
    the record.
    """
    since = time.time()

    def is_recorded() -> bool:
        records = service.phone.records()
        return any(r.started_at.timestamp() >= since and r.answered_at for r in records)

    with service.caller("onderwijs", speaks=False):
        service.phone.until("answered record", is_recorded)
        service.phone.kill()
        killed = time.time()
        connected = service.saw("CONNECT", queue="algemeen", since=since)
        service.phone.start()
        record = service.record(since)

    assert connected.time - killed < NET_SECONDS
    assert ("media_failed", True) == (record.outcome, record.interrupted)


def test_call_over_tls_and_srtp_ends_in_its_queue(service: Service) -> None:
    """
    Between Asterisk and us, signalling and sound are encrypted, certificates are checked.
    """
    since = time.time()
    with service.caller("onderwijs", number="1701"):
        connected = service.saw("CONNECT", queue="onderwijs", since=since)
        record = service.record(since)
        log = service.centre.log_end(2000)

    service.noted("onderwijs", connected)
    assert ("routed", "onderwijs") == (record.outcome, record.group)
    assert "PJSIP/infoline-tls" in log
