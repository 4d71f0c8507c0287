"""A SIPp caller that stays, and the engine's side of its call."""

from __future__ import annotations

from ivr.ports import HungUp, MediaReady
from tests.sip import scenarios as sip
from tests.sip.stage import Heard, PjsuaStage

OFFER = sip.invite(body=sip.sdp(sip.PCMA))
STAYS = [sip.accepted(), sip.be_hung_up()]


def answered(stage: PjsuaStage, heard: Heard) -> int:
    """Answer, up to the audio; the slot."""
    stage.do(heard.leg.answer)
    return heard.next(MediaReady).slot


def end(stage: PjsuaStage, heard: Heard) -> None:
    """Hang up, up to the end."""
    stage.do(heard.leg.hang_up)
    heard.until(HungUp)
