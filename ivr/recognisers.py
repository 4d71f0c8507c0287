"""Loads the speech engines that the configuration names, and joins them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asr.engines import load_engine
from asr.errors import AsrError
from asr.recogniser import Engine as SpeechEngine
from intent.classifier import Classifier
from ivr.config import Config
from ivr.engine.background import BackgroundPass
from ivr.engine.breaker import BreakerRules
from ivr.engine.guarded import GuardedEngine, Place
from ivr.engine.passes import Reading
from ivr.engine.recognition import RecognitionCounters, RecognitionPool
from ivr.engine.register import Recorded, RecordSink, other_reading
from ivr.engine.second import SecondPass, SecondRules
from ivr.errors import WegwijsError


class RecogniserUnusableError(WegwijsError):
    """A speech engine or its model cannot be used; the message says which and why."""

    code = "recogniser_unusable"


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


def load_recogniser(key: str, engine: str, model: Path | None) -> SpeechEngine:
    """Load one engine.

    Args:
        key: Of the configuration, for the message.
        engine: Its name.
        model: Folder of the model; None for the embedded one.

    Raises:
        RecogniserUnusableError: It cannot be used.
    """
    try:
        return load_engine(engine, model)
    except AsrError as error:
        raise RecogniserUnusableError(f"{key}: {error}") from None


def load_recognition(
    config: Config,
    classifier: Callable[[], Classifier],
    sink: RecordSink,
    stack: contextlib.ExitStack,
) -> Recognition:
    """Load what ``[recognition]`` names.

    Args:
        config: Checked.
        classifier: Of the moment.
        sink: Takes what the second engine hears after a call.
        stack: Stops and closes what is made here.

    Raises:
        RecogniserUnusableError: An engine or a model cannot be used.
    """
    section = config.recognition
    breaker = BreakerRules(**section.breaker.model_dump())
    first = load_recogniser("recognition", section.engine, section.model)
    stack.callback(first.close)
    second = None
    if section.second is not None:
        other = load_recogniser("recognition.second", section.second.engine, section.second.model)
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
