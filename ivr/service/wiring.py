"""Joins the adapters of a phone service: who is given what. The only place that names them all."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from ivr.audio.core import AudioCore
from ivr.audio.frames import FrameMatrix
from ivr.config.schema import Config
from ivr.contacts.privacy import CallerPrivacy
from ivr.contacts.writer import ContactWriter
from ivr.engine.classification import TurnClassifier
from ivr.engine.end_rule import pause_by_certainty
from ivr.engine.engine import CallEngine, Component
from ivr.engine.tools import Tools
from ivr.files.home import Home
from ivr.learning.model_versions import model_registry
from ivr.lines.blocked import is_blocked
from ivr.lines.rules import lines_of
from ivr.monitoring.metrics import ComponentMetrics, Metrics
from ivr.monitoring.status_port import StatusPort, make_app
from ivr.service.hourly_retention import HourlyRetention
from ivr.service.model_in_use import ModelInUse
from ivr.service.recognisers import load_recognition
from ivr.service.settings import catalogue_of, prompt_book, refuse_missing_prompts, sip_settings
from ivr.sip.endpoint import PjsuaTelephony

_SPARE_SLOTS = 8


def utc_now() -> datetime.datetime:
    """The wall clock."""
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a phone process starts, watches and stops."""

    engine: CallEngine
    audio: AudioCore
    telephony: PjsuaTelephony
    status_port: StatusPort
    model: ModelInUse
    retention: HourlyRetention


def register_url(config: Config, home: Home) -> str:
    """SQLAlchemy URL of the contact register."""
    return config.contacts.database_url or home.database_url


def join(
    config: Config,
    home: Home,
    path: Path | None,
    writer: ContactWriter,
    stack: contextlib.ExitStack,
) -> Parts:
    """Make the parts and tie them together; nothing runs and no port is open yet.

    Args:
        config: Checked.
        home: Created and locked.
        path: Of the configuration file, for messages.
        writer: Of the contact register.
        stack: Closes what was opened, in reverse.

    Raises:
        WegwijsError: Something that the configuration names cannot be used.
    """
    loop = asyncio.get_running_loop()
    catalogue = catalogue_of(config)
    model = ModelInUse(model_registry(home), catalogue)
    lines = lines_of(
        config, catalogue, path, lambda hours: prompt_book(config, catalogue, home, hours)
    )
    refuse_missing_prompts(lines.values())
    recognition = load_recognition(config, home, path, writer, stack)
    settings = sip_settings(config)
    matrix = FrameMatrix(settings.max_legs + _SPARE_SLOTS)
    audio = AudioCore(matrix, lambda event: engine.audio_event(event))
    telephony = PjsuaTelephony(
        settings, matrix, loop, retry_after_seconds=config.service.retry_after_seconds
    )
    registry = CollectorRegistry()
    tools = Tools(
        loop=loop,
        ears=audio,
        prompts=next(book for line in lines.values() if (book := line.prompts)),
        recognition=recognition.engines.recognition,
        background=recognition.background,
        recognition_deadline_seconds=config.recognition.deadline_seconds,
        classifier=TurnClassifier(model.current),
        end_rules=pause_by_certainty,
        observer=Metrics(registry),
        now=utc_now,
    )
    engine = CallEngine(
        tools,
        lines,
        max_calls=config.service.max_calls,
        sink=writer,
        folder=home,
        numbers=CallerPrivacy(home.secrets),
        is_blocked=lambda caller: is_blocked(config.sip.blocked_callers, caller),
        components=(
            Component(name="audio_core_dead", is_alive=audio.is_alive),
            Component(name="telephony_dead", is_alive=telephony.is_alive),
        ),
    )
    retention = HourlyRetention(
        register_url(config, home), home, config.contacts, node=config.service.node
    )
    registry.register(
        ComponentMetrics(
            audio=audio.counters,
            writer=writer.counters,
            recognition=recognition.counters,
            ready=lambda: not engine.not_ready(),
            ages=retention.ages,
        )
    )
    app = make_app(
        registry,
        live=engine.live,
        not_ready=engine.not_ready,
        recognisers=recognition.engines.engines,
    )
    return Parts(
        engine=engine,
        audio=audio,
        telephony=telephony,
        status_port=StatusPort(
            app, address=config.service.http_address, port=config.service.http_port
        ),
        model=model,
        retention=retention,
    )
