"""Our own call to a target, its audio connected with the caller's. Owner's thread only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pjsua2 as pj
import structlog

from ivr.ports.audio import SAMPLE_RATE_HZ
from ivr.sip.media import active_audio, add_headers, destroy_call_later
from ivr.sip.owner import OwnerThread, guarded

_log = structlog.get_logger("wegwijs.sip")

# Belgian ringing tone: 425 Hz, one second in four (ITU-T E.180, supplement 2).
_RINGING_HZ: Final = 425
_RINGING_ON_MS: Final = 1000
_RINGING_OFF_MS: Final = 3000
_TONE_VOLUME: Final = 8192

# PJSIP_EINVALIDURI and PJSIP_EINVALIDREQURI (pjsip/sip_errno.h).
_UNPARSABLE: Final = frozenset({171_039, 171_042})


class _TargetCall(pj.Call):
    def __init__(self, account: Any, bridge: Bridge) -> None:
        super().__init__(account)
        self.bridge: Bridge | None = bridge

    def onCallState(self, prm: Any) -> None:
        if self.bridge is not None:
            guarded(self.bridge.on_state)

    def onCallMediaState(self, prm: Any) -> None:
        if self.bridge is not None:
            guarded(self.bridge.on_media)

    def onCallTransferRequest(self, prm: Any) -> None:
        # Only we decide where a caller goes.
        prm.statusCode = pj.PJSIP_SC_DECLINE

    def onCallReplaceRequest(self, prm: Any) -> None:
        prm.statusCode = pj.PJSIP_SC_DECLINE


class Bridge:
    """One attempt, from its INVITE to the end of the target's call.

    What the library cannot do is reported as a final status or logged: nothing is raised.

    Args:
        owner: Whose thread this runs on.
        account: The ``pj.Account`` that dials.
        caller_audio: The caller's media, asked anew when it changes; None while there is none.
        on_progress: Called with a SIP status and whether it is final. After a final 2xx comes
            ``on_hung_up``.
        on_hung_up: The connected target ended its call. Nothing is reported after :meth:`end`.
    """

    def __init__(
        self,
        owner: OwnerThread,
        account: Any,
        caller_audio: Callable[[], Any],
        *,
        on_progress: Callable[[int, bool], None],
        on_hung_up: Callable[[], None],
    ) -> None:
        self._owner = owner
        self._caller_audio = caller_audio
        self._on_progress = on_progress
        self._on_hung_up = on_hung_up
        self._call: Any = _TargetCall(account, self)
        self._tone: Any = None
        self._target_audio: Any = None
        self._connected = False
        self._ended = False

    @property
    def connected(self) -> bool:
        """Whether caller and target hear each other in an answered call."""
        return self._connected and not self._ended

    def dial(self, target: str, headers: Mapping[str, str]) -> None:
        """Call ``target``, a SIP URI; 400 is reported when it is none, 503 when we cannot dial."""
        prm = pj.CallOpParam(True)
        prm.opt.audioCount = 1
        prm.opt.videoCount = prm.opt.textCount = 0
        add_headers(prm, headers)
        try:
            self._call.makeCall(target, prm)
        except pj.Error as error:
            unparsable = error.status in _UNPARSABLE
            self._fail(400 if unparsable else 503)

    def send_digit(self, digit: str) -> None:
        """Pass the caller's key (0-9, ``*``, ``#``, A-D) on, as RFC 4733, once connected."""
        if self.connected:
            guarded(lambda: self._call.dialDtmf(digit))

    def reconnect(self) -> None:
        """Connect the caller's new media after a change."""
        caller = self._caller_audio()
        if caller is None or self._ended:
            return
        if self._tone is not None:
            guarded(lambda: self._tone.startTransmit(caller))
        if self._target_audio is not None:
            self._connect_audio(caller, self._target_audio)

    def end(self) -> None:
        """Cancel or hang up, and report nothing more. Idempotent."""
        if self._ended:
            return
        self._ended = True
        self._stop_ringing()
        self._disconnect_audio()
        call = self._call
        if call.isActive():
            guarded(lambda: call.hangup(pj.CallOpParam()))
        self._discard()

    def on_state(self) -> None:
        """The target's call changed state."""
        if self._ended:
            return
        info = self._call.getInfo()
        if info.state == pj.PJSIP_INV_STATE_EARLY:
            if self._target_audio is None:
                self._start_ringing()
            self._on_progress(info.lastStatusCode, False)
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self._stop_ringing()
            self._connected = True
            self._on_progress(200, True)
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            if self._connected:
                self._ended = True
                self._disconnect_audio()
                self._discard()
                self._on_hung_up()
            else:
                self._fail(max(info.lastStatusCode, 300))

    def on_media(self) -> None:
        """The target's audio came, changed or went."""
        if self._ended:
            return
        audio = active_audio(self._call)
        self._target_audio = None if audio is None else audio.media
        caller = self._caller_audio()
        if self._target_audio is not None and caller is not None:
            self._stop_ringing()
            self._connect_audio(caller, self._target_audio)

    def _fail(self, status: int) -> None:
        if self._ended:
            return
        self._ended = True
        self._stop_ringing()
        self._discard()
        self._on_progress(status, True)

    def _connect_audio(self, caller: Any, target: Any) -> None:
        guarded(lambda: caller.startTransmit(target))
        guarded(lambda: target.startTransmit(caller))

    def _disconnect_audio(self) -> None:
        caller, target = self._caller_audio(), self._target_audio
        self._target_audio = None
        if caller is None or target is None:
            return
        for source, sink in ((caller, target), (target, caller)):
            try:
                source.stopTransmit(sink)
            except pj.Error:
                pass  # the media went first

    def _start_ringing(self) -> None:
        caller = self._caller_audio()
        if self._tone is not None or caller is None:
            return
        tone = self._tone = pj.ToneGenerator()
        tone.createToneGenerator(SAMPLE_RATE_HZ, 1)
        desc = pj.ToneDesc()
        desc.freq1, desc.freq2 = _RINGING_HZ, 0
        desc.on_msec, desc.off_msec = _RINGING_ON_MS, _RINGING_OFF_MS
        desc.volume = _TONE_VOLUME
        tones = pj.ToneDescVector()
        tones.append(desc)
        tone.play(tones, True)
        tone.startTransmit(caller)

    def _stop_ringing(self) -> None:
        tone, self._tone = self._tone, None
        if tone is None:
            return
        guarded(tone.stop)
        self._owner.destroy_later(tone)

    def _discard(self) -> None:
        call, self._call = self._call, None
        call.bridge = None
        # Not here: this may run inside one of the call's own callbacks.
        destroy_call_later(self._owner, call)
