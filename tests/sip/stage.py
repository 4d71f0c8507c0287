"""Where a telephony is tried out: peers call it, the test plays the engine.

``PjsuaStage`` is the real thing with SIPp as the peer; ``FakeStage`` is the fake with the same
peers as scripts. The contract suite runs on both.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from enum import StrEnum, unique
from pathlib import Path
from typing import TypeVar

from ivr.audio.frames import FrameMatrix
from ivr.ports import DigitPressed, HungUp, Leg, LegEvent, TransferMethod
from ivr.sip.endpoint import PjsuaTelephony
from ivr.sip.settings import SipSettings
from tests.fakes.telephony import FakeLeg, FakeTelephony
from tests.integration.ports import free_range
from tests.integration.sipp import Sipp
from tests.sip import scenarios as sip

Event = TypeVar("Event", bound=LegEvent)

WITHIN_SECONDS = 90.0
"""Bound of every wait: generous, since the machine is busy."""
MEDIA_LOST_SECONDS = 120.0
"""Most peers send no RTP at all, and none may count as lost while a busy machine takes its time;
tests about loss have a telephony of their own."""


@unique
class Peer(StrEnum):
    """What the other side does."""

    STAYS = "stays until we hang up"
    LEAVES = "hangs up soon after the answer"
    CANCELS = "cancels before the answer"
    IS_REFUSED = "gets a final response"
    FOLLOWS = "reaches the target of our REFER"
    LOSES_TARGET = "accepts our REFER and does not reach the target"
    DECLINES_REFER = "answers our REFER with 403"
    LEAVES_AMID_REFER = "hangs up between 202 and the news"
    PRESSES_5 = "sends an INFO with the key 5"


class Heard:
    """A leg and the events that its listener got."""

    def __init__(self, leg: Leg, pump: Callable[[], None]) -> None:
        self.leg = leg
        self.events: queue.Queue[LegEvent] = queue.Queue()
        self._pump = pump
        self.go_on: Callable[[], None] = lambda: None
        """Lets a peer that was told to wait go on."""
        leg.listener = self.events.put

    def next(self, kind: type[Event], *, within_seconds: float = WITHIN_SECONDS) -> Event:
        """The next event, which must be of ``kind``."""
        self._pump()
        try:
            event = self.events.get(timeout=within_seconds)
        except queue.Empty:
            raise AssertionError(f"no {kind.__name__} within {within_seconds:.0f} s") from None
        assert isinstance(event, kind), f"expected {kind.__name__}, got {event}"
        return event

    def until(self, kind: type[Event], *, within_seconds: float = WITHIN_SECONDS) -> Event:
        """The first event of ``kind``; others before it are skipped."""
        deadline = time.monotonic() + within_seconds
        while True:
            self._pump()
            try:
                event = self.events.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {kind.__name__} within {within_seconds:.0f} s") from None
            if isinstance(event, kind):
                return event

    def nothing_for(self, seconds: float) -> None:
        """Fail when an event comes within ``seconds``."""
        self._pump()
        try:
            event = self.events.get(timeout=seconds)
        except queue.Empty:
            return
        raise AssertionError(f"expected silence, got {event}")


class Stage(ABC):
    """A started telephony and somebody who calls it."""

    def __init__(self) -> None:
        self._numbers = itertools.count(700_000)

    def new_line(self) -> str:
        """A called number that no other test uses."""
        return str(next(self._numbers))

    @abstractmethod
    def call(self, peer: Peer) -> AbstractContextManager[Heard]:
        """Let ``peer`` call; leaving the context waits for it to be content."""

    @abstractmethod
    def target(self, status: int) -> AbstractContextManager[str]:
        """A SIP URI where ``status`` is the answer to a call, 200 or a refusal."""

    @abstractmethod
    def do(self, command: Callable[[], None]) -> None:
        """Give a command as the engine would."""


class FakeStage(Stage):
    """The fake telephony with scripted peers."""

    def __init__(self) -> None:
        super().__init__()
        self.telephony = FakeTelephony()
        self._offered: list[Leg] = []
        self.telephony.start(self._offered.append)

    @contextmanager
    def call(self, peer: Peer) -> Iterator[Heard]:
        """See :class:`Stage`."""
        leg = self.telephony.incoming(self.new_line(), "0470123456")
        leg.finishes_playing = True
        heard = Heard(self._offered.pop(), self.telephony.pump)
        self._leg, self._peer = leg, peer
        if peer is Peer.CANCELS:
            leg.emit(HungUp(487, by_us=False))
        yield heard

    @contextmanager
    def target(self, status: int) -> Iterator[str]:
        """See :class:`Stage`."""
        uri = f"sip:{self.new_line()}@127.0.0.1"
        if status != 200:
            self.telephony.transfers[uri] = ((status, True),)
        yield uri

    def do(self, command: Callable[[], None]) -> None:
        """See :class:`Stage`."""
        leg = self._leg
        before = leg.names()
        refer = {
            Peer.LOSES_TARGET: ((202, False), (503, True)),
            Peer.DECLINES_REFER: ((403, True),),
            Peer.LEAVES_AMID_REFER: ((202, False),),
        }.get(self._peer)
        if refer is not None:
            self.telephony.transfers = _Always(refer)
        command()
        after = leg.names()[len(before) :]
        if "answer" in after:
            if self._peer is Peer.LEAVES:
                leg.emit(HungUp(200, by_us=False))
            elif self._peer is Peer.PRESSES_5:
                leg.emit(DigitPressed("5"))
        if "transfer" in after and self._peer is Peer.LEAVES_AMID_REFER:
            leg.emit(HungUp(200, by_us=False))


class _Always(dict[str, tuple[tuple[int, bool], ...]]):
    def __init__(self, outcome: tuple[tuple[int, bool], ...]) -> None:
        super().__init__()
        self._outcome = outcome

    def get(self, key: str, default: object = None) -> tuple[tuple[int, bool], ...]:
        return self._outcome


class LoopThread:
    """An asyncio loop on a thread of its own, as the engine has one."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the loop and its thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(WITHIN_SECONDS)
        self.loop.close()


def settings(**changes: object) -> SipSettings:
    """Settings with free ports, small enough for a test."""
    values: dict[str, object] = {
        "udp_port": 0,
        "tcp_port": None,
        "max_calls": 8,
        "media_lost_seconds": MEDIA_LOST_SECONDS,
        **changes,
    }
    first = free_range(70, low=11_000, high=19_000)
    return SipSettings(rtp_first_port=first, rtp_last_port=first + 69, **values)  # type: ignore[arg-type]


class PjsuaStage(Stage):
    """The real telephony on its own loop, with SIPp as the peer.

    Args:
        folder: For SIPp's files.
        **changes: Of :func:`settings`.
    """

    def __init__(self, folder: Path, **changes: object) -> None:
        super().__init__()
        self.folder = folder
        self.settings = settings(**changes)
        self.thread = LoopThread()
        self.matrix = FrameMatrix(self.settings.max_calls)
        self.telephony = PjsuaTelephony(self.settings, self.matrix, self.thread.loop)
        self._legs: queue.Queue[Heard] = queue.Queue()
        self.telephony.start(lambda leg: self._legs.put(Heard(leg, lambda: None)))
        self._names = itertools.count()

    def close(self) -> None:
        """Stop the telephony and the loop."""
        self.telephony.stop()
        self.thread.stop()

    @property
    def port(self) -> int:
        """The UDP port that takes calls."""
        return self.telephony.ports["udp"]

    def do(self, command: Callable[[], None]) -> None:
        """See :class:`Stage`."""
        self.thread.loop.call_soon_threadsafe(command)

    def sipp(
        self, *steps: str | list[str], line: str = "1700", rtp: int = 9, tcp: bool = False
    ) -> Sipp:
        """A SIPp that calls us with these steps; it is started on entry."""
        name = f"peer{next(self._names)}"
        port = self.telephony.ports["tcp"] if tcp else self.port
        return Sipp(
            self.folder,
            f"127.0.0.1:{port}",
            "-sf",
            str(sip.write(self.folder, name, *steps)),
            *("-s", line, "-m", "1", "-key", "rtp", str(rtp)),
            *(("-t", "t1") if tcp else ()),
            name=name,
        )

    def offered(self, line: str) -> Heard:
        """The leg that was offered for ``line``."""
        deadline = time.monotonic() + WITHIN_SECONDS
        while True:
            try:
                heard = self._legs.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError("no leg was offered") from None
            if heard.leg.line == line:
                return heard

    @contextmanager
    def peer(self, *steps: str | list[str], rtp: int = 9, tcp: bool = False) -> Iterator[Heard]:
        """A SIPp that calls us with these steps, and its leg; ends when SIPp is content."""
        line = self.new_line()
        with self.sipp(*steps, line=line, rtp=rtp, tcp=tcp) as sipp:
            heard = self.offered(line)
            heard.go_on = sipp.go_on
            yield heard
            code = sipp.wait(within_seconds=WITHIN_SECONDS)
            assert code == 0, sipp.errors() + sipp.messages()

    @contextmanager
    def call(self, peer: Peer) -> Iterator[Heard]:
        """See :class:`Stage`."""
        with self.peer(sip.invite(body=sip.sdp(sip.PCMA)), *_REST[peer]) as heard:
            yield heard

    @contextmanager
    def target(self, status: int) -> Iterator[str]:
        """See :class:`Stage`."""
        name = f"target{next(self._names)}"
        if status == 200:
            steps: list[str | list[str]] = [
                sip.wait_for("INVITE"),
                sip.reply(180, first=True),
                sip.reply(200, body=sip.sdp(sip.PCMA), first=True),
                sip.wait_for("ACK"),
                sip.be_hung_up(),
            ]
        else:
            steps = [sip.wait_for("INVITE"), sip.reply(status, first=True), sip.wait_for("ACK")]
        scenario = sip.write(self.folder, name, *steps)
        with ExitStack() as running:
            sipp = running.enter_context(
                Sipp(self.folder, "-sf", str(scenario), "-m", "1", "-key", "rtp", "9", name=name)
            )
            wait_until_bound(sipp.port)
            yield f"sip:groep@127.0.0.1:{sipp.port}"


def wait_until(true: Callable[[], bool]) -> None:
    """Return when ``true`` is."""
    deadline = time.monotonic() + WITHIN_SECONDS
    waiting = threading.Event()
    while not true():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        waiting.wait(0.02)


def wait_until_bound(port: int) -> None:
    """Return when somebody listens on the UDP port."""
    entry = f"0100007F:{port:04X}"
    wait_until(lambda: entry in Path("/proc/net/udp").read_text("ascii"))


_REST: dict[Peer, list[str | list[str]]] = {
    Peer.STAYS: [sip.accepted(), sip.be_hung_up()],
    Peer.LEAVES: [sip.accepted(), sip.pause(300), sip.bye()],
    Peer.CANCELS: [
        sip.get(100),
        sip.cancel(),
        sip.plain(),
        sip.plain(487),
        sip.ack_refusal(),
    ],
    Peer.IS_REFUSED: [
        sip.get(100, optional=True),
        sip.get(503, check="Retry-After: 30"),
        sip.ack_refusal(),
    ],
    Peer.FOLLOWS: [
        sip.accepted(),
        sip.wait_for("REFER"),
        sip.reply(202),
        sip.notify(2, 100),
        sip.plain(),
        sip.notify(3, 200, state="terminated;reason=noresource"),
        sip.plain(),
        sip.be_hung_up(),
    ],
    Peer.LOSES_TARGET: [
        sip.accepted(),
        sip.wait_for("REFER"),
        sip.reply(202),
        sip.notify(2, 503, state="terminated;reason=noresource"),
        sip.plain(),
        sip.be_hung_up(),
    ],
    Peer.DECLINES_REFER: [
        sip.accepted(),
        sip.wait_for("REFER"),
        sip.reply(403),
        sip.be_hung_up(),
    ],
    Peer.LEAVES_AMID_REFER: [sip.accepted(), sip.wait_for("REFER"), sip.reply(202), sip.bye()],
    Peer.PRESSES_5: [
        sip.accepted(),
        sip.inside("INFO", 2, body="Signal=5\r\nDuration=160", kind="application/dtmf-relay"),
        sip.plain(),
        sip.be_hung_up(),
    ],
}

__all__ = ["FakeLeg", "FakeStage", "Heard", "Peer", "PjsuaStage", "Stage", "TransferMethod"]
