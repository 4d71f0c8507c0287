"""Whether anybody is still there: a leg's packets, looked at each second. Owner's thread only."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import pjsua2 as pj

from ivr.sip.media import CallAudio, signs_of_life
from ivr.sip.owner import OwnerThread, Timer
from ivr.sip.settings import SipSettings

_WATCH_SECONDS: Final = 1.0
_HELD_UP_SECONDS: Final = 2.0
"""Looks further apart than this were held up: the machine stood still, or the process did."""
_STEADY_PACKETS: Final = 25
"""In a second; half of what a peer sends who never falls silent."""


class MediaWatch:
    """Tells when a peer fell silent, and asks a silent one whether the call stands.

    Args:
        owner: Whose thread this runs on.
        settings: How long silence is allowed.
        call: The leg's call.
        audio: Its audio; None while there is none. Asked once a second.
        is_sent_away: Whether the caller may be elsewhere, after a transfer that was accepted.
        on_lost: Called once for each silence of ``settings.media_lost_seconds``.
        on_vanished: Called when the library ended the call without notice.
    """

    def __init__(
        self,
        owner: OwnerThread,
        settings: SipSettings,
        *,
        call: Any,
        audio: Callable[[], CallAudio | None],
        is_sent_away: Callable[[], bool],
        on_lost: Callable[[], None],
        on_vanished: Callable[[], None],
    ) -> None:
        self._owner = owner
        self._settings = settings
        self._call = call
        self._audio = audio
        self._is_sent_away = is_sent_away
        self._on_lost = on_lost
        self._on_vanished = on_vanished
        self._timer: Timer | None = None
        self._signs: tuple[int, int] | None = None
        self._heard_at = 0.0
        self._asked_at = 0.0
        self._looked_at = 0.0
        self._lost_told = False
        self._packets = 0
        self._was_steady = False

    @property
    def was_steady(self) -> bool:
        """Whether the peer sent 25 packets or more in the last second before it was sent away."""
        return self._was_steady

    def start(self) -> None:
        """Begin: the call is answered and its media are there."""
        self._heard_at = self._asked_at = self._looked_at = time.monotonic()
        self._timer = self._owner.call_later(_WATCH_SECONDS, self._look)

    def restart(self) -> None:
        """Count silence from now: the media changed."""
        self._heard_at = time.monotonic()

    def stop(self) -> None:
        """Look no more, and let go of the call. Idempotent."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self._call = None

    def packets(self) -> int | None:
        """RTP packets so far; None where the peer need not send any."""
        audio = self._audio()
        if audio is None or not audio.receives:
            return None
        signs = signs_of_life(self._call, audio.index)
        return None if signs is None else signs[0]

    def _look(self) -> None:
        if not self._call.isActive():
            # Whatever the library did with the call, the engine hears of its end.
            self._on_vanished()
            return
        self._timer = self._owner.call_later(_WATCH_SECONDS, self._look)
        now = time.monotonic()
        # What came while we stood still is not read yet: our silence is not the peer's.
        held_up_seconds = max(0.0, now - self._looked_at - _HELD_UP_SECONDS)
        self._heard_at = min(now, self._heard_at + held_up_seconds)
        self._looked_at = now
        audio = self._audio()
        signs = None if audio is None else signs_of_life(self._call, audio.index)
        if signs is not None and signs != self._signs:
            self._signs, self._lost_told = signs, False
            self._heard_at = self._asked_at = now
        if (self._lost_told or self._is_sent_away()) and (
            now - self._asked_at >= self._settings.ask_seconds
        ):
            self._asked_at = now
            self._ask_for_life()
        if audio is None or not audio.receives:
            self._heard_at = now
            return
        if not self._is_sent_away() and signs is not None:
            if not held_up_seconds:
                self._was_steady = signs[0] - self._packets >= _STEADY_PACKETS
            self._packets = signs[0]
        if now - self._heard_at >= self._settings.media_lost_seconds and not self._lost_told:
            self._lost_told = True
            self._on_lost()

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
