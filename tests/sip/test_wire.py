"""What only a real peer can show: messages and codecs."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import pytest
from structlog.typing import EventDict

from ivr.ports import (
    DigitPressed,
    HungUp,
)
from tests.sip import scenarios as sip
from tests.sip.stage import WITHIN_SECONDS, PjsuaStage
from tests.sip.wire import OFFER, STAYS, answered, end

pytestmark = pytest.mark.sipp


def options(stage: PjsuaStage) -> str:
    """The answer to OPTIONS."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(WITHIN_SECONDS)
        port = peer.getsockname()[1]
        peer.sendto(
            (
                f"OPTIONS sip:127.0.0.1:{stage.port} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{port}\r\n"
                f"From: <sip:dispatcher@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\n"
                f"Call-ID: {port}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
                "Content-Length: 0\r\n\r\n"
            ).encode(),
            ("127.0.0.1", stage.port),
        )
        return peer.recv(4096).decode()


def test_options_tells_whether_calls_are_welcome(pjsua_stage: PjsuaStage) -> None:
    """
    A dispatcher that asks is told 200, and while we drain 503 and when to ask again.
    """
    assert options(pjsua_stage).startswith("SIP/2.0 200 ")

    pjsua_stage.telephony.options_retry_after_seconds = 17
    try:
        told = [options(pjsua_stage) for _ in range(3)]
    finally:
        pjsua_stage.telephony.options_retry_after_seconds = None

    assert all(answer.startswith("SIP/2.0 503 ") for answer in told)
    assert all("\r\nRetry-After: 17\r\n" in answer for answer in told)
    assert options(pjsua_stage).startswith("SIP/2.0 200 ")


def test_draining_ends_with_the_telephony_that_drained(
    own_stage: Callable[..., PjsuaStage],
) -> None:
    """
    One that is started after it in the same process is welcoming.
    """
    first = own_stage()
    first.telephony.options_retry_after_seconds = 17
    assert options(first).startswith("SIP/2.0 503 ")
    first.telephony.stop()

    assert options(own_stage()).startswith("SIP/2.0 200 ")


@pytest.mark.parametrize("codec", [sip.PCMA, sip.PCMU, sip.G722, sip.OPUS])
def test_codec_is_spoken(pjsua_stage: PjsuaStage, codec: tuple[str, str]) -> None:
    """
    Each codec alone suffices for a call.
    """
    with pjsua_stage.peer(sip.invite(body=sip.sdp(codec)), *STAYS) as heard:
        assert heard.leg.codecs_in_common
        answered(pjsua_stage, heard)
        end(pjsua_stage, heard)


def test_no_codec_in_common(pjsua_stage: PjsuaStage) -> None:
    """
    The peer gets 488, and the engine still sees the call, to record it.
    """
    with pjsua_stage.peer(
        sip.invite(body=sip.sdp(sip.GSM)),
        sip.get(100, optional=True),
        sip.get(488),
        sip.ack_refusal(),
    ) as heard:
        assert not heard.leg.codecs_in_common
        pjsua_stage.do(lambda: heard.leg.refuse(488))

        assert HungUp(488, by_us=True) == heard.next(HungUp)
    heard.nothing_for(0.1)


@pytest.mark.parametrize(
    ("old", "new"), [("IN IP4 [media_ip]", "IN IP6 ::1"), ("[media_ip]", "no-such-host.invalid")]
)
def test_sound_to_nowhere_is_refused_by_us(pjsua_stage: PjsuaStage, old: str, new: str) -> None:
    """
    A caller whose sound could go nowhere gets 488, and did not hang up.
    """
    with pjsua_stage.peer(
        sip.invite(body=sip.sdp(sip.PCMA).replace(old, new)),
        sip.get(100, optional=True),
        sip.get(488),
        sip.ack_refusal(),
    ) as heard:
        pjsua_stage.do(heard.leg.answer)

        assert HungUp(488, by_us=True) == heard.next(HungUp)


def test_unreadable_offer_is_shown(pjsua_stage: PjsuaStage) -> None:
    """
    The library refuses an offer that is none with 400, and the engine sees the call.
    """
    with pjsua_stage.peer(
        sip.invite(body="v=0\nm=audio nonsense"),
        sip.get(100, optional=True),
        sip.get(400),
        sip.ack_refusal(),
    ) as heard:
        assert HungUp(400, by_us=True) == heard.next(HungUp)


@pytest.mark.parametrize("offer", [sip.sdp(sip.PCMA), ""])
def test_caller_without_ports_may_try_again(
    own_stage: Callable[..., PjsuaStage], logged: Sequence[EventDict], offer: str
) -> None:
    """
    While another program holds all ports for sound, callers get 503 with Retry-After, with an
    offer or without, the engine sees the calls, and the log says so; afterwards calls come in.
    """
    stage = own_stage()
    with ExitStack() as other:
        for port in range(stage.settings.rtp_first_port, stage.settings.rtp_last_port + 1):
            taken = other.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            taken.bind(("127.0.0.1", port))
        with stage.peer(
            sip.invite(body=offer),
            sip.get(100, optional=True),
            sip.get(503, check="Retry-After: 30"),
            sip.ack_refusal(),
        ) as heard:
            stage.do(heard.leg.answer)

            assert HungUp(503, by_us=True) == heard.next(HungUp)
    told = [line for line in logged if line["log_level"] in ("warning", "error")]
    assert 1 == len(told)
    assert "0470123456" not in str(told[0])

    with stage.peer(OFFER, *STAYS) as heard:
        answered(stage, heard)
        end(stage, heard)


def test_offer_comes_with_the_ack(pjsua_stage: PjsuaStage) -> None:
    """
    An INVITE without SDP gets our offer, and the audio flows after the ACK.
    """
    with pjsua_stage.peer(
        sip.invite(), sip.accepted(body=sip.sdp(sip.PCMA)), sip.be_hung_up()
    ) as heard:
        assert heard.leg.codecs_in_common
        answered(pjsua_stage, heard)
        end(pjsua_stage, heard)


def test_call_over_tcp(own_stage: Callable[..., PjsuaStage]) -> None:
    """
    TCP carries a call as UDP does.
    """
    stage = own_stage(tcp_port=0)
    with stage.peer(OFFER, *STAYS, tcp=True) as heard:
        answered(stage, heard)
        end(stage, heard)


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [
        ("application/dtmf", "7", "7"),
        ("application/dtmf-relay", "Signal=10\r\nDuration=160", "*"),
        ("application/dtmf-relay", "signal=9\r\nduration=160", "9"),
        ("application/dtmf-relay", "Signal=16\r\nDuration=160", ""),
    ],
)
def test_info_is_one_key(pjsua_stage: PjsuaStage, kind: str, body: str, key: str) -> None:
    """
    INFO of both types is a key, counted once, or none, and is answered with 200.
    """
    with pjsua_stage.peer(
        OFFER,
        sip.accepted(),
        sip.inside("INFO", 2, body=body, kind=kind),
        sip.plain(200),
        sip.be_hung_up(),
    ) as heard:
        answered(pjsua_stage, heard)
        if key:
            assert DigitPressed(key) == heard.next(DigitPressed)
        heard.nothing_for(0.3)
        end(pjsua_stage, heard)


@pytest.mark.parametrize("method", ["OPTIONS", "INFO"])
def test_keep_alive_inside_the_call_is_answered(pjsua_stage: PjsuaStage, method: str) -> None:
    """
    Exchanges that ask in the dialog whether we are there hear yes, and no key is taken from it.
    """
    with pjsua_stage.peer(
        OFFER,
        sip.accepted(),
        sip.inside(method, 2),
        sip.plain(200),
        sip.be_hung_up(),
    ) as heard:
        answered(pjsua_stage, heard)
        heard.nothing_for(0.3)
        end(pjsua_stage, heard)


def test_caller_cannot_send_us_elsewhere(pjsua_stage: PjsuaStage) -> None:
    """
    A REFER from the caller is declined: that is how toll fraud works.
    """
    with pjsua_stage.peer(
        OFFER,
        sip.accepted(),
        sip.inside("REFER", 2, extra="Refer-To: <sip:0900@127.0.0.1>"),
        sip.plain(603),
        sip.be_hung_up(),
    ) as heard:
        answered(pjsua_stage, heard)
        heard.nothing_for(0.3)
        end(pjsua_stage, heard)
