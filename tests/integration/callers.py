"""Callers of a real phone, by the demo's agents and SIPp, and what became of their calls."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from intent.catalogue import load_catalogue
from ivr.contacts.models import Call
from ivr.demo.speech import write_question
from ivr.files.embedded import embedded_dir
from tests.integration.phone import WITHIN_SECONDS, Phone
from tests.integration.sipp import Sipp
from tests.sip import scenarios as sip
from tests.sip.agents import Agent

HEARD = ("greeting", "prompting", "listening", "menu")
"""States of a call that was answered and is heard."""


@dataclass(frozen=True, slots=True)
class Centre:
    """The demo's contact centre."""

    agent: Agent
    port: int

    def at(self, group: str) -> str:
        """The address of a group."""
        return f"sip:{group}@127.0.0.1:{self.port}"

    def behave(self, group: str, behaviour: str) -> None:
        """Let a group answer, be busy, decline or ring from now on."""
        self.agent.command(do="behave", group=group, **{"as": behaviour})


def spoken(folder: Path, text: str) -> Path:
    """Let a caller say a text; returns the WAV."""
    said = write_question(folder, text, None)
    assert said is not None
    return said


def menu_groups() -> list[str]:
    """Groups behind the keys of the menu that is said when nothing is known, 1 first."""
    catalogue = load_catalogue(embedded_dir("training_data"))
    return [thema.group for thema in catalogue.busiest(4)]


@contextmanager
def caller(phone: Phone, *options: str, line: str = "1700") -> Iterator[Agent]:
    """Somebody on the phone; hung up at the end."""
    with Agent("caller_agent", "--to", phone.uri(line), "--pause-ms", "300", *options) as agent:
        yield agent
        agent.command(do="hang_up")


def newest(phone: Phone, since: float) -> Call:
    """The record of the only call since that moment, once it is over."""
    found: list[Call] = []

    def is_over() -> bool:
        found[:] = [r for r in phone.records() if r.started_at.timestamp() >= since]
        return len(found) == 1 and found[0].ended_at is not None

    phone.until("end of the call", is_over)
    return found[0]


def attempts(record: Call) -> list[tuple[str, str, int | None]]:
    """Method, result and status of each transfer attempt."""
    return [(t.method, t.result, t.sip_status) for t in record.transfers]


def are_heard(phone: Phone, count: int = 1) -> bool:
    """Whether there are so many calls, and all of them are answered and heard."""
    return [call["state"] in HEARD for call in phone.live()] == [True] * count


def assert_ended_in(phone: Phone, state: str) -> None:
    """The log says that the newest call ended in that state; the log comes by a pipe."""

    def left() -> list[str]:
        return [line["old"] for line in phone.log("state") if line["new"] == "ended"][-1:]

    phone.until(f"end in state {state}", lambda: left() == [state])


@contextmanager
def full_house(phone: Phone, count: int) -> Iterator[None]:
    """As many callers as may come, all of them answered; they hang up at the end."""
    with ExitStack() as running:
        callers = [running.enter_context(sipp_caller(phone, n)) for n in range(count)]

        def all_heard() -> bool:
            for one in callers:
                one.check()
            return are_heard(phone, count)

        phone.until("full house", all_heard)
        yield
        for one in callers:
            one.go_on()
        assert {0} == {one.wait(within_seconds=WITHIN_SECONDS) for one in callers}


def assert_all_is_free(phone: Phone, count: int) -> None:
    """As many callers as may come are heard at once: nothing of earlier calls is held."""
    phone.until("end of all calls", lambda: phone.live() == [])
    before = phone.metric("wegwijs_calls_ended_total", outcome="abandoned")
    with full_house(phone, count):
        pass
    phone.until("end of all calls", lambda: phone.live() == [])
    after = phone.metric("wegwijs_calls_ended_total", outcome="abandoned")
    assert count == after - before


def sipp_caller(phone: Phone, number: int) -> Sipp:
    """A caller who is answered, stays until it is told to go on, and leaves."""
    steps = (sip.invite(body=sip.sdp(sip.PCMA)), sip.accepted(), sip.told_to_go_on(), sip.bye())
    return sipp(phone, f"stays-{number}", *steps)


def sipp(phone: Phone, name: str, *steps: str | list[str]) -> Sipp:
    """A SIPp that calls 1700 once, with these steps."""
    folder, unique = phone.config.parent, f"{name}-{time.monotonic_ns()}"
    scenario = sip.write(folder, unique, *steps)
    address = f"127.0.0.1:{phone.sip_ports['udp']}"
    options = ("-s", "1700", "-m", "1", "-key", "rtp", "9")
    return Sipp(folder, address, "-sf", str(scenario), *options, name=unique)
