"""What only a real peer can show: messages, codecs, packets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.typing import EventDict

from ivr.ports import (
    DigitPressed,
    HungUp,
    MediaLost,
    PlayFinished,
    PlayStarted,
)
from tests.sip import scenarios as sip
from tests.sip.conftest import LONG_BEEP_SECONDS
from tests.sip.rtp import RtpPeer
from tests.sip.stage import WITHIN_SECONDS, Peer, PjsuaStage, wait_until
from tests.sip.wire import OFFER, STAYS, answered, end

pytestmark = pytest.mark.sipp

LOST_SECONDS = 8.0
"""Longer than a busy machine is likely to hold up a peer."""


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


def test_frames_are_what_the_caller_says(pjsua_stage: PjsuaStage) -> None:
    """
    The slot's count is a clock, in silence too, and its rows hold the caller's sound.
    """
    with RtpPeer() as rtp, pjsua_stage.peer(OFFER, *STAYS, rtp=rtp.port) as heard:
        slot = answered(pjsua_stage, heard)
        rtp.wait_for_packets()
        silent = take_frames(pjsua_stage, slot, 100)
        rtp.keep_talking()
        take_until_loud(pjsua_stage, slot)

        assert np.abs(silent.astype(int)).max() < 100
        end(pjsua_stage, heard)


def take_until_loud(stage: PjsuaStage, slot: int) -> None:
    """Return when the slot's frames hold more than silence."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while np.abs(take_frames(stage, slot, 25).astype(int)).max() < 1000:
        assert time.monotonic() < deadline, "only silence arrived"


def take_frames(stage: PjsuaStage, slot: int, frames: int) -> NDArray[np.int16]:
    """The next frames of a slot; they must come at 50 a second, within a busy machine's reach.

    A clock that was held up makes up for half a second at once.
    """
    stage.matrix.take()
    parts: list[NDArray[np.int16]] = []
    began = time.monotonic()
    waiting = threading.Event()
    while len(parts) < frames:
        waiting.wait(0.02)
        for step in stage.matrix.take().steps:
            parts += [pcm for index, pcm in zip(step.slots, step.pcm, strict=True) if index == slot]
        assert time.monotonic() - began < WITHIN_SECONDS
    assert time.monotonic() - began > (frames - 30) * 0.02
    return np.concatenate(parts)


def test_lost_caller_is_noticed_once(own_stage: Callable[..., PjsuaStage]) -> None:
    """
    No RTP for the configured time is reported once a loss; sound again arms it anew.
    """
    stage = own_stage(media_lost_seconds=LOST_SECONDS, ask_seconds=300.0)
    with RtpPeer() as rtp, stage.peer(OFFER, *STAYS, rtp=rtp.port) as heard:
        answered(stage, heard)
        rtp.wait_for_packets()
        rtp.keep_talking()
        heard.nothing_for(LOST_SECONDS + 2.0)
        rtp.keep_talking(False)

        heard.next(MediaLost)
        heard.nothing_for(LOST_SECONDS + 2.0)
        before = rtp.sent
        rtp.keep_talking()
        wait_until(lambda: rtp.sent > before)
        heard.nothing_for(1.0)
        rtp.keep_talking(False)
        heard.next(MediaLost)
        end(stage, heard)


def test_held_caller_is_not_lost(own_stage: Callable[..., PjsuaStage]) -> None:
    """
    A peer that puts us on hold owes us no RTP; taken back, the audio flows again.
    """
    stage = own_stage(media_lost_seconds=LOST_SECONDS)
    with (
        RtpPeer() as rtp,
        stage.peer(
            OFFER,
            sip.accepted(),
            sip.inside("INVITE", 2, body=sip.sdp(sip.PCMA, direction="sendonly", session=2)),
            sip.get(100, optional=True),
            sip.get(200),
            sip.ack(2),
            sip.told_to_go_on(),
            sip.inside("INVITE", 3, body=sip.sdp(sip.PCMA, session=3)),
            sip.get(100, optional=True),
            sip.get(200),
            sip.ack(3),
            sip.be_hung_up(),
            rtp=rtp.port,
        ) as heard,
    ):
        slot = answered(stage, heard)
        heard.nothing_for(LOST_SECONDS + 2.0)
        heard.go_on()
        rtp.keep_talking()
        take_until_loud(stage, slot)
        end(stage, heard)


@pytest.mark.parametrize(
    ("marker", "lose", "repeat_end"), [(True, 0, 3), (False, 0, 3), (False, 3, 1), (True, 5, 3)]
)
def test_key_counts_once(pjsua_stage: PjsuaStage, marker: bool, lose: int, repeat_end: int) -> None:
    """
    RFC 4733: lost marker, lost packets and repeated ends make neither less nor more of a key.
    """
    with RtpPeer() as rtp, pjsua_stage.peer(OFFER, *STAYS, rtp=rtp.port) as heard:
        answered(pjsua_stage, heard)
        rtp.wait_for_packets()
        rtp.frame()
        for key in "1#1":
            rtp.press(key, marker=marker, lose=lose, repeat_end=repeat_end)
            assert DigitPressed(key) == heard.next(DigitPressed)
        heard.nothing_for(0.3)
        end(pjsua_stage, heard)


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


def test_silenced_prompt_does_not_finish(
    pjsua_stage: PjsuaStage, beep: Path, long_beep: Path
) -> None:
    """
    After stop_playing no end is reported; a prompt that replaces another reports its own.
    """
    with pjsua_stage.call(Peer.STAYS) as heard:
        answered(pjsua_stage, heard)
        pjsua_stage.do(lambda: heard.leg.play([long_beep], token=1))
        assert 1 == heard.next(PlayStarted).token
        pjsua_stage.do(lambda: heard.leg.play([long_beep], token=2))
        assert 2 == heard.next(PlayStarted).token
        pjsua_stage.do(heard.leg.stop_playing)
        heard.nothing_for(LONG_BEEP_SECONDS + 0.5)
        pjsua_stage.do(lambda: heard.leg.play([beep, beep], token=3))
        began = heard.next(PlayStarted)
        assert PlayFinished(3) == heard.next(PlayFinished)
        assert 3 == began.token
        end(pjsua_stage, heard)


def test_prompt_is_heard_and_silence_is_sent_too(pjsua_stage: PjsuaStage, beep: Path) -> None:
    """
    The peer gets packets all the time, and sound when a prompt plays; the start is on the
    slot's clock.
    """
    with RtpPeer() as rtp, pjsua_stage.peer(OFFER, *STAYS, rtp=rtp.port) as heard:
        answered(pjsua_stage, heard)
        rtp.wait_for_packets()
        packets = rtp.received
        wait_until(lambda: rtp.received - packets > 25)
        assert not rtp.heard_sound
        pjsua_stage.do(lambda: heard.leg.play([beep], token=1))
        assert 0.2 < heard.next(PlayStarted).at_seconds < WITHIN_SECONDS
        rtp.wait_for_sound()
        heard.next(PlayFinished)
        end(pjsua_stage, heard)


def test_unreadable_prompt_is_skipped(
    pjsua_stage: PjsuaStage, beep: Path, tmp_path: Path, logged: Sequence[EventDict]
) -> None:
    """
    A damaged or missing WAV is logged by name, and the caller goes on.
    """
    damaged = tmp_path / "damaged.wav"
    damaged.write_bytes(b"RIFF")
    with pjsua_stage.call(Peer.STAYS) as heard:
        answered(pjsua_stage, heard)
        pjsua_stage.do(lambda: heard.leg.play([damaged, tmp_path / "missing.wav", beep], token=1))
        heard.next(PlayStarted)
        assert PlayFinished(1) == heard.next(PlayFinished)
        end(pjsua_stage, heard)

    named = [line.get("file") for line in logged]
    assert [str(damaged), str(tmp_path / "missing.wav")] == named


def test_slots_come_back(pjsua_stage: PjsuaStage) -> None:
    """
    More calls one after the other than there are slots.
    """
    for _ in range(pjsua_stage.settings.max_calls + 2):
        with pjsua_stage.call(Peer.STAYS) as heard:
            answered(pjsua_stage, heard)
            end(pjsua_stage, heard)


def test_noise_on_the_port_harms_nobody(
    pjsua_stage: PjsuaStage, logged: Sequence[EventDict], capfd: pytest.CaptureFixture[str]
) -> None:
    """
    Random and half-made datagrams are dropped; a call works after them; no number is written
    anywhere.
    """
    rng = np.random.default_rng(17)
    invite = b"INVITE sip:1700@127.0.0.1 SIP/2.0\r\nFrom: <sip:0470123456@a>;tag=1\r\n"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for size in range(0, 600, 7):
            peer.sendto(rng.bytes(size), ("127.0.0.1", pjsua_stage.port))
            peer.sendto(invite + rng.bytes(size), ("127.0.0.1", pjsua_stage.port))
    with pjsua_stage.call(Peer.STAYS) as heard:
        answered(pjsua_stage, heard)
        end(pjsua_stage, heard)

    wait_until(pjsua_stage.telephony.is_alive)
    written = capfd.readouterr()
    told = str(logged)
    assert "0470123456" not in written.out + written.err + told
