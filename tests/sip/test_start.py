"""Starting and stopping, and everything an operator can get wrong about it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.audio.frames import FrameMatrix
from ivr.errors import TelephonyError
from ivr.ports import HungUp, MediaReady
from ivr.sip.endpoint import PjsuaTelephony
from ivr.sip.errors import PortInUseError, SettingsError, TlsFilesError
from ivr.sip.settings import SipSettings
from tests.sip import scenarios as sip
from tests.sip.conftest import StageHolder
from tests.sip.stage import PjsuaStage, settings, wait_until

pytestmark = pytest.mark.sipp

BOUND_SECONDS = 30.0
"""Thrice what the telephony allows itself to stop in."""


def start(configured: SipSettings) -> None:
    """Start a telephony that is to fail, and make sure that nothing is left of it."""
    loop = asyncio.new_event_loop()
    telephony = PjsuaTelephony(configured, FrameMatrix(1), loop)
    try:
        telephony.start(lambda leg: None)
    finally:
        telephony.stop()
        loop.close()


@pytest.mark.parametrize(
    ("transport", "kind"), [("udp", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM)]
)
def test_port_in_use_is_named(stages: StageHolder, transport: str, kind: socket.SocketKind) -> None:
    """
    The message names address, port and setting, and a later start works.
    """
    stages.close()
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        wrong = settings(**{f"{transport}_port": port})

        with pytest.raises(PortInUseError) as caught:
            start(wrong)

    assert f"127.0.0.1:{port}/{transport}" in str(caught.value)
    assert f"sip.{transport}_port" in str(caught.value)
    start(settings())


def test_address_of_another_machine_is_named(stages: StageHolder) -> None:
    """
    An address that is not ours is told from a port that is taken.
    """
    stages.close()

    with pytest.raises(TelephonyError, match=r"192\.0\.2\.1.*bind_address"):
        start(settings(bind_address="192.0.2.1"))


def test_rtp_range_too_small_is_refused(stages: StageHolder) -> None:
    """
    The message says how many ports are needed and for what.
    """
    stages.close()

    with pytest.raises(SettingsError, match=r"rtp_ports.*max_calls"):
        start(settings(max_calls=100))


def test_missing_certificate_is_named(stages: StageHolder, tmp_path: Path) -> None:
    """
    The file is in the message, not in a traceback of the library.
    """
    stages.close()
    from ivr.sip.settings import TlsFiles

    files = TlsFiles(certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem")

    with pytest.raises(TlsFilesError, match=r"tls\.certificate.*cert\.pem"):
        start(settings(tls_port=0, tls=files))


def test_second_telephony_is_refused(pjsua_stage: PjsuaStage) -> None:
    """
    pjsua2 allows one a process; the first one goes on.
    """
    with pytest.raises(TelephonyError):
        start(settings())

    wait_until(pjsua_stage.telephony.is_alive)


def test_stop_hangs_up_and_is_bounded(own_stage: Callable[..., PjsuaStage]) -> None:
    """
    A call that is on gets its BYE, the end comes soon, and twice is as good as once.
    """
    stage = own_stage()
    with stage.peer(sip.invite(body=sip.sdp(sip.PCMA)), sip.accepted(), sip.be_hung_up()) as heard:
        stage.do(heard.leg.answer)
        heard.next(MediaReady)
        wait_until(stage.telephony.is_alive)
        began = time.monotonic()
        stage.telephony.stop()
        stage.telephony.stop()

        assert time.monotonic() - began < BOUND_SECONDS
        assert not stage.telephony.is_alive()
        assert HungUp(200, by_us=True) == heard.next(HungUp)


def test_stop_refuses_a_call_that_is_not_answered(own_stage: Callable[..., PjsuaStage]) -> None:
    """
    A caller whom nobody answered yet gets a final response.
    """
    stage = own_stage()
    with stage.peer(
        sip.invite(body=sip.sdp(sip.PCMA)),
        sip.get(100, optional=True),
        sip.get(480),
        sip.ack_refusal(),
    ) as heard:
        stage.telephony.stop()

        assert HungUp(480, by_us=True) == heard.next(HungUp)
