"""What pjsua2 says about a call's audio. Owner's thread only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pjsua2 as pj


@dataclass(frozen=True, slots=True)
class CallAudio:
    """A call's audio with a place in the conference bridge."""

    media: Any
    """A ``pj.AudioMedia``."""
    index: int
    """Which of the call's media it is."""
    receives: bool
    """Whether the peer is to send us sound, so that its silence means something."""


def active_audio(call: Any) -> CallAudio | None:
    """The call's audio; None before it flows and while the peer holds the call."""
    # Named, because its members point into it and die with it.
    info = call.getInfo()
    for index, media in enumerate(info.media):
        if (
            media.type == pj.PJMEDIA_TYPE_AUDIO
            and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE
            and media.audioConfSlot != pj.INVALID_ID
        ):
            return CallAudio(
                call.getAudioMedia(index), index, bool(media.dir & pj.PJMEDIA_DIR_DECODING)
            )
    return None


def signs_of_life(call: Any, index: int) -> tuple[int, int]:
    """Counts that change while the peer sends anything: RTP packets and RTCP reports."""
    statistics = call.getStreamStat(index)
    return statistics.rtcp.rxStat.pkt, statistics.rtcp.txStat.updateCount
