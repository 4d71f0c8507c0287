"""The demo's user agents, with each other and with the telephony."""

from __future__ import annotations

import shutil
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from ivr.demo.dead_air import dead_air_ms
from ivr.ports import (
    DigitPressed,
    HungUp,
    MediaReady,
    PlayFinished,
    TransferMethod,
    TransferProgress,
)
from ivr.sip.settings import TlsFiles
from tests.sip.agents import WITHIN_SECONDS, Agent
from tests.sip.stage import PjsuaStage

pytestmark = pytest.mark.sipp


def test_caller_hears_the_voorlichter(tmp_path: Path) -> None:
    """
    One agent calls the other: the group, its header and the voice arrive, both ends report.
    """
    record, voice = tmp_path / "call.wav", tmp_path / "voice.wav"
    # So long that a busy machine may lose its first second: the caller waits for its end.
    note = 6000 * np.sin(2 * np.pi * 440 * np.arange(3 * 8000) / 8000)
    soundfile.write(voice, note.astype(np.int16), 8000)
    options = ("--group", "energie", "--ring-seconds", "0.2", "--voice", str(voice))
    with Agent("contact_centre_agent", *options) as centre:
        port = centre.until("ready")["ports"]["udp"]
        with Agent(
            "caller_agent",
            *("--to", f"sip:energie@127.0.0.1:{port}", "--step", "hangup"),
            *("--record", str(record), "--pause-ms", "300"),
        ) as caller:
            caller.until("answered")
            call = centre.until("call")
            summary = caller.until("summary")
            assert 0 == caller.code()
        ended = centre.until("ended")
        centre.command(do="stop")
        assert 0 == centre.code()

    assert ("energie", "answer") == (call["group"], call["behaviour"])
    assert 200 == ended["status"]
    assert summary["answered"]
    stereo, rate = soundfile.read(record, dtype="int16")
    assert 8000 == rate
    assert np.abs(stereo[:, 0].astype(int)).max() == 0
    assert np.abs(stereo[:, 1].astype(int)).max() > 2000


@pytest.mark.parametrize(("behaviour", "status"), [("busy", 486), ("decline", 603)])
def test_group_that_refuses(behaviour: str, status: int) -> None:
    """
    A caller who is not answered ends with exit code 1 and the status.
    """
    with Agent("contact_centre_agent", "--group", f"energie={behaviour}") as centre:
        port = centre.until("ready")["ports"]["udp"]
        with Agent("caller_agent", "--to", f"sip:energie@127.0.0.1:{port}") as caller:
            summary = caller.until("summary")
            assert 1 == caller.code()

    assert (False, status) == (summary["answered"], summary["status"])


def test_wrong_usage_is_explained() -> None:
    """
    A step that cannot be done is refused before any call, with an example.
    """
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ivr.demo.caller_agent",
            "--to",
            "sip:a@127.0.0.1",
            "--step",
            "sing",
        ],
        capture_output=True,
        text=True,
        timeout=WITHIN_SECONDS,
        check=False,
    )

    assert 2 == done.returncode
    assert "write say:FILE" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("dtmf", ["rfc4733", "info"])
def test_whole_conversation(
    own_stage: Callable[..., PjsuaStage], long_beep: Path, tmp_path: Path, dtmf: str
) -> None:
    """
    Prompt, question, prompt, key, transfer: each waits for the other, and the recording shows
    how long the caller waited.
    """
    stage = own_stage()
    question, record = tmp_path / "question.wav", tmp_path / "call.wav"
    soundfile.write(question, speech(1.0), 8_000 if dtmf == "info" else 16_000)
    with (
        Agent("contact_centre_agent", "--group", "energie", "--ring-seconds", "0.2") as centre,
        Agent(
            "caller_agent",
            *("--to", f"sip:1700@127.0.0.1:{stage.port}", "--from-user", "0470123456"),
            *("--step", f"say:{question}", "--step", "digits:4#", "--dtmf", dtmf),
            *("--record", str(record), "--talk-seconds", "1", "--pause-ms", "400"),
        ) as caller,
    ):
        port = centre.until("ready")["ports"]["udp"]
        heard = stage.offered("1700")
        leg = heard.leg
        stage.do(leg.answer)
        heard.next(MediaReady)
        stage.do(lambda: leg.play([long_beep], token=1))
        heard.until(PlayFinished)
        caller.until("said")
        stage.do(lambda: leg.play([long_beep], token=2))
        heard.until(PlayFinished)
        assert "4" == heard.next(DigitPressed).digit
        assert "#" == heard.next(DigitPressed).digit
        stage.do(
            lambda: leg.transfer(
                f"sip:energie@127.0.0.1:{port}",
                method=TransferMethod.REFER,
                token=3,
                headers={"X-Wegwijs-Thema": "energie"},
            )
        )
        while not (progress := heard.next(TransferProgress)).final:
            pass
        assert 200 == progress.status
        stage.do(leg.hang_up)
        heard.next(HungUp)
        assert "energie" == centre.until("call")["headers"]["X-Wegwijs-Thema"]
        summary = caller.until("summary")
        assert 0 == caller.code()

    stereo, _ = soundfile.read(record, dtype="int16")
    waits = dead_air_ms(stereo)
    assert summary["dead_air_ms"] == waits
    assert 1 == len(waits)
    assert 0 < waits[0] < 1000 * WITHIN_SECONDS


def speech(seconds: float) -> NDArray[np.float64]:
    """Something loud, of about that length."""
    tone: NDArray[np.float64] = 0.3 * np.sin(np.arange(round(8_000 * seconds)) / 3)
    return tone


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """A certificate for 127.0.0.1, signed by itself."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    files = TlsFiles(
        certificate=folder / "cert.pem", key=folder / "key.pem", authorities=folder / "cert.pem"
    )
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(files.key), "-out", str(files.certificate)),
        ],
        check=True,
        capture_output=True,
        timeout=WITHIN_SECONDS,
    )
    return files


def test_call_over_tls_with_srtp(
    own_stage: Callable[..., PjsuaStage], certificate: TlsFiles, long_beep: Path, tmp_path: Path
) -> None:
    """
    With mandatory SRTP an encrypted caller hears the prompt over TLS whose certificate is
    checked.
    """
    stage = own_stage(tls_port=0, tls=certificate, srtp="mandatory", udp_port=None)
    record = tmp_path / "call.wav"
    port = stage.telephony.ports["tls"]
    with Agent(
        "caller_agent",
        *("--to", f"sip:1700@127.0.0.1:{port};transport=tls", "--step", "hangup"),
        *("--tls-port", "0", "--tls-certificate", str(certificate.certificate)),
        *("--tls-key", str(certificate.key), "--tls-authorities", str(certificate.certificate)),
        *("--srtp", "mandatory", "--record", str(record), "--pause-ms", "300"),
    ) as caller:
        heard = stage.offered("1700")
        stage.do(heard.leg.answer)
        heard.next(MediaReady)
        stage.do(lambda: heard.leg.play([long_beep], token=1))
        caller.until("prompt_ended")
        heard.until(HungUp)
        assert caller.until("summary")["answered"]

    with wave.open(str(record)) as wav:
        assert 2 == wav.getnchannels()


def test_caller_without_encryption_is_refused(
    own_stage: Callable[..., PjsuaStage], certificate: TlsFiles
) -> None:
    """
    Mandatory SRTP refuses a plain offer with 488, and the engine sees the call.
    """
    stage = own_stage(tls_port=0, tls=certificate, srtp="mandatory", udp_port=None)
    port = stage.telephony.ports["tls"]
    with Agent(
        "caller_agent",
        *("--to", f"sip:1700@127.0.0.1:{port};transport=tls"),
        *("--tls-port", "0", "--tls-certificate", str(certificate.certificate)),
        *("--tls-key", str(certificate.key), "--tls-authorities", str(certificate.certificate)),
    ) as caller:
        heard = stage.offered("1700")
        assert not heard.leg.codecs_in_common
        assert HungUp(488, by_us=True) == heard.next(HungUp)
        assert 488 == caller.until("summary")["status"]
