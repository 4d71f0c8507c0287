"""What all calls of a process share."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from dataclasses import dataclass

from ivr import ports
from ivr.engine.background import BackgroundPass
from ivr.engine.classification import TurnClassifier
from ivr.engine.end_rule import EndRules
from ivr.ports.observer import Observer


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Passed to every call; none of it belongs to one."""

    loop: asyncio.AbstractEventLoop
    ears: ports.Ears
    prompts: ports.Prompts
    recognition: ports.Recognition
    recognition_deadline_seconds: float
    """From the end of a turn to its result; later means the last stable partial."""
    classifier: TurnClassifier
    end_rules: EndRules
    background: BackgroundPass | None = None
    """Transcribes recordings after their calls; None without a second engine."""
    observer: Observer
    now: Callable[[], datetime.datetime]
    """Aware wall-clock time."""
