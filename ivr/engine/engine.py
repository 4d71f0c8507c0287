"""All calls of this process: admission, dispatch of audio events, draining.

Everything here runs on the asyncio loop's thread; :meth:`Engine.audio_event` alone may be
called from the audio thread.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from ivr import ports
from ivr.call.events import Admission
from ivr.call.rules import CallRules
from ivr.engine.call import Call
from ivr.engine.register import CallRegister
from ivr.engine.tools import Tools
from ivr.lines.line import Line, line_for

_log = structlog.get_logger("wegwijs.engine")

_WATCH_SECONDS = 1.0
_HELD_UP_SECONDS = 0.3
"""A look that comes later than it should tells of a process or machine that stood still: the
components did too, and have not had their turn yet."""
_RESCUE_SECONDS = 20.0
"""The end of a drain, in which who is still being asked something is put through to a human."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """A call as an engineer may see it: nothing that the caller said or typed."""

    call_id: str
    line: str
    state: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Something that calls depend on."""

    name: str
    is_alive: Callable[[], bool]


class CallEngine:
    """Runs the calls that telephony offers.

    Args:
        tools: Shared by all calls.
        lines: By called number; ``*`` takes every other number.
        max_calls: Callers at once; more are refused with 503.
        sink: Takes contact records.
        folder: For recordings.
        numbers: Keeps callers' numbers.
        is_blocked: Whether a caller's number is refused by a rule.
        components: Watched once a second; while one is dead, calls are refused and those that
            last go to the general group.
    """

    def __init__(
        self,
        tools: Tools,
        lines: Mapping[str, Line],
        *,
        max_calls: int,
        sink: ports.RecordSink,
        folder: ports.RecordingFolder,
        numbers: ports.CallerNumbers,
        is_blocked: Callable[[str], bool] = lambda _: False,
        components: tuple[Component, ...] = (),
    ) -> None:
        self._tools = tools
        self._lines = lines
        self._max_calls = max_calls
        self._sink = sink
        self._folder = folder
        self._numbers = numbers
        self._is_blocked = is_blocked
        self._components = components
        self._calls: dict[str, Call] = {}
        self._started: dict[str, float] = {}
        self._draining = False
        self._ready = False
        self._dead: frozenset[str] = frozenset()
        self._idle = asyncio.Event()
        self._idle.set()
        self._unknown = Line(number="unknown", rules=CallRules(groups={}, targets={}))

    # --- admission ------------------------------------------------------------------------------

    def offered(self, leg: ports.Leg) -> None:
        """Take a new call: open its record, then admit or refuse it."""
        line = line_for(self._lines, leg.line)
        call_id = secrets.token_hex(8)
        register = CallRegister(
            call_id,
            self._sink,
            self._folder,
            self._numbers,
            self._tools.now,
            keeps_number=line is not None and line.keeps_caller_number,
        )
        is_open = False
        try:
            admission = self._admission(leg, line)
            is_open = (line or self._unknown).is_open(self._tools.now())
        except Exception as error:
            # A caller who is not even refused would hear it ring for ever.
            admission = Admission.NOT_READY
            self._tools.observer.failed("admission")
            _log.error("admission_failed", call_id=call_id, error=type(error).__name__)
        line = line or self._unknown
        register.opened(
            line.number if line is self._unknown or line.number != "*" else leg.line,
            line.rules.mode.value,
            number=leg.caller,
            sip_call_id=leg.sip_call_id,
        )
        call = Call(self._tools, leg, line, register, self._gone)
        self._calls[call_id] = call
        self._started[call_id] = self._tools.loop.time()
        self._idle.clear()
        _log.info("call_offered", call_id=call_id, admission=admission.value)
        call.offer(admission, is_open=is_open)

    def _admission(self, leg: ports.Leg, line: Line | None) -> Admission:
        if self._draining:
            return Admission.DRAINING
        if line is None:
            return Admission.UNKNOWN_LINE
        if leg.caller and self._is_blocked(leg.caller):
            return Admission.BLOCKED
        if not self._ready or self._dead:
            return Admission.NOT_READY
        if self.live_calls() >= self._max_calls:
            return Admission.FULL
        if not leg.codecs_in_common:
            return Admission.NO_CODEC
        return Admission.ADMITTED

    def _gone(self, call: Call) -> None:
        self._calls.pop(call.call_id, None)
        self._started.pop(call.call_id, None)
        if not self._calls:
            self._idle.set()

    # --- audio ----------------------------------------------------------------------------------

    def audio_event(self, event: ports.AudioEvent) -> None:
        """Take an event of the audio core, on its thread."""
        try:
            loop = self._tools.loop
            loop.call_soon_threadsafe(self._audio_event, event, loop.time())
        except RuntimeError:
            # The loop is closed: the process is ending, and no call is left.
            return

    def _audio_event(self, event: ports.AudioEvent, told_at: float) -> None:
        call = next((call for call in self._calls.values() if call.slot == event.slot), None)
        if call is not None:
            call.audio_event(event, told_at)

    # --- state of the whole ---------------------------------------------------------------------

    def live_calls(self) -> int:
        """Calls whose outcome is open."""
        return sum(call.is_live for call in self._calls.values())

    def live(self) -> tuple[LiveCall, ...]:
        """The calls of this moment, oldest first."""
        now = self._tools.loop.time()
        return tuple(
            LiveCall(
                call_id=call.call_id,
                line=call.line.number,
                state=call.state.value,
                seconds=round(now - self._started[call.call_id], 3),
            )
            for call in self._calls.values()
            if call.is_live
        )

    def not_ready(self) -> tuple[str, ...]:
        """Why calls are refused now, in fixed words; empty when they are not."""
        reasons = sorted(self._dead)
        if not self._ready:
            reasons.append("starting")
        if self._draining:
            reasons.append("draining")
        if self.live_calls() >= self._max_calls:
            reasons.append("full")
        return tuple(reasons)

    def start(self) -> None:
        """Take calls from now on."""
        self._ready = True

    async def watch(self) -> None:
        """Look after the components until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _WATCH_SECONDS
            self.check_components()
            await asyncio.sleep(_WATCH_SECONDS)
            while loop.time() - due > _HELD_UP_SECONDS:
                due = loop.time() + _WATCH_SECONDS
                await asyncio.sleep(_WATCH_SECONDS)

    def check_components(self) -> None:
        """Refuse calls while a component is dead, and rescue those that last, once."""
        dead = frozenset(c.name for c in self._components if not _is_alive(c))
        fresh = dead - self._dead
        self._dead = dead
        if fresh:
            _log.error("component_dead", components=sorted(fresh))
            for name in fresh:
                self._tools.observer.failed(name)
            for call in list(self._calls.values()):
                call.component_failed()

    async def drain(self, timeout_seconds: float) -> int:
        """Refuse new calls and wait for those that last.

        Callers who are still in our questions near the end are sent to the general group.

        Returns:
            How many calls last still when the time is over.
        """
        self._draining = True
        _log.info("draining", live=self.live_calls())
        rescue_seconds = min(_RESCUE_SECONDS, timeout_seconds / 2)
        if await self._idle_within(timeout_seconds - rescue_seconds):
            return 0
        for call in list(self._calls.values()):
            call.component_failed()
        return 0 if await self._idle_within(rescue_seconds) else len(self._calls)

    async def _idle_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return False
        return True


def _is_alive(component: Component) -> bool:
    """What cannot say whether it lives is dead; the others are looked after all the same."""
    try:
        return component.is_alive()
    except Exception:
        return False
