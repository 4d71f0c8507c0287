"""Transfers as a real peer sees them: REFER and its NOTIFYs, bridges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.ports import (
    HungUp,
    TargetHungUp,
    TransferMethod,
    TransferProgress,
)
from tests.integration.sipp import Sipp
from tests.sip import scenarios as sip
from tests.sip.rtp import RtpPeer
from tests.sip.stage import WITHIN_SECONDS, Heard, Peer, PjsuaStage, wait_until_bound
from tests.sip.wire import OFFER, STAYS, answered, end

pytestmark = pytest.mark.sipp


def test_headers_travel_with_a_refer(pjsua_stage: PjsuaStage) -> None:
    """
    The REFER carries them, and its Refer-To makes the caller's side repeat them to the target.
    """
    with pjsua_stage.peer(
        OFFER,
        sip.accepted(),
        sip.wait_for(
            "REFER",
            check="Refer-To: &lt;sip:groep@127.0.0.1:9[?]X-Wegwijs-Thema=bouwen%20wonen&gt;",
        ),
        sip.reply(202),
        sip.notify(2, 200, state="terminated"),
        sip.plain(),
        sip.be_hung_up(),
    ) as heard:
        answered(pjsua_stage, heard)
        pjsua_stage.do(
            lambda: heard.leg.transfer(
                "sip:groep@127.0.0.1:9",
                method=TransferMethod.REFER,
                token=1,
                headers={"X-Wegwijs-Thema": "bouwen wonen"},
            )
        )
        heard.next(TransferProgress)
        assert TransferProgress(1, 200, final=True) == heard.next(TransferProgress)
        end(pjsua_stage, heard)


def test_repeated_and_late_news_change_nothing(pjsua_stage: PjsuaStage) -> None:
    """
    After the final NOTIFY further ones are answered with 481 and ignored.
    """
    with pjsua_stage.peer(
        OFFER,
        sip.accepted(),
        sip.wait_for("REFER"),
        sip.reply(202),
        sip.notify(2, 486, state="terminated"),
        sip.plain(),
        sip.notify(3, 486, state="terminated"),
        sip.plain(481),
        sip.be_hung_up(),
    ) as heard:
        answered(pjsua_stage, heard)
        refer(pjsua_stage, heard, 2)
        assert TransferProgress(2, 202, final=False) == heard.next(TransferProgress)
        assert TransferProgress(2, 486, final=True) == heard.next(TransferProgress)
        heard.nothing_for(0.5)
        end(pjsua_stage, heard)


def refer(stage: PjsuaStage, heard: Heard, token: int) -> None:
    """Send the caller on."""
    stage.do(
        lambda: heard.leg.transfer(
            "sip:groep@127.0.0.1:9", method=TransferMethod.REFER, token=token, headers={}
        )
    )


def test_late_success_of_a_forgotten_refer_is_told(pjsua_stage: PjsuaStage) -> None:
    """
    A caller who reached the first target after all is not sent to a third.
    """
    with pjsua_stage.peer(
        OFFER,
        sip.accepted(),
        sip.wait_for("REFER"),
        sip.reply(202),
        sip.told_to_go_on(),
        sip.notify(2, 180, state="active"),
        sip.plain(),
        sip.notify(3, 200, state="terminated"),
        sip.plain(),
        sip.be_hung_up(),
    ) as heard:
        answered(pjsua_stage, heard)
        refer(pjsua_stage, heard, 8)
        assert TransferProgress(8, 202, final=False) == heard.next(TransferProgress)
        pjsua_stage.do(lambda: heard.leg.abandon_transfer(8))
        heard.nothing_for(0.2)
        heard.go_on()

        assert TransferProgress(8, 200, final=True) == heard.next(TransferProgress)
        end(pjsua_stage, heard)


def target_sipp(stage: PjsuaStage, folder: Path, *steps: str | list[str], rtp: int = 9) -> Sipp:
    """A SIPp that waits for our call."""
    scenario = sip.write(folder, "target", sip.wait_for("INVITE"), *steps)
    return Sipp(folder, "-sf", str(scenario), "-m", "1", "-key", "rtp", str(rtp), name="target")


def bridge(stage: PjsuaStage, heard: Heard, sipp: Sipp) -> None:
    """Bridge with token 5, one header along; a scheme may be in capitals."""
    stage.do(
        lambda: heard.leg.transfer(
            f"SIP:groep@127.0.0.1:{sipp.port}",
            method=TransferMethod.BRIDGE,
            token=5,
            headers={"X-Wegwijs-Thema": "energie", "X-Bad": "a\r\nEvil: b"},
        )
    )


def test_caller_who_leaves_cancels_the_bridge(pjsua_stage: PjsuaStage, tmp_path: Path) -> None:
    """
    A target that still rings gets CANCEL; the INVITE carried our headers on lines of their own.
    """
    with target_sipp(
        pjsua_stage,
        tmp_path,
        sip.reply(180, first=True),
        sip.wait_for("CANCEL"),
        sip.reply(200),
    ) as target:
        wait_until_bound(target.port)
        with pjsua_stage.peer(OFFER, sip.accepted(), sip.told_to_go_on(), sip.bye()) as heard:
            answered(pjsua_stage, heard)
            bridge(pjsua_stage, heard, target)

            assert TransferProgress(5, 180, final=False) == heard.next(TransferProgress)
            heard.go_on()
            assert HungUp(200, by_us=False) == heard.next(HungUp)
        assert 0 == target.wait(within_seconds=WITHIN_SECONDS), target.errors()
        messages = target.messages()
        assert "X-Wegwijs-Thema: energie" in messages
        assert "\nEvil:" not in messages


def test_trusted_identity_travels_with_a_bridged_call(
    own_stage: Callable[..., PjsuaStage], tmp_path: Path
) -> None:
    """
    The voorlichter's telephone shows who calls, as it would have without us.
    """
    stage = own_stage(trust_asserted_identity=True)
    identity = "P-Asserted-Identity: <sip:0470123456@carrier.be>"
    offer = sip.invite(body=sip.sdp(sip.PCMA), extra=identity)
    with target_sipp(stage, tmp_path, sip.reply(486, first=True), sip.wait_for("ACK")) as target:
        wait_until_bound(target.port)
        with stage.peer(offer, *STAYS) as heard:
            assert "0470123456" == heard.leg.caller
            answered(stage, heard)
            bridge(stage, heard, target)
            assert 486 == heard.next(TransferProgress).status
            end(stage, heard)
        assert 0 == target.wait(within_seconds=WITHIN_SECONDS), target.errors()
        assert identity in target.messages()


def test_abandoned_bridge_is_cancelled_in_silence(pjsua_stage: PjsuaStage, tmp_path: Path) -> None:
    """
    After abandon_transfer nothing is reported, the target is left in peace, the caller is ours.
    """
    with target_sipp(
        pjsua_stage,
        tmp_path,
        sip.reply(180, first=True),
        sip.wait_for("CANCEL"),
        sip.reply(200),
    ) as target:
        wait_until_bound(target.port)
        with pjsua_stage.call(Peer.STAYS) as heard:
            answered(pjsua_stage, heard)
            bridge(pjsua_stage, heard, target)
            heard.next(TransferProgress)
            pjsua_stage.do(lambda: heard.leg.abandon_transfer(5))
            assert 0 == target.wait(within_seconds=WITHIN_SECONDS), target.errors()
            heard.nothing_for(0.3)
            end(pjsua_stage, heard)


def test_bridge_carries_sound_both_ways(pjsua_stage: PjsuaStage, tmp_path: Path) -> None:
    """
    Caller and target hear each other; when the target leaves, the caller is still ours.
    """
    with (
        RtpPeer() as caller_rtp,
        RtpPeer() as target_rtp,
        target_sipp(
            pjsua_stage,
            tmp_path,
            sip.reply(180, first=True),
            sip.reply(200, body=sip.sdp(sip.PCMA), first=True),
            sip.wait_for("ACK"),
            sip.told_to_go_on(),
            sip.send_bye_as_target(),
            sip.plain(),
            rtp=target_rtp.port,
        ) as target,
    ):
        wait_until_bound(target.port)
        with pjsua_stage.peer(OFFER, *STAYS, rtp=caller_rtp.port) as heard:
            answered(pjsua_stage, heard)
            caller_rtp.wait_for_packets()
            bridge(pjsua_stage, heard, target)
            heard.until(TransferProgress)
            target_rtp.wait_for_packets()
            caller_rtp.keep_talking()
            target_rtp.keep_talking()
            caller_rtp.wait_for_sound()
            target_rtp.wait_for_sound()
            target.go_on()

            assert TargetHungUp(5) == heard.until(TargetHungUp)
            heard.nothing_for(0.2)
            end(pjsua_stage, heard)


def test_caller_hears_ringing_while_a_bridge_rings(pjsua_stage: PjsuaStage, tmp_path: Path) -> None:
    """
    A target that rings without early media leaves the caller not in silence.
    """
    with (
        RtpPeer() as rtp,
        target_sipp(
            pjsua_stage,
            tmp_path,
            sip.reply(180, first=True),
            sip.wait_for("CANCEL"),
            sip.reply(200),
        ) as target,
    ):
        wait_until_bound(target.port)
        with pjsua_stage.peer(OFFER, *STAYS, rtp=rtp.port) as heard:
            answered(pjsua_stage, heard)
            rtp.wait_for_packets()
            bridge(pjsua_stage, heard, target)
            rtp.wait_for_sound()
            end(pjsua_stage, heard)
