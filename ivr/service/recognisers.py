"""Loads the speech engines that the configuration names, and joins them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from intent.classifier import Classifier
from ivr.config.schema import Config
from ivr.engine.background import BackgroundPass
from ivr.engine.breaker import BreakerRules
from ivr.engine.guarded import GuardedEngine, Place
from ivr.engine.passes import Reading
from ivr.engine.recognition import RecognitionCounters, RecognitionPool
from ivr.engine.register import Recorded, other_reading
from ivr.engine.second import SecondPass, SecondRules
from ivr.files.home import Home
from ivr.ports import RecordSink
from ivr.service.speech_engines import load_recogniser


@dataclass(frozen=True, slots=True)
class Recognition:
    """The engines of a phone process, loaded."""

    pool: RecognitionPool
    background: BackgroundPass | None
    """None without a second engine, or where it hears no recordings."""

    def counters(self) -> RecognitionCounters:
        """For ``/metrics``; any thread."""
        second, background = self.pool.second, self.background
        return RecognitionCounters(
            waiting=self.pool.waiting(),
            background_waiting=0 if background is None else background.waiting(),
            engines=self.pool.engines(),
            second_passes={} if second is None else second.results(),
            background_passes={} if background is None else background.results(),
        )


def load_recognition(
    config: Config,
    home: Home,
    path: Path | None,
    classifier: Callable[[], Classifier],
    sink: RecordSink,
    stack: contextlib.ExitStack,
) -> Recognition:
    """Load what ``[recognition]`` names.

    Args:
        config: Checked.
        home: Has the installed models.
        path: Of the configuration file, for messages.
        classifier: Of the moment.
        sink: Takes what the second engine hears after a call.
        stack: Stops and closes what is made here.

    Raises:
        ConfigError: An engine or a model cannot be used.
    """
    section = config.recognition
    breaker = BreakerRules(**section.breaker.model_dump())
    first = load_recogniser(section, home, path)
    stack.callback(first.close)
    second = None
    if section.second is not None:
        other = load_recogniser(section.second, home, path)
        stack.callback(other.close)
        second = SecondPass(
            GuardedEngine(other, Place.SECOND, breaker),
            SecondRules(
                unsure_below=section.second.unsure_below,
                deadline_seconds=section.second.deadline_seconds,
            ),
            workers=section.second.workers,
        )
    pool = RecognitionPool(
        first, classifier, workers=section.workers, breaker=breaker, second=second
    )
    stack.callback(pool.stop)
    background = None
    if second is not None and section.second is not None and section.second.share_of_calls > 0.0:

        def heard(recorded: Recorded, reading: Reading) -> None:
            sink.submit(other_reading(recorded.call_id, recorded.number, recorded.at, reading))

        background = BackgroundPass(
            second,
            heard,
            share_of_calls=section.second.share_of_calls,
            most_waiting=section.second.most_waiting,
            is_quiet=pool.is_quiet,
        )
        stack.callback(background.stop)
    return Recognition(pool, background)
