"""One phone process: how it starts, recovers what an earlier one left, drains and stops."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from ivr.config.schema import Config
from ivr.contacts.store import ContactStore
from ivr.contacts.writer import ContactWriter
from ivr.files.home import Home
from ivr.service.wiring import join, register_url, utc_now

_log = structlog.get_logger("wegwijs.service")

CLOSE_SECONDS = 10.0
"""How long the last records may take to be committed when the process ends."""


@dataclass(frozen=True, slots=True)
class Started:
    """Where a phone process can be reached."""

    http_port: int
    sip_ports: Mapping[str, int]


@contextlib.asynccontextmanager
async def phone(config: Config, home: Home, path: Path | None) -> AsyncIterator[Phone]:
    """Start a phone service on the running loop; stop it, whatever happens, at the end.

    Args:
        config: Checked.
        home: Where state is kept; created and locked here.
        path: Of the configuration file, for messages.

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
        self._config = config
        self._stack = stack
        self._tasks: list[asyncio.Task[None]] = []
        self._parts = join(config, home, path, _open_register(config, home, stack), stack)

    async def start(self) -> None:
        """Open the ports and take calls.

        Raises:
            WegwijsError: A port cannot be used.
        """
        parts = self._parts
        await parts.status_port.start()
        parts.audio.start()
        self._stack.callback(parts.audio.stop)
        await asyncio.to_thread(parts.telephony.start, parts.engine.offered)
        self._stack.callback(parts.telephony.stop)
        parts.engine.start()
        for work in (parts.engine.watch(), parts.model.watch(), parts.retention.run()):
            self._tasks.append(asyncio.create_task(work))
        _log.info(
            "ready",
            http_port=parts.status_port.port,
            sip_ports=dict(parts.telephony.ports),
        )

    @property
    def started(self) -> Started:
        """Where this process listens."""
        return Started(self._parts.status_port.port, self._parts.telephony.ports)

    async def drain(self) -> None:
        """Refuse new calls and let those that last end, within ``service.drain_seconds``."""
        retry_after = self._config.service.retry_after_seconds
        self._parts.telephony.options_retry_after_seconds = retry_after
        left = await self._parts.engine.drain(self._config.service.drain_seconds)
        if left:
            _log.warning("drain_timeout", calls_left=left)

    async def stop(self) -> None:
        """Stop taking calls, and what looks after them."""
        await asyncio.to_thread(self._parts.telephony.stop)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # One turn of the loop more: the last legs report that they are gone.
        await asyncio.sleep(0)
        await self._parts.status_port.stop()


def _open_register(config: Config, home: Home, stack: contextlib.ExitStack) -> ContactWriter:
    """Open the contact register, migrate it, and close the calls that an earlier process left.

    Raises:
        ContactStoreError: It cannot be used.
    """
    store = ContactStore(register_url(config, home), node=config.service.node)
    stack.callback(store.close)
    recovered = store.recover(utc_now())
    if recovered:
        _log.warning("recovered_calls", count=recovered)
    writer = ContactWriter(store, home.spool / "records.jsonl")
    stack.callback(writer.close, CLOSE_SECONDS)
    return writer


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
        second_signal = asyncio.create_task(again.wait())
        await asyncio.wait({drained, second_signal}, return_when=asyncio.FIRST_COMPLETED)
        for task in (drained, second_signal):
            task.cancel()
    _log.info("stopped")
