"""What only a real peer can show: sound, keys and prompts as packets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.typing import EventDict

from ivr.ports import (
    DigitPressed,
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
