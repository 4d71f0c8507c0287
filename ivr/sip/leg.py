"""One incoming call: the engine's commands in, events out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import pjsua2 as pj

from ivr.engine.ports import (
    DigitPressed,
    HungUp,
    MediaLost,
    MediaReady,
    PlayFinished,
    PlayStarted,
    TargetHungUp,
    TransferMethod,
    TransferProgress,
)
from ivr.sip import message, native
from ivr.sip.audio_port import FramePort, FrameSlot
from ivr.sip.bridge import Bridge
from ivr.sip.caller_call import CallerCall
from ivr.sip.leg_base import LegBase
from ivr.sip.media import CallAudio, active_audio, add_headers, bury_call, signs_of_life
from ivr.sip.owner import Timer, destroy, guarded
from ivr.sip.playback import Playback
from ivr.sip.refer import ReferLedger
from ivr.sip.surroundings import Surroundings

log = logging.getLogger(__name__)

LEAD_IN_SECONDS: Final = 0.2
"""Silence before a leg's first prompt: the peer's jitter buffer and NAT settle meanwhile."""
_WATCH_SECONDS: Final = 1.0
_STEADY_PACKETS: Final = 25
"""In a second; half of what a peer sends who never falls silent."""
_RETURN_SECONDS: Final = 2.0
"""A caller who was sent away in vain, and is heard no more for so long, is gone."""
_LOOK_SECONDS: Final = 0.1
_DTMF_UPDATE: Final = 1  # PJMEDIA_STREAM_DTMF_IS_UPDATE (pjmedia/stream.h)


class PjsuaLeg(LegBase):
    """Implements :class:`ivr.engine.ports.Leg`.

    Public methods without ``on_`` are the engine's commands: they queue and return. The others
    run on the owner's thread.
    """

    def __init__(self, around: Surroundings, invitation: message.Invitation, number: int) -> None:
        ours = around.runtime.settings.codecs
        super().__init__(
            invitation,
            around.loop,
            codecs_in_common=message.have_codec_in_common(invitation.codecs, ours),
        )
        self._around = around
        self._owner = around.owner
        self._number = number
        self._call: Any = CallerCall(around.runtime.account, number, self)
        self._audio: CallAudio | None = None
        self._slot: FrameSlot | None = None
        self._port: FramePort | None = None
        self._responded = 100
        self._confirmed = False
        self._ready_at: float | None = None
        self._ended_by_us = False
        self._ending_status = 0
        self._playback: Playback | None = None
        self._refers = ReferLedger()
        self._bridge: Bridge | None = None
        self._bridge_token = 0
        self._last_key: tuple[str, int] | None = None
        self._watch: Timer | None = None
        self._signs: tuple[int, int] | None = None
        self._heard_at = 0.0
        self._asked_at = 0.0
        self._lost_told = False
        self._packets = 0
        self._was_steady = False
        self._returning: Timer | None = None

    # The engine's commands.

    def ring(self) -> None:
        """See :class:`ivr.engine.ports.Leg`."""
        self._command(partial(self._respond, pj.PJSIP_SC_RINGING))

    def answer(self) -> None:
        """See :class:`ivr.engine.ports.Leg`."""
        self._command(partial(self._respond, pj.PJSIP_SC_OK))

    def refuse(self, status: int, *, retry_after_seconds: int | None = None) -> None:
        """See :class:`ivr.engine.ports.Leg`."""
        headers = {} if retry_after_seconds is None else {"Retry-After": str(retry_after_seconds)}
        self._command(partial(self._end, status, headers))

    def play(self, wavs: Sequence[Path], *, token: int) -> None:
        """See :class:`ivr.engine.ports.Leg`."""
        self._command(partial(self._play, tuple(wavs), token))

    def stop_playing(self) -> None:
        """See :class:`ivr.engine.ports.Leg`."""
        self._command(self._stop_playing)

    def transfer(
        self, target: str, *, method: TransferMethod, token: int, headers: Mapping[str, str]
    ) -> None:
        """See :class:`ivr.engine.ports.Leg`."""
        send = self._refer if method is TransferMethod.REFER else self._start_bridge
        self._command(partial(self._once_heard, partial(send, target, token, dict(headers))))

    def abandon_transfer(self, token: int) -> None:
        """See :class:`ivr.engine.ports.Leg`.

        A caller who reaches the target of a forgotten REFER after all is still reported.
        """
        self._command(partial(self._abandon, token))

    def hang_up(self) -> None:
        """See :class:`ivr.engine.ports.Leg`."""
        self._command(self.end_now)

    def _command(self, action: Callable[[], None]) -> None:
        self._owner.submit(lambda: None if self._gone else action())

    # On the owner's thread: the call's life.

    def _respond(self, status: int) -> None:
        if self._responded >= status:
            return
        self._responded = status
        prm = pj.CallOpParam(True)
        prm.opt.audioCount = 1
        prm.opt.videoCount = prm.opt.textCount = 0
        prm.statusCode = status
        try:
            self._call.answer(prm)
        except pj.Error as error:
            if self._gone:
                return
            log.warning(
                "a response could not be sent; the leg ends",
                extra={"leg": self._number, "status": status, "error": error.status},
            )
            self._end(pj.PJSIP_SC_INTERNAL_SERVER_ERROR, {})

    def end_now(self) -> None:
        """Hang up, or refuse a call that was not answered."""
        self._end(0 if self._confirmed else pj.PJSIP_SC_TEMPORARILY_UNAVAILABLE, {})

    def _end(self, status: int, headers: Mapping[str, str], *, by_us: bool = True) -> None:
        if self._gone:
            return
        self._ended_by_us = by_us
        self._ending_status = status
        prm = pj.CallOpParam()
        prm.statusCode = status
        add_headers(prm, headers)
        try:
            # Reports the end through on_state before it returns.
            self._call.hangup(prm)
        except pj.Error:
            pass  # the other side was faster
        if not self._gone:
            self._clean_up(status or pj.PJSIP_SC_OK)

    def on_state(self) -> None:
        """The dialog changed state."""
        if self._gone:
            return
        info = self._call.getInfo()
        if info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self._confirmed = True
            self._tell_ready()
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._clean_up(self._ending_status or info.lastStatusCode or pj.PJSIP_SC_OK)

    def _clean_up(self, status: int) -> None:
        if self._gone:
            return
        if self._bridge is not None:
            guarded(self._bridge.end)
        if self._playback is not None:
            guarded(self._playback.stop)
        self._audio = self._playback = self._bridge = None
        for timer in (self._watch, self._returning):
            if timer is not None:
                timer.cancel()
        port, self._port = self._port, None
        if port is not None:
            # Waits for a frame that is being copied; after this the slot is nobody's.
            destroy(port)
        slot, self._slot = self._slot, None
        if slot is not None:
            self._around.matrix.release(slot)
        call, self._call = self._call, None
        call.leg = None
        # Not here: this may run inside one of the call's own callbacks.
        bury_call(self._owner, call)
        self._emit(HungUp(status, self._ended_by_us))
        self._around.on_gone(self)

    # On the owner's thread: media.

    def on_media(self) -> None:
        """The call's audio came, changed or went."""
        if self._gone:
            return
        self._audio = active_audio(self._call)
        self._heard_at = time.monotonic()
        if self._audio is None:
            return
        if self._slot is None and not self._claim_slot():
            return
        media = self._audio.media
        guarded(lambda: media.startTransmit(self._port))
        # Something is always sent, so that no peer takes a listening service for a dead one.
        guarded(lambda: self._around.runtime.silence.startTransmit(media))
        if self._playback is not None:
            self._playback.reconnect()
        if self._bridge is not None:
            self._bridge.reconnect()
        self._tell_ready()

    def _claim_slot(self) -> bool:
        slot = self._around.matrix.claim()
        if slot is None:
            log.error("no frame slot is free; the matrix must hold max_calls slots")
            self._end(pj.PJSIP_SC_SERVICE_UNAVAILABLE, {})
            return False
        self._slot = slot
        self._port = FramePort(slot)
        return True

    def _tell_ready(self) -> None:
        # Before the caller's ACK nothing that is played is sure to be heard.
        if self._ready_at is None and self._confirmed and self._slot is not None:
            self._ready_at = self._heard_at = self._asked_at = time.monotonic()
            self._watch = self._owner.call_later(_WATCH_SECONDS, self._watch_media)
            self._emit(MediaReady(self._slot.index))

    def _watch_media(self) -> None:
        if not self._call.isActive():
            # Whatever the library did with the call, the engine hears of its end.
            log.error("a call ended without notice", extra={"leg": self._number})
            self._clean_up(pj.PJSIP_SC_REQUEST_TIMEOUT)
            return
        self._watch = self._owner.call_later(_WATCH_SECONDS, self._watch_media)
        now = time.monotonic()
        audio = self._audio
        signs = None if audio is None else signs_of_life(self._call, audio.index)
        if signs is not None and signs != self._signs:
            self._signs, self._lost_told = signs, False
            self._heard_at = self._asked_at = now
        if (self._lost_told or self._refers.is_doubtful) and (
            now - self._asked_at >= self._around.runtime.settings.ask_seconds
        ):
            self._asked_at = now
            self._ask_for_life()
        if audio is None or not audio.receives:
            self._heard_at = now
            return
        if not self._refers.is_doubtful and signs is not None:
            self._was_steady = signs[0] - self._packets >= _STEADY_PACKETS
            self._packets = signs[0]
        limit = self._around.runtime.settings.media_lost_seconds
        if now - self._heard_at >= limit and not self._lost_told:
            self._lost_told = True
            self._emit(MediaLost())

    def _ask_for_life(self) -> None:
        """Ask a peer who is silent, as one may be who was sent on, whether the call stands.

        No answer, or that there is no such call, ends it: the library does that. Its place would
        else be held for the longest wait in a queue, or the longest conversation.
        """
        prm = pj.CallSendRequestParam()
        prm.method = "OPTIONS"
        try:
            self._call.sendRequest(prm)
        except pj.Error:
            pass  # the call ends just now

    def _sink(self) -> Any:
        return None if self._audio is None else self._audio.media

    def _play(self, wavs: tuple[Path, ...], token: int) -> None:
        self._stop_playing()
        if self._slot is None or self._ready_at is None:
            log.warning("nothing is played before the media flows", extra={"leg": self._number})
            return
        self._playback = Playback(
            self._owner,
            self._slot,
            wavs,
            self._sink,
            on_started=lambda at: self._emit(PlayStarted(token, at)),
            on_finished=partial(self._played, token),
        )
        self._playback.start(self._ready_at + LEAD_IN_SECONDS - time.monotonic())

    def _played(self, token: int) -> None:
        self._playback = None
        self._emit(PlayFinished(token))

    def _stop_playing(self) -> None:
        playback, self._playback = self._playback, None
        if playback is not None:
            playback.stop()

    # On the owner's thread: keys and requests inside the dialog.

    def on_key(self, method: int, digit: str, timestamp: int, flags: int) -> None:
        """A telephone event, possibly one of many packets about the same key."""
        if flags & _DTMF_UPDATE:
            return
        if method == pj.PJSUA_DTMF_METHOD_RFC2833:
            # Packets out of order look like a new key to the library, but carry the same time.
            if self._last_key == (digit, timestamp):
                return
            self._last_key = (digit, timestamp)
        self._press(digit)

    def _press(self, digit: str) -> None:
        if self._bridge is not None:
            self._bridge.send_digit(digit)
        self._emit(DigitPressed(digit))

    def on_transaction(self, state: Any) -> None:
        """A request inside the dialog, ours or the peer's, changed state."""
        transaction = state.tsx
        method = transaction.method
        if method == "REFER" and transaction.role == pj.PJSIP_ROLE_UAC:
            self._on_refer(state)
        elif transaction.role == pj.PJSIP_ROLE_UAS and (
            transaction.state == pj.PJSIP_TSX_STATE_TRYING and state.type == pj.PJSIP_EVENT_RX_MSG
        ):
            received = state.src.rdata
            if method == "NOTIFY":
                notice = message.read_transfer_notice(received.wholeMsg)
                if notice is not None:
                    self._tell_transfer(self._refers.notified(notice))
            elif method == "INFO" and (digits := message.info_digits(received.wholeMsg)):
                native.answer_transaction(received.pjRxData, transaction.pjTransaction, 200)
                self._press(digits)
            elif message.asks_for_life(method, received.wholeMsg):
                native.answer_transaction(received.pjRxData, transaction.pjTransaction, 200)

    def _on_refer(self, state: Any) -> None:
        transaction = state.tsx
        cseq = message.cseq_number(transaction.lastTx.wholeMsg)
        if transaction.state == pj.PJSIP_TSX_STATE_CALLING:
            self._refers.sent(cseq)
            self._around.runtime.refer_guard.watch(transaction.pjTransaction, cseq)
        elif transaction.state >= pj.PJSIP_TSX_STATE_COMPLETED and transaction.statusCode >= 200:
            unsubscribed = state.type == pj.PJSIP_EVENT_RX_MSG and (
                (message.header(state.src.rdata.wholeMsg, "Refer-Sub") or "").lower() == "false"
            )
            status = self._around.runtime.refer_guard.true_status(
                transaction.pjTransaction, transaction.statusCode
            )
            self._tell_transfer(self._refers.answered(cseq, status, unsubscribed=unsubscribed))

    # On the owner's thread: transfers.

    def _tell_transfer(self, news: TransferProgress | None) -> None:
        if news is not None:
            self._emit(news)

    def _once_heard(self, send: Callable[[], None]) -> None:
        """Send a caller on who is still there.

        An exchange that accepts a REFER may take the caller out of our call at once (Asterisk
        does). When the transfer fails because the caller hung up in the queue, our call stands
        with nobody in it, and a bridge would let a voorlichter answer to silence. So it may be
        with an exchange that knows no such call any more. A peer who pauses its audio between
        words, or has put us on hold, is taken at its word.
        """
        self._stop_returning()
        if not self._refers.is_doubtful or not self._was_steady:
            send()
            return
        self._look_for_caller(send, self._heard_packets(), time.monotonic() + _RETURN_SECONDS)

    def _look_for_caller(self, send: Callable[[], None], before: int | None, until: float) -> None:
        self._returning = None
        packets = self._heard_packets()
        if packets is None or packets != before:
            send()
        elif time.monotonic() >= until:
            log.info("the caller did not come back from a transfer", extra={"leg": self._number})
            self._end(0, {}, by_us=False)
        else:
            self._returning = self._owner.call_later(
                _LOOK_SECONDS, partial(self._look_for_caller, send, before, until)
            )

    def _heard_packets(self) -> int | None:
        """RTP packets so far; None where the peer need not send any."""
        audio = self._audio
        if audio is None or not audio.receives:
            return None
        signs = signs_of_life(self._call, audio.index)
        return None if signs is None else signs[0]

    def _stop_returning(self) -> None:
        if self._returning is not None:
            self._returning.cancel()
            self._returning = None

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
            if not self._gone:
                self._tell_transfer(self._refers.answered(None, 503, unsubscribed=False))

    def _start_bridge(self, target: str, token: int, headers: Mapping[str, str]) -> None:
        if not message.is_target(target):
            self._emit(TransferProgress(token, 400, final=True))
            return
        if self._bridge is not None:
            self._bridge.end()
        self._bridge_token = token
        bridge = self._bridge = Bridge(
            self._owner,
            self._around.runtime.account,
            self._sink,
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

    def _abandon(self, token: int) -> None:
        self._stop_returning()
        self._refers.abandon(token)
        if self._bridge is not None and self._bridge_token == token and not self._bridge.connected:
            self._bridge.end()
            self._bridge = None
