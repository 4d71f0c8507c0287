"""``[recognition]`` and what is below it: speech engines, and when one is left alone."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ivr.config.values import Positive, Section, Share, Whole


class EngineSection(Section):
    """A speech engine with its model."""

    engine: str = "vosk"
    """Speech engine that turns sound into words; wegwijs models shows which there are."""
    model: Annotated[str, Field(min_length=1)] | None = None
    """Name of an installed model (wegwijs models), or its folder ("/opt/nl"); the embedded Dutch
    one when absent."""
    device: Literal["auto", "cpu", "cuda"] | None = None
    """Processor that the engine computes on, where it can use a GPU; its own choice when absent."""
    threads: Annotated[Whole, Field(ge=1, le=256)] | None = None
    """Threads of the engine for one transcription, where it has such a setting; its own choice
    when absent."""


class SecondSection(EngineSection):
    """``[recognition.second]``: an engine for what the first is unsure of, and for labelling."""

    engine: str
    """Second speech engine, which hears what the first one is unsure of, and recordings again."""
    workers: Whole = Field(default=1, ge=1, le=64)
    """Threads for callers who wait; one more, of the lowest priority, transcribes recordings
    after their calls, for labelling."""
    unsure_below: Share = 0.6
    """Confidence of the first engine, 0 to 1, below which the caller waits for this one; with 0
    no caller does."""
    deadline_seconds: Positive | None = None
    """How long after the end of a turn this engine may answer; then the first one's transcript
    counts. At most that of [recognition], and as long when absent."""
    share_of_calls: Share = 1.0
    """Share of the calls, 0 to 1, whose recordings this engine transcribes afterwards."""
    most_waiting: Whole = Field(default=200, ge=1, le=100_000)
    """How many recordings may wait for that; further ones are left out."""


class BreakerSection(Section):
    """``[recognition.breaker]``: when an engine that fails is left alone."""

    failures: Whole = Field(default=5, ge=1, le=1000)
    """How many failures and missed deadlines of one engine, within the window, leave it alone:
    callers then get the keuzemenu at once, or the second engine hears them."""
    window_seconds: Positive = 30.0
    """How far back failures are counted."""
    cooldown_seconds: Positive = 15.0
    """How long the engine is left alone before one turn tries it again."""


class RecognitionSection(EngineSection):
    """``[recognition]``: speech to text."""

    workers: Whole = Field(default=2, ge=1, le=256)
    """Threads that decode speech; each takes one core when all are busy."""
    deadline_seconds: Positive = 1.0
    """How long after the end of a turn its transcript may come; then the last stable words count.
    Keep it below timers.deciding_seconds."""
    second: SecondSection | None = None
    """A second engine; none when absent."""
    breaker: BreakerSection = BreakerSection()
    """When an engine that keeps failing is left alone."""
