"""Loads the speech engines that the configuration names, and joins them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from asr.recogniser import SpeechEngine
from ivr.config.schema import Config
from ivr.engine.background import BackgroundPass
from ivr.engine.breaker import BreakerRules
from ivr.engine.recognition import JoinedRecognition, RecognitionCounters, SecondEngine
from ivr.engine.register import Recorded, other_reading
from ivr.engine.second_opinion import SecondRules
from ivr.files.home import Home
from ivr.ports import EngineReading, RecordSink
from ivr.service.speech_engines import load_recogniser


@dataclass(frozen=True, slots=True)
class LoadedRecognition:
    """The engines of a phone process, loaded."""

    engines: JoinedRecognition
    background: BackgroundPass | None
    """None without a second engine, or where it hears no recordings."""

    def counters(self) -> RecognitionCounters:
        """For ``/metrics``; any thread."""
        engines, background = self.engines, self.background
        return RecognitionCounters(
            waiting=engines.waiting(),
            background_waiting=0 if background is None else background.waiting(),
            engines=engines.engines(),
            second_passes=engines.second_passes(),
            background_passes={} if background is None else background.results(),
        )


def load_recognition(
    config: Config, home: Home, path: Path | None, sink: RecordSink, stack: contextlib.ExitStack
) -> LoadedRecognition:
    """Load what ``[recognition]`` names.

    Args:
        config: Checked.
        home: Has the installed models.
        path: Of the configuration file, for messages.
        sink: Takes what the second engine hears after a call.
        stack: Stops and closes what is made here.

    Raises:
        ConfigError: An engine or a model cannot be used.
    """
    section = config.recognition
    first = load_recogniser(section, home, path)
    stack.callback(first.close)
    other: SpeechEngine | None = None
    second: SecondEngine | None = None
    if section.second is not None:
        other = load_recogniser(section.second, home, path)
        stack.callback(other.close)
        rules = SecondRules(
            unsure_below=section.second.unsure_below,
            deadline_seconds=section.second.deadline_seconds,
        )
        second = SecondEngine(engine=other, rules=rules, workers=section.second.workers)
    engines = JoinedRecognition(
        first,
        workers=section.workers,
        breaker=BreakerRules(**section.breaker.model_dump()),
        second=second,
    )
    stack.callback(engines.stop)
    background = None
    if other is not None and section.second is not None and section.second.share_of_calls > 0.0:

        def heard(recorded: Recorded, reading: EngineReading) -> None:
            sink.submit(other_reading(recorded.call_id, recorded.number, recorded.at, reading))

        background = BackgroundPass(
            other,
            engines.second_guard,
            heard,
            share_of_calls=section.second.share_of_calls,
            most_waiting=section.second.most_waiting,
            is_quiet=engines.is_quiet,
        )
        stack.callback(background.stop)
    return LoadedRecognition(engines, background)
