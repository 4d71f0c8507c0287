"""What goes the same way with every pjsua2 call: audio, headers, end. Owner's thread only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pjsua2 as pj

from ivr.sip.message import safe_headers
from ivr.sip.owner import OwnerThread


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
    """The call's audio; None before it flows and while the peer holds the call.

    Raises:
        pj.Error: The call is gone.
    """
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


def signs_of_life(call: Any, index: int) -> tuple[int, int] | None:
    """Counts that change while the peer sends anything.

    Args:
        call: A ``pj.Call``.
        index: Which of its media.

    Returns:
        RTP packets and RTCP reports so far; None while the stream is being exchanged for another.
    """
    try:
        statistics = call.getStreamStat(index)
    except pj.Error:
        return None
    return statistics.rtcp.rxStat.pkt, statistics.rtcp.txStat.updateCount


def destroy_call_later(owner: OwnerThread, call: Any) -> None:
    """Destroy the object of an ended call, once its number is nobody else's.

    The library gives numbers out again at once, and the destructor would take the new call
    its object away and hang it up (pjproject 2.17, ``Call::~Call``).
    """
    number = call.getId()
    owner.destroy_later(call, lambda: number < 0 or pj.Call.lookup(number) is None)


def add_headers(prm: Any, headers: Mapping[str, str]) -> None:
    """Add headers to a ``pj.CallOpParam``; see :func:`ivr.sip.message.safe_headers`."""
    for name, value in safe_headers(headers).items():
        field = pj.SipHeader()
        field.hName, field.hValue = name, value
        prm.txOption.headers.append(field)
