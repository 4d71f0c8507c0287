"""Stand-ins for what a test does not want to wait for. Scripted, without threads.

The contract suite in tests/sip runs on these and on the real thing alike.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from ivr.ports import (
    HungUp,
    Leg,
    LegEvent,
    MediaReady,
    PlayFinished,
    PlayStarted,
    TransferMethod,
    TransferProgress,
)
from ivr.sip.message import is_target

Outcome = tuple[tuple[int, bool], ...]
"""The ``(status, final)`` that a transfer reports, in order."""

REFER_REACHES: Outcome = ((202, False), (100, False), (200, True))
BRIDGE_REACHES: Outcome = ((180, False), (200, True))


@dataclass(frozen=True, slots=True)
class Command:
    """Something the engine asked of a leg."""

    name: str
    """The method's name."""
    arguments: Mapping[str, object] = field(default_factory=dict)


class FakeLeg:
    """A leg that remembers its commands and answers them as a healthy peer would.

    Attributes:
        commands: Everything the engine asked, oldest first.
        answers: Whether commands have their usual events as a consequence; when False only
            :meth:`emit` makes events.
        finishes_playing: Whether a prompt ends by itself, at once.
    """

    def __init__(
        self,
        telephony: FakeTelephony,
        *,
        line: str,
        caller: str,
        sip_call_id: str,
        codecs_in_common: bool,
        slot: int,
    ) -> None:
        self.line = line
        self.caller = caller
        self.sip_call_id = sip_call_id
        self.codecs_in_common = codecs_in_common
        self.listener: Callable[[LegEvent], None] = lambda event: None
        self.commands: list[Command] = []
        self.answers = True
        self.finishes_playing = True
        self.slot = slot
        self._telephony = telephony
        self._answered = False
        self._playing: int | None = None
        self._open_transfer: int | None = None
        self.gone = False

    def names(self) -> list[str]:
        """The names of the commands so far."""
        return [command.name for command in self.commands]

    def emit(self, event: LegEvent) -> None:
        """Send ``event``; after HungUp nothing is sent any more."""
        if self.gone:
            return
        self.gone = isinstance(event, HungUp)
        self._telephony.post(self, event)

    def answer(self) -> None:
        """See :class:`ivr.ports.Leg`."""
        if self._note("answer") and not self._answered:
            self._answered = True
            self.emit(MediaReady(self.slot))

    def refuse(self, status: int, *, retry_after_seconds: int | None = None) -> None:
        """See :class:`ivr.ports.Leg`."""
        if self._note("refuse", status=status, retry_after_seconds=retry_after_seconds):
            self.emit(HungUp(status, by_us=True))

    def play(self, wavs: Sequence[Path], *, token: int) -> None:
        """See :class:`ivr.ports.Leg`."""
        if not self._note("play", wavs=tuple(wavs), token=token) or not self._answered:
            return
        self._playing = token
        self.emit(PlayStarted(token, 0.0))
        if self.finishes_playing:
            self.finish_playing()

    def finish_playing(self) -> None:
        """Let the prompt that is playing come to its end."""
        token, self._playing = self._playing, None
        if token is not None:
            self.emit(PlayFinished(token))

    def stop_playing(self) -> None:
        """See :class:`ivr.ports.Leg`."""
        if self._note("stop_playing"):
            self._playing = None

    def transfer(
        self, target: str, *, method: TransferMethod, token: int, headers: Mapping[str, str]
    ) -> None:
        """See :class:`ivr.ports.Leg`."""
        if not self._note(
            "transfer", target=target, method=method, token=token, headers=dict(headers)
        ):
            return
        usual = REFER_REACHES if method is TransferMethod.REFER else BRIDGE_REACHES
        outcome = self._telephony.transfers.get(target, usual)
        if not is_target(target):
            outcome = ((400, True),)
        self._open_transfer = token
        for status, final in outcome:
            if final:
                self._open_transfer = None
            self.emit(TransferProgress(token, status, final))

    def abandon_transfer(self, token: int) -> None:
        """See :class:`ivr.ports.Leg`."""
        if self._note("abandon_transfer", token=token) and self._open_transfer == token:
            self._open_transfer = None

    def hang_up(self) -> None:
        """See :class:`ivr.ports.Leg`."""
        if self._note("hang_up"):
            self.emit(HungUp(200 if self._answered else 480, by_us=True))

    def _note(self, name: str, **arguments: object) -> bool:
        self.commands.append(Command(name, arguments))
        return self.answers and not self.gone


class FakeTelephony:
    """Calls come from the test; events wait until it says :meth:`pump`.

    Args:
        loop: When given, events are delivered by it instead, each in a turn of its own.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.transfers: dict[str, Outcome] = {}
        """What becomes of a transfer to a target; others reach theirs."""
        self.legs: list[FakeLeg] = []
        self.options_retry_after_seconds: int | None = None
        self.started = False
        self.alive = True
        self._loop = loop
        self._posted: deque[tuple[FakeLeg, LegEvent]] = deque()
        self._numbers = count()
        self._on_offered: Callable[[Leg], None] = lambda leg: None

    def start(self, on_offered: Callable[[Leg], None]) -> None:
        """See :class:`ivr.ports.Telephony`."""
        self._on_offered = on_offered
        self.started = True

    def stop(self) -> None:
        """See :class:`ivr.ports.Telephony`."""
        if self.started:
            self.started = False
            for leg in self.legs:
                leg.hang_up()

    def is_alive(self) -> bool:
        """See :class:`ivr.ports.Telephony`."""
        return self.started and self.alive

    def incoming(
        self, line: str = "1700", caller: str = "", *, codecs_in_common: bool = True
    ) -> FakeLeg:
        """Let somebody call, and offer the leg at once."""
        number = next(self._numbers)
        leg = FakeLeg(
            self,
            line=line,
            caller=caller,
            sip_call_id=f"fake-{number}",
            codecs_in_common=codecs_in_common,
            slot=number,
        )
        self.legs.append(leg)
        self._on_offered(leg)
        return leg

    def post(self, leg: FakeLeg, event: LegEvent) -> None:
        """Queue ``event`` for the leg's listener."""
        self._posted.append((leg, event))
        if self._loop is not None:
            self._loop.call_soon(self._deliver_one)

    def pump(self) -> None:
        """Deliver what waits, and what comes of it, until nothing waits."""
        while self._posted:
            self._deliver_one()

    def _deliver_one(self) -> None:
        if self._posted:
            leg, event = self._posted.popleft()
            leg.listener(event)
