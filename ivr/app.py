"""Puts the phone service together from a configuration: the only place that names adapters."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from intent.catalogue import Catalogue, load_catalogue
from intent.errors import IntentError
from intent.registry import Registry
from ivr.audio.core import AudioCore
from ivr.audio.frames import FrameMatrix
from ivr.call.rules import CallRules
from ivr.carried import embedded_dir
from ivr.config import Config, LineSection
from ivr.contacts.privacy import CallerPrivacy, normalise_number
from ivr.contacts.store import ContactStore
from ivr.contacts.writer import ContactWriter
from ivr.engine.engine import Component, Engine
from ivr.engine.lines import Line
from ivr.engine.tools import Tools
from ivr.errors import PromptError, WegwijsError
from ivr.home import Home
from ivr.http import HttpServer, make_app
from ivr.maintenance import ClassifierOfTheDay, Retention
from ivr.metrics import ComponentMetrics, Metrics
from ivr.opening_hours import OpeningHours
from ivr.prompts.book import PromptBook
from ivr.prompts.hours import spoken_hours
from ivr.prompts.tts import EspeakNg
from ivr.recognisers import load_recognition
from ivr.sip.settings import SipSettings, Srtp, TlsFiles, Trunk

_log = structlog.get_logger("wegwijs.phone")

CLOSE_SECONDS = 10.0
"""How long the last records may take to be committed when the process ends."""
_SPARE_SLOTS = 8


class ModelUnusableError(WegwijsError):
    """The catalogue cannot be used; the message says why."""

    code = "model_unusable"


def utc_now() -> datetime.datetime:
    """The wall clock."""
    return datetime.datetime.now(datetime.UTC)


def catalogue_of(config: Config) -> Catalogue:
    """Load the catalogue, less the themas that have expired.

    Raises:
        ModelUnusableError: It cannot be used.
    """
    folder = config.catalogue.folder or embedded_dir("training_data")
    try:
        return load_catalogue(folder).valid_on(utc_now().date())
    except IntentError as error:
        raise ModelUnusableError(str(error)) from None


def model_registry(home: Home) -> Registry:
    """The classifier's versions: the home folder's, with the embedded one behind them."""
    return Registry(home.models / "intent-nl", embedded_dir("models") / "intent-nl")


def sip_settings(config: Config) -> SipSettings:
    """Translate ``[sip]``."""
    sip = config.sip
    first, _, last = sip.rtp_ports.partition("-")
    return SipSettings(
        bind_address=sip.bind_address,
        udp_port=sip.udp_port,
        tcp_port=sip.tcp_port,
        tls_port=sip.tls_port,
        tls=None if sip.tls is None else TlsFiles(**sip.tls.model_dump()),
        srtp=Srtp(sip.srtp),
        public_address=sip.public_address,
        rtp_first_port=int(first),
        rtp_last_port=int(last),
        codecs=sip.codecs,
        max_calls=config.service.max_calls,
        media_lost_seconds=sip.media_lost_seconds,
        session_timers=sip.session_timers,
        session_expires_seconds=sip.session_expires_seconds,
        name_servers=sip.name_servers,
        trust_asserted_identity=sip.trust_asserted_identity,
        trunk=None if sip.trunk is None else Trunk(**sip.trunk.model_dump()),
    )


def opening_hours(line: LineSection, key: str, path: Path | None) -> OpeningHours | None:
    """Translate ``[lines.NUMBER.hours]``; None when the line is always open.

    Raises:
        ConfigError: A value cannot be understood.
    """
    if line.hours is None:
        return None
    return OpeningHours(
        line.hours.weekly(),
        holidays=line.hours.holidays,
        timezone=line.hours.timezone,
        path=path,
        key=f"{key}.hours",
    )


def prompt_book(config: Config, catalogue: Catalogue, home: Home, hours_text: str) -> PromptBook:
    """The prompts of a line with these hours.

    Raises:
        PromptError: They cannot be prepared.
    """
    return PromptBook(
        config.prompts.recordings,
        home.cache,
        {t.slug: t.spoken for t in catalogue.themas if not t.non_thema},
        hours_text,
        EspeakNg(),
        group_names={group.slug: group.spoken for group in catalogue.groups},
        audio_days=config.contacts.audio_days,
    )


def call_rules(config: Config, catalogue: Catalogue, line: LineSection) -> CallRules:
    """The rules of one line."""
    themas = [thema for thema in catalogue.themas if not thema.non_thema]
    return CallRules(
        groups={t.slug: t.group for t in themas if t.group in config.groups},
        targets={name: group.call_targets() for name, group in config.groups.items()},
        general=config.general,
        busiest=tuple(t.slug for t in catalogue.busiest(len(themas))),
        mode=line.mode,
        barge_in=line.barge_in,
        records=line.keep_recordings,
        repeats_most=line.repeats,
        no_input_most=line.no_input_retries,
        menu_replays_most=line.menu_replays,
        retry_after_seconds=config.service.retry_after_seconds,
        timers=config.timers,
        costs=config.costs,
    )


def lines_of(
    config: Config, catalogue: Catalogue, home: Home, path: Path | None
) -> Mapping[str, Line]:
    """All lines by called number.

    Raises:
        WegwijsError: Hours or prompts cannot be used.
    """
    books: dict[str, PromptBook] = {}
    lines = {}
    for number, section in config.lines.items():
        hours = opening_hours(section, f'lines."{number}"', path)
        text = spoken_hours(section.hours.weekly()) if section.hours is not None else ""
        if text not in books:
            books[text] = prompt_book(config, catalogue, home, text)
        lines[number] = Line(
            number=number,
            rules=call_rules(config, catalogue, section),
            is_open=(lambda _: True) if hours is None else hours.is_open,
            offers_callback=section.callback,
            keeps_caller_number=section.keep_caller_number,
            keeps_recordings=section.keep_recordings,
            pauses=config.pauses,
            prompts=books[text],
        )
    return lines


def _refuse_missing_prompts(lines: Mapping[str, Line]) -> None:
    """A prompt that is not what the operator wants must not be found out by callers.

    Raises:
        PromptError: A recording cannot be used, or a prompt cannot be said at all.
    """
    books = {id(line.prompts): line.prompts for line in lines.values()}.values()
    told = [str(p) for book in books if isinstance(book, PromptBook) for p in book.check()]
    if told:
        more = len(dict.fromkeys(told)) - 1
        also = f" (and {more} more: run 'wegwijs check')" if more else ""
        raise PromptError(told[0] + also)


def is_blocked(patterns: tuple[str, ...], caller: str) -> bool:
    """Whether a rule of ``sip.blocked_callers`` holds for this number, in whatever spelling."""
    spelled = normalise_number(caller)
    for pattern in patterns:
        rule = pattern.removesuffix("*")
        alike = normalise_number(rule)
        if pattern == rule:
            if spelled == alike:
                return True
        # As written too: what starts like a short number may be the start of a long one. A bare
        # 00 would be the start of every number that is spelled in full.
        elif caller.startswith(rule) or (alike != "+" and spelled.startswith(alike)):
            return True
    return False


@dataclass(frozen=True, slots=True)
class Started:
    """Where a phone process can be reached."""

    http_port: int
    sip_ports: Mapping[str, int]


@contextlib.asynccontextmanager
async def phone(config: Config, home: Home, path: Path | None) -> AsyncIterator[Phone]:
    """Start a phone service on the running loop; stop it, whatever happens, at the end.

    Raises:
        WegwijsError: It cannot start; the message says why and what to do.
    """
    home.create()
    with home.lock(), contextlib.ExitStack() as stack:
        service = Phone(config, home, path, stack)
        try:
            await service.start()
            yield service
        finally:
            await service.stop()


class Phone:
    """One phone process. Made by :func:`phone`.

    Args:
        config: Checked.
        home: Created and locked.
        path: Of the configuration file, for messages.
        stack: Closes what was opened, in reverse.
    """

    def __init__(
        self, config: Config, home: Home, path: Path | None, stack: contextlib.ExitStack
    ) -> None:
        # Here, because a machine that only checks or classifies needs no pjsua2.
        from ivr.sip.endpoint import PjsuaTelephony

        self._config = config
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = stack
        loop = asyncio.get_running_loop()
        catalogue = catalogue_of(config)
        self._classifier = ClassifierOfTheDay(model_registry(home), catalogue)
        lines = lines_of(config, catalogue, home, path)
        _refuse_missing_prompts(lines)
        url = config.contacts.database_url or home.database_url
        store = ContactStore(url, node=config.service.node)
        stack.callback(store.close)
        recovered = store.recover(utc_now())
        if recovered:
            _log.warning("recovered_calls", count=recovered)
        self._writer = ContactWriter(store, home.spool / "records.jsonl")
        stack.callback(self._writer.close, CLOSE_SECONDS)
        recognition = load_recognition(
            config, home, path, self._classifier.current, self._writer, stack
        )
        settings = sip_settings(config)
        matrix = FrameMatrix(settings.max_legs + _SPARE_SLOTS)
        self._core = AudioCore(matrix, lambda event: self.engine.audio_event(event))
        self.registry = CollectorRegistry()
        self._telephony = PjsuaTelephony(
            settings, matrix, loop, retry_after_seconds=config.service.retry_after_seconds
        )
        tools = Tools(
            loop=loop,
            ears=self._core,
            prompts=next(book for line in lines.values() if (book := line.prompts)),
            recognition=recognition.pool,
            background=recognition.background,
            recognition_deadline_seconds=config.recognition.deadline_seconds,
            observer=Metrics(self.registry),
            now=utc_now,
        )
        self.engine = Engine(
            tools,
            lines,
            max_calls=config.service.max_calls,
            sink=self._writer,
            folder=home,
            caller=CallerPrivacy(home.secrets),
            is_blocked=lambda caller: is_blocked(config.sip.blocked_callers, caller),
            components=(
                Component(name="audio_core_dead", is_alive=self._core.is_alive),
                Component(name="telephony_dead", is_alive=self._telephony.is_alive),
            ),
        )
        self._retention = Retention(url, home, config.contacts, node=config.service.node)
        self.registry.register(
            ComponentMetrics(
                audio=self._core.counters,
                writer=self._writer.counters,
                recognition=recognition.counters,
                ready=lambda: not self.engine.not_ready(),
                ages=self._retention.ages,
            )
        )
        app = make_app(
            self.registry,
            live=self.engine.live,
            not_ready=self.engine.not_ready,
            recognisers=recognition.pool.engines,
        )
        self._http = HttpServer(
            app, address=config.service.http_address, port=config.service.http_port
        )

    async def start(self) -> None:
        """Open the ports and take calls.

        Raises:
            WegwijsError: A port cannot be used.
        """
        await self._http.start()
        self._core.start()
        self._stack.callback(self._core.stop)
        await asyncio.to_thread(self._telephony.start, self.engine.offered)
        self._stack.callback(self._telephony.stop)
        self.engine.start()
        for work in (self.engine.watch(), self._classifier.watch(), self._retention.run()):
            self._tasks.append(asyncio.create_task(work))
        _log.info("ready", **asdict(self.started))

    @property
    def started(self) -> Started:
        """Where this process listens."""
        return Started(http_port=self._http.port, sip_ports=self._telephony.ports)

    async def drain(self) -> None:
        """Refuse new calls and let those that last end, within the configured time."""
        self._telephony.options_retry_after_seconds = self._config.service.retry_after_seconds
        left = await self.engine.drain(self._config.service.drain_seconds)
        if left:
            _log.warning("drain_timeout", calls_left=left)

    async def stop(self) -> None:
        """Stop taking calls, and what looks after them."""
        await asyncio.to_thread(self._telephony.stop)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # One turn of the loop more: the last legs report that they are gone.
        await asyncio.sleep(0)
        await self._http.stop()


async def run_phone(
    config: Config,
    home: Home,
    path: Path | None,
    *,
    on_ready: Callable[[int, dict[str, int]], None] = lambda http_port, sip_ports: None,
) -> None:
    """Run until SIGTERM or SIGINT; a second signal ends without waiting for calls.

    Args:
        config: Checked.
        home: Where state is kept.
        path: Of the configuration file, for messages.
        on_ready: Told the HTTP port and the SIP port by transport once calls are taken.

    Raises:
        WegwijsError: It cannot start.
    """
    loop = asyncio.get_running_loop()
    asked, again = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (again if asked.is_set() else asked).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    async with phone(config, home, path) as service:
        on_ready(service.started.http_port, dict(service.started.sip_ports))
        await asked.wait()
        drained = asyncio.create_task(service.drain())
        impatient = asyncio.create_task(again.wait())
        await asyncio.wait({drained, impatient}, return_when=asyncio.FIRST_COMPLETED)
        for task in (drained, impatient):
            task.cancel()
    _log.info("stopped")
