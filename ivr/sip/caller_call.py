"""pjsua2's side of an incoming call."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

import pjsua2 as pj

from ivr.sip.owner import guarded


class CallListener(Protocol):
    """Who is told what happens in a call, on the owner's thread. What it raises is contained."""

    def on_state(self) -> None:
        """The call moved on."""

    def on_media(self) -> None:
        """Audio began, changed or ended."""

    def on_transaction(self, state: Any) -> None:
        """A message was sent, received or answered; ``state`` is a ``pj.TsxStateEvent``."""

    def on_key(self, digit: str, timestamp: int, flags: int) -> None:
        """A packet of RFC 4733 came, one of several about a key.

        Args:
            digit: 0-9, ``*``, ``#``, A-D.
            timestamp: RTP time of the key's beginning, 8000 a second.
            flags: ``PJMEDIA_STREAM_DTMF_IS_UPDATE`` (1) and ``..._IS_END`` (2).
        """


class CallerCall(pj.Call):
    """Hands the library's news to a listener. Its methods are called on the owner's thread.

    Args:
        account: The ``pj.Account`` that was called.
        number: pjsua's number of the call.
        listener: Told until its attribute is set to None.
    """

    def __init__(self, account: Any, number: int, listener: CallListener) -> None:
        super().__init__(account, number)
        self.listener: CallListener | None = listener

    def onCallState(self, prm: Any) -> None:
        """See :meth:`CallListener.on_state`."""
        if self.listener is not None:
            guarded(self.listener.on_state)

    def onCallMediaState(self, prm: Any) -> None:
        """See :meth:`CallListener.on_media`."""
        if self.listener is not None:
            guarded(self.listener.on_media)

    def onCallTsxState(self, prm: Any) -> None:
        """See :meth:`CallListener.on_transaction`."""
        if self.listener is not None:
            guarded(partial(self.listener.on_transaction, prm.e.body.tsxState))

    def onDtmfEvent(self, prm: Any) -> None:
        """See :meth:`CallListener.on_key`; keys by INFO are read from the transaction."""
        if self.listener is not None:
            guarded(partial(self.listener.on_key, prm.digit, prm.timestamp, prm.flags))

    def onCallTransferRequest(self, prm: Any) -> None:
        """Decline a REFER of the caller."""
        # A caller cannot make us call somebody: that is how toll fraud works.
        prm.statusCode = pj.PJSIP_SC_DECLINE

    def onCallReplaceRequest(self, prm: Any) -> None:
        """Decline an INVITE that would replace this call."""
        prm.statusCode = pj.PJSIP_SC_DECLINE
