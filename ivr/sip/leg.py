"""One incoming call: the engine's commands in, events out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import pjsua2 as pj
import structlog

from ivr.ports import (
    DigitPressed,
    HungUp,
    MediaLost,
    MediaReady,
    PlayFinished,
    PlayStarted,
    TransferMethod,
)
from ivr.sip import message
from ivr.sip.audio_port import FrameMatrix, FramePort, FrameSlot
from ivr.sip.caller_call import CallerCall
from ivr.sip.leg_base import LegBase
from ivr.sip.media import CallAudio, active_audio, add_headers, destroy_call_later
from ivr.sip.media_watch import MediaWatch
from ivr.sip.owner import OwnerThread, destroy, guarded
from ivr.sip.playback import Playback
from ivr.sip.runtime import Runtime
from ivr.sip.transfers import Transfers

_log = structlog.get_logger("wegwijs.sip")

LEAD_IN_SECONDS: Final = 0.2
"""Silence before a leg's first prompt: the peer's jitter buffer and NAT settle meanwhile."""
_REFUSED_BY_LIBRARY: Final = frozenset({488, 500, 606})
"""Where the sound cannot be set up when we answer; 487 and 408 are the caller's doing."""
_DTMF_UPDATE: Final = 1  # PJMEDIA_STREAM_DTMF_IS_UPDATE (pjmedia/stream.h)


class PjsuaLeg(LegBase):
    """Implements :class:`ivr.ports.Leg`.

    Public methods without ``on_`` are the engine's commands: they queue and return. The others
    run on the owner's thread.

    Args:
        invitation: What the INVITE says.
        number: pjsua's number of the call.
        owner: Whose thread this runs on.
        runtime: For its account, settings and helpers.
        matrix: Where received frames go.
        loop: Whose thread calls the listener.
        on_gone: Called once, on the owner's thread, when the call ended and its slot is free.
    """

    def __init__(
        self,
        invitation: message.Invitation,
        number: int,
        *,
        owner: OwnerThread,
        runtime: Runtime,
        matrix: FrameMatrix,
        loop: asyncio.AbstractEventLoop,
        on_gone: Callable[[PjsuaLeg], None],
    ) -> None:
        ours = runtime.settings.codecs
        super().__init__(
            invitation,
            loop,
            codecs_in_common=message.have_codec_in_common(invitation.codecs, ours),
        )
        self._owner = owner
        self._runtime = runtime
        self._matrix = matrix
        self._on_gone = on_gone
        self._number = number
        identity = invitation.asserted_identity
        self._identity = {"P-Asserted-Identity": identity} if identity else {}
        self._call: Any = CallerCall(runtime.account, number, self)
        self._audio: CallAudio | None = None
        self._slot: FrameSlot | None = None
        self._port: FramePort | None = None
        self._accepted = False
        self._confirmed = False
        self._ready_at: float | None = None
        self._ended_by_us = False
        self._ending_status = 0
        self._playback: Playback | None = None
        self._last_key: tuple[str, int] | None = None
        self._watch = MediaWatch(
            owner,
            runtime.settings,
            call=self._call,
            audio=lambda: self._audio,
            is_sent_away=lambda: self._transfers.is_doubtful(),
            on_lost=lambda: self._emit(MediaLost()),
            on_vanished=self._vanished,
        )
        self._transfers = Transfers(
            owner,
            runtime,
            number,
            call=self._call,
            caller_audio=self._sink,
            watch=self._watch,
            emit=self._emit,
            on_left=lambda: self._end(0, {}, by_us=False),
        )

    # The engine's commands.

    def answer(self) -> None:
        """See :class:`ivr.ports.Leg`."""
        self._command(self._accept)

    def refuse(self, status: int, *, retry_after_seconds: int | None = None) -> None:
        """See :class:`ivr.ports.Leg`."""
        headers = {} if retry_after_seconds is None else {"Retry-After": str(retry_after_seconds)}
        self._command(partial(self._end, status, headers))

    def play(self, wavs: Sequence[Path], *, token: int) -> None:
        """See :class:`ivr.ports.Leg`."""
        self._command(partial(self._play, tuple(wavs), token))

    def stop_playing(self) -> None:
        """See :class:`ivr.ports.Leg`."""
        self._command(self._stop_playing)

    def transfer(
        self, target: str, *, method: TransferMethod, token: int, headers: Mapping[str, str]
    ) -> None:
        """See :class:`ivr.ports.Leg`."""
        told = dict(headers)
        if method is TransferMethod.BRIDGE:
            # With a REFER the peer calls, and asserts itself who the caller is.
            told |= self._identity
        self._command(partial(self._transfers.start, target, method, token, told))

    def abandon_transfer(self, token: int) -> None:
        """See :class:`ivr.ports.Leg`.

        A caller who reaches the target of a forgotten REFER after all is still reported.
        """
        self._command(partial(self._transfers.abandon, token))

    def hang_up(self) -> None:
        """See :class:`ivr.ports.Leg`."""
        self._command(self.end_now)

    def _command(self, action: Callable[[], None]) -> None:
        self._owner.submit(lambda: None if self._gone else action())

    # On the owner's thread: the call's life.

    def _accept(self) -> None:
        if self._accepted:
            return
        self._accepted = True
        prm = pj.CallOpParam(True)
        prm.opt.audioCount = 1
        prm.opt.videoCount = prm.opt.textCount = 0
        prm.statusCode = pj.PJSIP_SC_OK
        try:
            self._call.answer(prm)
        except pj.Error as error:
            if self._gone:
                return
            _log.warning("answer_unsent", leg=self._number, pjsip_error=error.status)
            retry_after = str(self._runtime.retry_after_seconds)
            self._end(pj.PJSIP_SC_SERVICE_UNAVAILABLE, {"Retry-After": retry_after})

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
            if not self._confirmed and info.lastStatusCode in _REFUSED_BY_LIBRARY:
                self._ended_by_us = True
            self._clean_up(self._ending_status or info.lastStatusCode or pj.PJSIP_SC_OK)

    def _clean_up(self, status: int) -> None:
        if self._gone:
            return
        self._transfers.end()
        self._watch.stop()
        if self._playback is not None:
            guarded(self._playback.stop)
        self._audio = self._playback = None
        port, self._port = self._port, None
        if port is not None:
            # Waits for a frame that is being copied; after this the slot is nobody's.
            destroy(port)
        slot, self._slot = self._slot, None
        if slot is not None:
            self._matrix.release(slot)
        call, self._call = self._call, None
        call.listener = None
        # Not here: this may run inside one of the call's own callbacks.
        destroy_call_later(self._owner, call)
        self._emit(HungUp(status, self._ended_by_us))
        self._on_gone(self)

    # On the owner's thread: media.

    def on_media(self) -> None:
        """The call's audio came, changed or went."""
        if self._gone:
            return
        self._audio = active_audio(self._call)
        self._watch.restart()
        if self._audio is None:
            return
        if self._slot is None and not self._claim_slot():
            return
        media = self._audio.media
        guarded(lambda: media.startTransmit(self._port))
        # Something is always sent, so that no peer takes a listening service for a dead one.
        guarded(lambda: self._runtime.silence.startTransmit(media))
        if self._playback is not None:
            self._playback.reconnect()
        self._transfers.reconnect()
        self._tell_ready()

    def _claim_slot(self) -> bool:
        slot = self._matrix.claim()
        if slot is None:
            _log.error("no_frame_slot_free", leg=self._number)
            self._end(pj.PJSIP_SC_SERVICE_UNAVAILABLE, {})
            return False
        self._slot = slot
        self._port = FramePort(slot)
        return True

    def _tell_ready(self) -> None:
        # Before the caller's ACK nothing that is played is sure to be heard.
        if self._ready_at is None and self._confirmed and self._slot is not None:
            self._ready_at = time.monotonic()
            self._watch.start()
            self._emit(MediaReady(self._slot.index))

    def _vanished(self) -> None:
        _log.error("leg_lost", leg=self._number)
        self._clean_up(pj.PJSIP_SC_REQUEST_TIMEOUT)

    def _sink(self) -> Any:
        return None if self._audio is None else self._audio.media

    def _play(self, wavs: tuple[Path, ...], token: int) -> None:
        self._stop_playing()
        if self._slot is None or self._ready_at is None:
            _log.warning("played_before_media", leg=self._number)
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

    def on_key(self, digit: str, timestamp: int, flags: int) -> None:
        """A telephone event, possibly one of many packets about the same key.

        Args:
            digit: The key; personal data.
            timestamp: RTP time of the key's beginning, 8000 a second.
            flags: ``PJMEDIA_STREAM_DTMF_IS_UPDATE`` (1) and ``..._IS_END`` (2).
        """
        # Packets out of order look like a new key to the library, but carry the same time.
        if flags & _DTMF_UPDATE or self._last_key == (digit, timestamp):
            return
        self._last_key = (digit, timestamp)
        self._press(digit)

    def _press(self, digit: str) -> None:
        self._transfers.send_digit(digit)
        self._emit(DigitPressed(digit))

    def on_transaction(self, state: Any) -> None:
        """A request inside the dialog, ours or the peer's, changed state."""
        transaction = state.tsx
        method = transaction.method
        if method == "REFER" and transaction.role == pj.PJSIP_ROLE_UAC:
            self._transfers.on_refer(state)
        elif transaction.role == pj.PJSIP_ROLE_UAS and (
            transaction.state == pj.PJSIP_TSX_STATE_TRYING and state.type == pj.PJSIP_EVENT_RX_MSG
        ):
            received = state.src.rdata
            if method == "NOTIFY":
                notice = message.read_transfer_notice(received.wholeMsg)
                if notice is not None:
                    self._transfers.on_notice(notice)
            elif method == "INFO" and (
                (digit := message.info_digit(received.wholeMsg)) is not None
            ):
                # What is answered here the library does not look at: it knows fewer keys.
                self._runtime.helpers.answer(received.pjRxData, transaction.pjTransaction, 200)
                if digit:
                    self._press(digit)
            elif message.asks_for_life(method, received.wholeMsg):
                self._runtime.helpers.answer(received.pjRxData, transaction.pjTransaction, 200)
