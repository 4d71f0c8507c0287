"""pjsua2's side of an incoming call."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pjsua2 as pj

from ivr.sip.owner import guarded

if TYPE_CHECKING:
    from ivr.sip.leg import PjsuaLeg


class CallerCall(pj.Call):
    """Hands the library's news to its leg. Its methods are called on the owner's thread."""

    def __init__(self, account: Any, number: int, leg: PjsuaLeg) -> None:
        super().__init__(account, number)
        self.leg: PjsuaLeg | None = leg

    def onCallState(self, prm: Any) -> None:
        """The call moved on."""
        if self.leg is not None:
            guarded(self.leg.on_state)

    def onCallMediaState(self, prm: Any) -> None:
        """Audio began, changed or ended."""
        if self.leg is not None:
            guarded(self.leg.on_media)

    def onCallTsxState(self, prm: Any) -> None:
        """A message was sent, received or answered."""
        if self.leg is not None:
            guarded(partial(self.leg.on_transaction, prm.e.body.tsxState))

    def onDtmfEvent(self, prm: Any) -> None:
        """A key by RFC 4733; INFO is read by the leg."""
        if self.leg is not None:
            guarded(partial(self.leg.on_key, prm.digit, prm.timestamp, prm.flags))

    def onCallTransferRequest(self, prm: Any) -> None:
        """Decline a REFER of the caller."""
        # A caller cannot make us call somebody: that is how toll fraud works.
        prm.statusCode = pj.PJSIP_SC_DECLINE

    def onCallReplaceRequest(self, prm: Any) -> None:
        """Decline an INVITE that would replace this call."""
        prm.statusCode = pj.PJSIP_SC_DECLINE
