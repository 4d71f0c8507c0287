"""What a telephony's legs stand in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ivr.sip.audio_port import FrameMatrix
from ivr.sip.owner import OwnerThread
from ivr.sip.runtime import Runtime

if TYPE_CHECKING:
    from ivr.sip.leg import PjsuaLeg


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every leg of a telephony shares."""

    owner: OwnerThread
    runtime: Runtime
    matrix: FrameMatrix
    loop: asyncio.AbstractEventLoop
    on_gone: Callable[[PjsuaLeg], None]
