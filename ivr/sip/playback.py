"""Prompts into a leg. Owner's thread only."""

from __future__ import annotations

import math
import time
import wave
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pjsua2 as pj
import structlog

from ivr.ports.audio import SAMPLE_RATE_HZ
from ivr.sip.audio_port import FrameSlot
from ivr.sip.owner import OwnerThread, Timer, destroy, guarded

_log = structlog.get_logger("wegwijs.sip")

FRAME_SECONDS: Final = 0.02
_FRAME_SAMPLES: Final = 160
_CHECK_SECONDS: Final = 0.004
_PATIENCE_SECONDS: Final = 1.0
"""A prompt is over at the latest so long after its length: the clock may have stood still."""


@lru_cache(maxsize=1024)
def _frames_of(path: str, _modified: int) -> int:
    with wave.open(path, "rb") as wav:
        form = (wav.getframerate(), wav.getnchannels(), wav.getsampwidth())
        if form != (SAMPLE_RATE_HZ, 1, 2):
            raise ValueError("not 8 kHz mono 16-bit")
        return math.ceil(wav.getnframes() / _FRAME_SAMPLES)


def playable_frames(path: Path) -> int | None:
    """Length of a WAV in frames of 20 ms; None, with a log entry, when it cannot be played."""
    try:
        return _frames_of(str(path), path.stat().st_mtime_ns) or None
    except (OSError, ValueError, EOFError, wave.Error) as error:
        # A prompt's path is ours: it holds nothing of a caller.
        _log.error(
            "prompt_unreadable",
            file=str(path),
            error=type(error).__name__,
            remedy="replace it by an 8 kHz mono 16-bit WAV",
        )
        return None


class Playback:
    """Some WAV files in a row into one sink, timed by the slot's count.

    The count of received frames and the frames played advance in the same tick of the bridge's
    clock, so the end is known without a callback from the media thread.

    Args:
        wavs: Files that cannot be played are skipped.
        sink: Where the audio goes; asked anew when the call's media changes.
        on_started: Called with the slot's time in seconds when the first sample is about to go out.
        on_finished: Called after the last one. Neither is called after :meth:`stop`.
    """

    def __init__(
        self,
        owner: OwnerThread,
        slot: FrameSlot,
        wavs: Sequence[Path],
        sink: Callable[[], Any],
        *,
        on_started: Callable[[float], None],
        on_finished: Callable[[], None],
    ) -> None:
        self._owner = owner
        self._slot = slot
        self._sink = sink
        self._on_started = on_started
        self._on_finished = on_finished
        lengths = [(wav, playable_frames(wav)) for wav in wavs]
        self._waiting = [(wav, frames) for wav, frames in lengths if frames is not None]
        self._player: Any = None
        self._timer: Timer | None = None
        self._until = 0
        self._deadline = 0.0

    def start(self, delay_seconds: float) -> None:
        """Begin after ``delay_seconds``."""
        if delay_seconds > 0:
            self._timer = self._owner.call_later(delay_seconds, self._begin)
        else:
            self._begin()

    def reconnect(self) -> None:
        """Feed the call's new media after a change."""
        if self._player is not None:
            self._connect()

    def stop(self) -> None:
        """Fall silent and report nothing more. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()
        self._retire()

    def _begin(self) -> None:
        self._on_started(self._slot.count * FRAME_SECONDS)
        self._next()

    def _next(self) -> None:
        self._retire()
        while self._waiting:
            wav, frames = self._waiting.pop(0)
            player = pj.AudioMediaPlayer()
            try:
                player.createPlayer(str(wav), pj.PJMEDIA_FILE_NO_LOOP)
            except pj.Error as error:
                _log.error("prompt_unplayable", file=str(wav), pjsip_error=error.status)
                destroy(player)
                continue
            self._player = player
            # The connection is made in the tick after this one.
            self._until = self._slot.count + frames + 1
            seconds = frames * FRAME_SECONDS
            self._deadline = time.monotonic() + seconds + _PATIENCE_SECONDS
            self._connect()
            self._timer = self._owner.call_later(seconds, self._check)
            return
        self._on_finished()

    def _connect(self) -> None:
        sink = self._sink()
        if sink is not None:
            guarded(lambda: self._player.startTransmit(sink))

    def _check(self) -> None:
        if self._slot.count < self._until and time.monotonic() < self._deadline:
            self._timer = self._owner.call_later(_CHECK_SECONDS, self._check)
        else:
            self._next()

    def _retire(self) -> None:
        player, self._player = self._player, None
        if player is None:
            return
        sink = self._sink()
        if sink is not None:
            # Fails when the call's media went first: then it is disconnected already.
            try:
                player.stopTransmit(sink)
            except pj.Error:
                pass
        self._owner.destroy_later(player)
