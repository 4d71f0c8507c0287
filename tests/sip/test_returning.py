"""A caller whose transfer failed: still there, or gone while the exchange had the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ivr.ports import HungUp, MediaReady, TransferMethod, TransferProgress
from ivr.sip.leg import PjsuaLeg
from tests.sip import scenarios as sip
from tests.sip.rtp import RtpPeer
from tests.sip.stage import Heard, PjsuaStage, wait_until

pytestmark = pytest.mark.sipp

OFFER = sip.invite(body=sip.sdp(sip.PCMA))


def transfer(stage: PjsuaStage, heard: Heard, target: str, method: TransferMethod) -> None:
    """Send the caller on; the token is 1 for a REFER, 2 for a bridge."""
    token = 1 if method is TransferMethod.REFER else 2
    stage.do(lambda: heard.leg.transfer(target, method=method, token=token, headers={}))


def is_steady(heard: Heard) -> bool:
    """Whether the leg has found by now that its caller sends all the time."""
    assert isinstance(heard.leg, PjsuaLeg)
    return heard.leg._watch.was_steady


@contextmanager
def sent_away_in_vain(stage: PjsuaStage, rtp: RtpPeer, *rest: str | list[str]) -> Iterator[Heard]:
    """A caller who talked all the time, was accepted by an exchange, and not by the target."""
    with stage.peer(
        OFFER,
        sip.accepted(),
        sip.wait_for("REFER"),
        sip.reply(202),
        sip.told_to_go_on(),
        sip.notify(2, 503, state="terminated"),
        sip.plain(),
        *rest,
        rtp=rtp.port,
    ) as heard:
        stage.do(heard.leg.answer)
        heard.next(MediaReady)
        rtp.wait_for_packets()
        rtp.keep_talking()
        wait_until(lambda: is_steady(heard))
        transfer(stage, heard, "sip:groep@127.0.0.1:9", TransferMethod.REFER)
        assert TransferProgress(1, 202, final=False) == heard.next(TransferProgress)
        yield heard


def test_caller_who_does_not_come_back_is_let_go(pjsua_stage: PjsuaStage) -> None:
    """
    No bridge is dialled for somebody who is gone: a voorlichter would answer to silence.
    """
    with RtpPeer() as rtp, sent_away_in_vain(pjsua_stage, rtp, sip.be_hung_up()) as heard:
        rtp.keep_talking(False)
        # What was sent before has arrived by then.
        heard.nothing_for(1.0)
        heard.go_on()
        assert TransferProgress(1, 503, final=True) == heard.next(TransferProgress)
        transfer(pjsua_stage, heard, "sip:groep@127.0.0.1:9", TransferMethod.BRIDGE)

        assert HungUp(200, by_us=False) == heard.next(HungUp)


@pytest.mark.parametrize("status", [408, 481])
def test_refer_that_is_lost_loses_no_caller(pjsua_stage: PjsuaStage, status: int) -> None:
    """
    Only the transfer failed (RFC 5057): the caller who is heard is put through by a bridge.
    """
    with (
        pjsua_stage.target(486) as target,
        RtpPeer() as rtp,
        pjsua_stage.peer(
            OFFER,
            sip.accepted(),
            sip.wait_for("REFER"),
            sip.reply(status),
            sip.be_hung_up(),
            rtp=rtp.port,
        ) as heard,
    ):
        pjsua_stage.do(heard.leg.answer)
        heard.next(MediaReady)
        rtp.wait_for_packets()
        rtp.keep_talking()
        transfer(pjsua_stage, heard, "sip:groep@127.0.0.1:9", TransferMethod.REFER)
        assert TransferProgress(1, status, final=True) == heard.next(TransferProgress)
        heard.nothing_for(1.0)
        transfer(pjsua_stage, heard, target, TransferMethod.BRIDGE)

        assert TransferProgress(2, 486, final=True) == heard.until(TransferProgress)
        pjsua_stage.do(heard.leg.hang_up)
        assert HungUp(200, by_us=True) == heard.next(HungUp)


def test_refer_that_nobody_answers_loses_no_caller(pjsua_stage: PjsuaStage) -> None:
    """
    After half a minute the library gives up on it; by then the caller may talk by another way. The
    peer is asked whether the call stands.
    """
    with pjsua_stage.peer(
        OFFER,
        sip.accepted(),
        sip.wait_for("REFER"),
        sip.wait_for("OPTIONS"),
        sip.reply(200),
        sip.be_hung_up(),
    ) as heard:
        pjsua_stage.do(heard.leg.answer)
        heard.next(MediaReady)
        transfer(pjsua_stage, heard, "sip:groep@127.0.0.1:9", TransferMethod.REFER)
        assert TransferProgress(1, 408, final=True) == heard.next(TransferProgress)
        heard.nothing_for(2.5)
        pjsua_stage.do(heard.leg.hang_up)
        assert HungUp(200, by_us=True) == heard.next(HungUp)


def test_place_of_a_caller_who_vanished_amid_a_transfer_is_freed(
    own_stage: Callable[..., PjsuaStage],
) -> None:
    """
    Who was sent on and is silent is asked now and then; a peer that knows the call keeps it, for
    as long as a queue may take.
    """
    stage = own_stage(ask_seconds=1.0)
    with stage.peer(
        OFFER,
        sip.accepted(),
        sip.wait_for("REFER"),
        sip.reply(202),
        sip.wait_for("OPTIONS"),
        sip.reply(200),
        sip.wait_for("OPTIONS"),
        sip.reply(405),
        sip.wait_for("OPTIONS"),
        sip.reply(481),
        sip.be_hung_up(),
    ) as heard:
        stage.do(heard.leg.answer)
        heard.next(MediaReady)
        transfer(stage, heard, "sip:groep@127.0.0.1:9", TransferMethod.REFER)
        assert TransferProgress(1, 202, final=False) == heard.next(TransferProgress)

        assert HungUp(481, by_us=False) == heard.next(HungUp)


def test_caller_who_is_still_heard_is_sent_on(pjsua_stage: PjsuaStage) -> None:
    """
    The next target is called, and its refusal is heard.
    """
    with (
        pjsua_stage.target(486) as target,
        RtpPeer() as rtp,
        sent_away_in_vain(pjsua_stage, rtp, sip.be_hung_up()) as heard,
    ):
        heard.go_on()
        assert TransferProgress(1, 503, final=True) == heard.next(TransferProgress)
        transfer(pjsua_stage, heard, target, TransferMethod.BRIDGE)

        assert TransferProgress(2, 486, final=True) == heard.until(TransferProgress)
        pjsua_stage.do(heard.leg.hang_up)
        heard.next(HungUp)
