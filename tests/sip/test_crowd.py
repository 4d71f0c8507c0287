"""More callers than fit, and call numbers that the library gives out again."""

from __future__ import annotations

import re
import socket
import time
from collections import Counter
from collections.abc import Callable

import pytest

from ivr.ports import HungUp, MediaReady
from tests.sip import scenarios as sip
from tests.sip.stage import WITHIN_SECONDS, PjsuaStage

pytestmark = pytest.mark.sipp

CALLERS = 40


def invite(number: int, line: str, target: int, port: int) -> bytes:
    """An INVITE as a datagram."""
    sdp = (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        "m=audio 9 RTP/AVP 8\r\n"
    )
    head = (
        f"INVITE sip:{line}@127.0.0.1:{target} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{port}x{number}\r\n"
        f"From: <sip:crowd@127.0.0.1:{port}>;tag={number}\r\nTo: <sip:{line}@127.0.0.1>\r\n"
        f"Call-ID: {port}-{number}\r\nCSeq: 1 INVITE\r\nContact: <sip:crowd@127.0.0.1:{port}>\r\n"
        f"Max-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n"
    )
    return (head + sdp).encode()


def finals(peer: socket.socket, count: int) -> Counter[int]:
    """The final statuses of the first ``count`` calls to get one."""
    got: dict[str, int] = {}
    deadline = time.monotonic() + WITHIN_SECONDS
    while len(got) < count:
        assert time.monotonic() < deadline, f"only {len(got)} final responses"
        text = peer.recv(4096).decode()
        status = int(text.split(" ", 2)[1])
        call_id = re.search(r"Call-ID: (\S+)", text)
        if status >= 200 and call_id is not None:
            got[call_id[1]] = status
    return Counter(got.values())


def test_crowd_is_refused_and_every_caller_is_seen(
    own_stage: Callable[..., PjsuaStage],
) -> None:
    """
    Callers beyond the library's legs get 486, the others our 503; the engine sees them all. A
    call that then gets a number used a moment ago is left in peace.
    """
    stage = own_stage(max_calls=1)
    legs = stage.settings.max_legs
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(WITHIN_SECONDS)
        port = peer.getsockname()[1]
        for number in range(CALLERS):
            peer.sendto(invite(number, "1700", stage.port, port), ("127.0.0.1", stage.port))
        crowd = [stage.offered("1700") for _ in range(CALLERS)]
        for heard in crowd:
            leg = heard.leg
            stage.do(lambda leg=leg: leg.refuse(503, retry_after_seconds=5))  # type: ignore[misc]

        assert Counter({503: legs, 486: CALLERS - legs}) == finals(peer, CALLERS)
        assert Counter({503: legs, 486: CALLERS - legs}) == Counter(
            heard.next(HungUp).status for heard in crowd
        )

    with stage.peer(
        sip.invite(body=sip.sdp(sip.PCMA)), sip.accepted(), sip.told_to_go_on(), sip.bye()
    ) as heard:
        stage.do(heard.leg.answer)
        heard.next(MediaReady)
        heard.nothing_for(2.2)
        heard.go_on()

        assert HungUp(200, by_us=False) == heard.next(HungUp)
