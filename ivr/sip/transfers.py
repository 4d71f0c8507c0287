"""Sending a leg's caller on, by REFER and by bridge. Owner's thread only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import pjsua2 as pj
import structlog

from ivr.ports import LegEvent, TargetHungUp, TransferMethod, TransferProgress
from ivr.sip import message
from ivr.sip.bridge import Bridge
from ivr.sip.media import add_headers
from ivr.sip.media_watch import MediaWatch
from ivr.sip.owner import OwnerThread, Timer, guarded
from ivr.sip.refer import ReferLedger
from ivr.sip.runtime import Runtime

_log = structlog.get_logger("wegwijs.sip")

_LOOK_SECONDS: Final = 0.1
_LOOKS: Final = 20
"""A caller who was sent away in vain, and is not heard in so many looks, is gone. Looks, not
seconds: while this process is held up, nothing that a caller sends is read."""


class Transfers:
    """All attempts of one leg. An attempt ends with a final :class:`TransferProgress`.

    What the library cannot do is reported so too, with 503: nothing is raised.

    Args:
        owner: Whose thread this runs on.
        runtime: For the account that dials and the helpers that guard a REFER.
        number: Of the leg, for logs.
        call: The caller's call.
        caller_audio: The caller's media; None while there is none.
        watch: Knows whether the caller is heard.
        emit: Takes what the engine is told.
        on_left: Called when the caller does not come back from an attempt in vain.
    """

    def __init__(
        self,
        owner: OwnerThread,
        runtime: Runtime,
        number: int,
        *,
        call: Any,
        caller_audio: Callable[[], Any],
        watch: MediaWatch,
        emit: Callable[[LegEvent], None],
        on_left: Callable[[], None],
    ) -> None:
        self._owner = owner
        self._runtime = runtime
        self._number = number
        self._call = call
        self._caller_audio = caller_audio
        self._watch = watch
        self._emit = emit
        self._on_left = on_left
        self._refers = ReferLedger()
        self._bridge: Bridge | None = None
        self._bridge_token = 0
        self._returning: Timer | None = None

    def is_doubtful(self) -> bool:
        """Whether an accepted REFER may have taken the caller away."""
        return self._refers.is_doubtful

    def start(
        self, target: str, method: TransferMethod, token: int, headers: Mapping[str, str]
    ) -> None:
        """Send a caller on who is still there; one who is not is found out within 2 s.

        An exchange that accepts a REFER may take the caller out of our call at once (Asterisk
        does). When the transfer fails because the caller hung up in the queue, our call stands
        with nobody in it, and a bridge would let a voorlichter answer to silence. So it may be
        with an exchange that knows no such call any more. A peer who pauses its audio between
        words, or has put us on hold, counts as still there.
        """
        send = partial(
            self._refer if method is TransferMethod.REFER else self._dial, target, token, headers
        )
        self._stop_returning()
        if not self._refers.is_doubtful or not self._watch.was_steady:
            send()
            return
        self._look_for_caller(send, self._watch.packets(), _LOOKS)

    def abandon(self, token: int) -> None:
        """Forget an attempt; a caller who reaches a REFER's target after all is still reported."""
        self._stop_returning()
        self._refers.abandon(token)
        if self._bridge is not None and self._bridge_token == token and not self._bridge.connected:
            self._bridge.end()
            self._bridge = None

    def end(self) -> None:
        """End the bridge, let go of the call and report nothing more. Idempotent."""
        self._stop_returning()
        bridge, self._bridge = self._bridge, None
        if bridge is not None:
            guarded(bridge.end)
        self._call = None

    def send_digit(self, digit: str) -> None:
        """Pass the caller's key on to the bridge's target, if there is one."""
        if self._bridge is not None:
            self._bridge.send_digit(digit)

    def reconnect(self) -> None:
        """Connect the caller's new media with the bridge's target after a change."""
        if self._bridge is not None:
            self._bridge.reconnect()

    def on_notice(self, notice: message.TransferNotice) -> None:
        """A NOTIFY told news of a REFER."""
        self._tell(self._refers.notified(notice))

    def on_refer(self, state: Any) -> None:
        """The transaction of a REFER of ours changed state."""
        transaction = state.tsx
        cseq = message.cseq_number(transaction.lastTx.wholeMsg)
        if transaction.state == pj.PJSIP_TSX_STATE_CALLING:
            self._refers.sent(cseq)
            if not self._runtime.helpers.guard_refer(transaction.pjTransaction):
                _log.warning("refer_unguarded", leg=self._number)
        elif transaction.state >= pj.PJSIP_TSX_STATE_COMPLETED and transaction.statusCode >= 200:
            unsubscribed = state.type == pj.PJSIP_EVENT_RX_MSG and (
                (message.header(state.src.rdata.wholeMsg, "Refer-Sub") or "").lower() == "false"
            )
            status = self._runtime.helpers.refer_status(transaction.pjTransaction)
            self._tell(self._refers.answered(cseq, status, unsubscribed=unsubscribed))

    def _tell(self, news: TransferProgress | None) -> None:
        if news is not None:
            self._emit(news)

    def _look_for_caller(self, send: Callable[[], None], before: int | None, looks: int) -> None:
        self._returning = None
        packets = self._watch.packets()
        if packets is None or packets != before:
            send()
        elif looks == 0:
            _log.info("caller_did_not_return", leg=self._number)
            self._on_left()
        else:
            self._returning = self._owner.call_later(
                _LOOK_SECONDS, partial(self._look_for_caller, send, before, looks - 1)
            )

    def _stop_returning(self) -> None:
        returning, self._returning = self._returning, None
        if returning is not None:
            returning.cancel()

    def _refer(self, target: str, token: int, headers: Mapping[str, str]) -> None:
        if not message.is_target(target):
            self._emit(TransferProgress(token, 400, final=True))
            return
        prm = pj.CallOpParam()
        add_headers(prm, headers)
        self._refers.begin(token)
        try:
            self._call.xfer(message.refer_to(target, headers), prm)
        except pj.Error:
            # A call that ended just now reports nothing more.
            if self._call is not None:
                self._tell(self._refers.answered(None, 503, unsubscribed=False))

    def _dial(self, target: str, token: int, headers: Mapping[str, str]) -> None:
        if not message.is_target(target):
            self._emit(TransferProgress(token, 400, final=True))
            return
        if self._bridge is not None:
            self._bridge.end()
        self._bridge_token = token
        bridge = self._bridge = Bridge(
            self._owner,
            self._runtime.account,
            self._caller_audio,
            on_progress=partial(self._on_bridge_progress, token),
            on_hung_up=partial(self._on_target_hung_up, token),
        )
        bridge.dial(target, headers)

    def _on_bridge_progress(self, token: int, status: int, final: bool) -> None:
        if final and status >= 300 and self._bridge_token == token:
            self._bridge = None
        self._emit(TransferProgress(token, status, final))

    def _on_target_hung_up(self, token: int) -> None:
        if self._bridge_token == token:
            self._bridge = None
        self._emit(TargetHungUp(token))
