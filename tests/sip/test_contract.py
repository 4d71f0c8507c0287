"""What every telephony promises, tried on the fake and on pjsua2 with SIPp."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.ports import (
    DigitPressed,
    HungUp,
    MediaReady,
    PlayFinished,
    PlayStarted,
    TransferMethod,
    TransferProgress,
)
from tests.sip.stage import Heard, Peer, Stage

pytestmark = pytest.mark.sipp


def answered(stage: Stage, heard: Heard) -> None:
    """Answer, up to the audio."""
    stage.do(heard.leg.answer)
    heard.next(MediaReady)


def refer(stage: Stage, heard: Heard, target: str = "sip:groep@127.0.0.1:9") -> None:
    """Send the caller on with token 3."""
    stage.do(
        lambda: heard.leg.transfer(
            target, method=TransferMethod.REFER, token=3, headers={"X-Wegwijs-Thema": "energie"}
        )
    )


def test_leg_says_who_called_whom(stage: Stage) -> None:
    """
    Called number, caller and Call-ID are known before anybody answers.
    """
    with stage.call(Peer.LEAVES) as heard:
        leg = heard.leg

        assert "0470123456" == leg.caller
        assert leg.line.startswith("7")
        assert leg.sip_call_id
        assert leg.codecs_in_common

        answered(stage, heard)
        heard.until(HungUp)


def test_caller_hangs_up(stage: Stage) -> None:
    """
    Audio first, the end last and once, and nobody blames us for it.
    """
    with stage.call(Peer.LEAVES) as heard:
        answered(stage, heard)

        assert HungUp(200, by_us=False) == heard.next(HungUp)
    heard.nothing_for(0.2)


def test_caller_gives_up_before_the_answer(stage: Stage) -> None:
    """
    CANCEL before the answer ends the leg with 487.
    """
    with stage.call(Peer.CANCELS) as heard:
        assert HungUp(487, by_us=False) == heard.next(HungUp)


def test_refused_call_learns_when_to_try_again(stage: Stage) -> None:
    """
    503 carries Retry-After, and the end is ours.
    """
    with stage.call(Peer.IS_REFUSED) as heard:
        stage.do(lambda: heard.leg.refuse(503, retry_after_seconds=30))

        assert HungUp(503, by_us=True) == heard.next(HungUp)


def test_we_hang_up(stage: Stage) -> None:
    """
    Our own end is reported as ours, once, however often it is asked for.
    """
    with stage.call(Peer.STAYS) as heard:
        answered(stage, heard)
        stage.do(heard.leg.hang_up)
        stage.do(heard.leg.hang_up)

        assert HungUp(200, by_us=True) == heard.next(HungUp)
    heard.nothing_for(0.2)


def test_prompt_is_reported_from_start_to_end(stage: Stage, beep: Path) -> None:
    """
    A prompt's start and end carry its token.
    """
    with stage.call(Peer.STAYS) as heard:
        answered(stage, heard)
        stage.do(lambda: heard.leg.play([beep], token=1))

        assert 1 == heard.next(PlayStarted).token
        assert PlayFinished(1) == heard.next(PlayFinished)

        stage.do(heard.leg.hang_up)
        heard.next(HungUp)


def test_key_is_heard(stage: Stage) -> None:
    """
    A key pressed by the caller arrives.
    """
    with stage.call(Peer.PRESSES_5) as heard:
        answered(stage, heard)

        assert DigitPressed("5") == heard.next(DigitPressed)

        stage.do(heard.leg.hang_up)
        heard.next(HungUp)


def test_caller_reaches_target_of_refer(stage: Stage) -> None:
    """
    202 is news, 200 is the outcome; then the leg is still there to be ended by us.
    """
    with stage.call(Peer.FOLLOWS) as heard:
        answered(stage, heard)
        refer(stage, heard)

        assert TransferProgress(3, 202, final=False) == heard.next(TransferProgress)
        assert TransferProgress(3, 100, final=False) == heard.next(TransferProgress)
        assert TransferProgress(3, 200, final=True) == heard.next(TransferProgress)

        stage.do(heard.leg.hang_up)
        assert HungUp(200, by_us=True) == heard.next(HungUp)


def test_caller_does_not_reach_target_of_refer(stage: Stage) -> None:
    """
    NOTIFY 503 is a failed attempt, and the caller is still ours.
    """
    with stage.call(Peer.LOSES_TARGET) as heard:
        answered(stage, heard)
        refer(stage, heard)

        assert TransferProgress(3, 202, final=False) == heard.next(TransferProgress)
        assert TransferProgress(3, 503, final=True) == heard.next(TransferProgress)

        stage.do(heard.leg.hang_up)
        assert HungUp(200, by_us=True) == heard.next(HungUp)


def test_refer_is_declined(stage: Stage) -> None:
    """
    A 4xx to the REFER itself is a failed attempt at once.
    """
    with stage.call(Peer.DECLINES_REFER) as heard:
        answered(stage, heard)
        refer(stage, heard)

        assert TransferProgress(3, 403, final=True) == heard.next(TransferProgress)

        stage.do(heard.leg.hang_up)
        heard.next(HungUp)


def test_caller_hangs_up_amid_refer(stage: Stage) -> None:
    """
    BYE between 202 and the news ends the leg; no outcome is made up.
    """
    with stage.call(Peer.LEAVES_AMID_REFER) as heard:
        answered(stage, heard)
        refer(stage, heard)

        assert TransferProgress(3, 202, final=False) == heard.next(TransferProgress)
        assert HungUp(200, by_us=False) == heard.next(HungUp)


@pytest.mark.parametrize("method", list(TransferMethod))
@pytest.mark.parametrize("target", ["", "groep", "sip:", "sip:groep@ 127.0.0.1", "mailto:a@b.be"])
def test_target_that_is_no_address(stage: Stage, method: TransferMethod, target: str) -> None:
    """
    A target that cannot be called fails at once, and the caller is still ours.
    """
    with stage.call(Peer.STAYS) as heard:
        answered(stage, heard)
        stage.do(lambda: heard.leg.transfer(target, method=method, token=4, headers={}))

        assert TransferProgress(4, 400, final=True) == heard.next(TransferProgress)

        stage.do(heard.leg.hang_up)
        heard.next(HungUp)


def test_bridge_reaches_target(stage: Stage) -> None:
    """
    Ringing is news, the answer is the outcome; the end of the caller ends the target's call.
    """
    with stage.target(200) as target, stage.call(Peer.STAYS) as heard:
        answered(stage, heard)
        stage.do(
            lambda: heard.leg.transfer(target, method=TransferMethod.BRIDGE, token=5, headers={})
        )

        assert TransferProgress(5, 180, final=False) == heard.next(TransferProgress)
        assert TransferProgress(5, 200, final=True) == heard.next(TransferProgress)

        stage.do(heard.leg.hang_up)
        assert HungUp(200, by_us=True) == heard.next(HungUp)


@pytest.mark.parametrize("status", [404, 486, 503, 603])
def test_bridge_is_refused(stage: Stage, status: int) -> None:
    """
    A target that refuses is a failed attempt, and the caller is still ours.
    """
    with stage.target(status) as target, stage.call(Peer.STAYS) as heard:
        answered(stage, heard)
        stage.do(
            lambda: heard.leg.transfer(target, method=TransferMethod.BRIDGE, token=6, headers={})
        )

        assert TransferProgress(6, status, final=True) == heard.next(TransferProgress)

        stage.do(heard.leg.hang_up)
        heard.next(HungUp)
