"""Who may come in, and what happens to the calls when the house is full, closing or broken."""

from __future__ import annotations

import datetime

import pytest

from ivr.engine.engine import Component
from ivr.ports.records import CallEnded, CallOpened
from tests.unit.engine.stage import ENERGY, RULES, Stage, stage, uri


class Lamp:
    """A component that a test breaks."""

    def __init__(self) -> None:
        self.lit = True
        self.broken = False

    def is_alive(self) -> bool:
        if self.broken:
            raise OSError("gone")
        return self.lit


def refusal(s: Stage) -> tuple[object, object]:
    """Status and Retry-After of the last leg's refusal."""
    command = s.telephony.legs[-1].commands[-1]
    assert "refuse" == command.name
    return command.arguments["status"], command.arguments["retry_after_seconds"]


def refused_with(s: Stage, status: int, reason: str, retry_after: int | None) -> None:
    """The refusal, its reason and its record."""
    assert (status, retry_after) == refusal(s)
    assert ("refused", reason) == s.observer.outcomes[-1]
    assert ("refused", status) == (s.sink.records[-1].outcome, s.sink.records[-1].sip_status)  # type: ignore[union-attr]
    assert "answer" not in s.telephony.legs[-1].names()


def test_full_house_asks_to_come_back() -> None:
    """
    A caller too many gets 503 with Retry-After; those inside are not disturbed.
    """
    with stage(max_calls=2) as s:
        first, second = s.telephony.incoming(), s.telephony.incoming()
        s.loop.pass_seconds(0.1)
        assert ("full",) == s.engine.not_ready()
        s.telephony.incoming()
        s.loop.pass_seconds(0.1)

        refused_with(s, 503, "full", 30)
        assert 2 == s.engine.live_calls()
        s.hang_up(first)
        assert () == s.engine.not_ready()
        third = s.incoming()
        assert "answer" in third.names()
        s.hang_up(second)
        s.hang_up(third)


def test_not_ready_asks_to_come_back() -> None:
    """
    Until everything is started nobody is answered.
    """
    with stage(ready=False) as s:
        s.incoming()

        refused_with(s, 503, "not_ready", 30)
        assert ("starting",) == s.engine.not_ready()


def test_unknown_line_is_not_found() -> None:
    """
    404, recorded under "unknown": a called number that is not ours is no label.
    """
    with stage() as s:
        s.incoming(line="1234567890")

        refused_with(s, 404, "unknown_line", None)
        assert "unknown" == s.records(CallOpened)[0].line


def test_star_takes_every_other_number() -> None:
    """
    The record says which number was called.
    """
    with stage(number="*") as s:
        leg = s.incoming(line="1777")

        assert "answer" in leg.names()
        assert "1777" == s.records(CallOpened)[0].line
        s.hang_up(leg)


def test_blocked_caller_is_declined() -> None:
    """
    603, and no Retry-After: do not call again.
    """
    with stage(is_blocked=lambda number: number == "nuisance") as s:
        s.incoming(caller="nuisance")

        refused_with(s, 603, "blocked", None)


def test_withheld_number_cannot_be_blocked() -> None:
    """
    A rule for numbers says nothing about callers without one.
    """
    with stage(is_blocked=lambda number: True) as s:
        leg = s.incoming(caller="")

        assert "answer" in leg.names()
        assert "" == s.records(CallOpened)[0].caller_hash
        s.hang_up(leg)


def test_no_codec_in_common() -> None:
    """
    488: the caller's side can offer another codec.
    """
    with stage() as s:
        s.incoming(codecs_in_common=False)

        refused_with(s, 488, "no_codec", None)


def test_rule_that_breaks_refuses_instead_of_ringing_for_ever() -> None:
    """
    Whatever fails in admission, the caller gets an answer and the call a record.
    """

    def broken(_: str) -> bool:
        raise KeyError("rule")

    with stage(is_blocked=broken) as s:
        s.incoming()

        refused_with(s, 503, "not_ready", 30)
        assert ["admission"] == s.observer.failures


def test_number_that_is_no_text_is_as_good_as_withheld() -> None:
    """
    Strange octets in a SIP header lose no record.
    """
    with stage(keeps_caller_number=True) as s:
        leg = s.incoming(caller="\ud800")

        assert ("", None) == (
            s.records(CallOpened)[0].caller_hash,
            s.records(CallOpened)[0].caller_encrypted,
        )
        s.hang_up(leg)


@pytest.mark.parametrize("keeps", [True, False])
def test_number_is_kept_only_where_the_line_allows(keeps: bool) -> None:
    """
    The keyed hash always, the encrypted number only then.
    """
    with stage(keeps_caller_number=keeps) as s:
        leg = s.incoming()
        opened = s.records(CallOpened)[0]

        assert opened.caller_hash
        assert (opened.caller_encrypted is not None) is keeps
        s.hang_up(leg)


def test_draining_refuses_and_waits() -> None:
    """
    New callers get 503; the drain ends when the last call does.
    """
    with stage() as s:
        leg = s.incoming()
        drain = s.loop.create_task(s.engine.drain(60.0))
        s.loop.pass_seconds(0.1)
        s.telephony.incoming()
        s.loop.pass_seconds(0.1)

        refused_with(s, 503, "draining", 30)
        assert not drain.done()
        s.say(leg, ENERGY)
        assert 0 == s.loop.run(drain)
        assert ("draining",) == s.engine.not_ready()


def test_drain_puts_through_who_is_still_being_asked() -> None:
    """
    Time runs out during a question: the caller gets a voorlichter, not the end of the call.
    """
    with stage() as s:
        leg = s.incoming()
        s.ears.speak(leg.slot, 1000.0)
        drain = s.loop.create_task(s.engine.drain(12.0))
        s.loop.pass_seconds(5.9)
        assert [] == s.targets(leg)
        s.loop.pass_seconds(0.2)

        assert [uri("algemeen")] == s.targets(leg)
        assert 0 == s.loop.run(drain)
        assert ("routed", "transferred") == s.observer.outcomes[-1]


def test_drain_has_an_end() -> None:
    """
    Calls that last longer than the time given are counted.
    """
    with stage() as s:
        leg = s.incoming()
        leg.answers = False
        s.ears.speak(leg.slot, 1000.0)

        assert 1 == s.loop.run(s.engine.drain(5.0))
        s.hang_up(leg)


def test_drain_waits_for_the_last_transcript() -> None:
    """
    A caller who hung up while we were thinking has a record to come.
    """
    with stage() as s:
        leg = s.incoming()
        s.threads.seconds = 0.4
        s.ears.speak(leg.slot, 1.0)
        s.loop.pass_seconds(1.9)
        assert "deciding" == s.state()
        s.hang_up(leg)
        assert 0 == s.engine.live_calls()

        assert 0 == s.loop.run(s.engine.drain(5.0))
        kinds = [type(record).__name__ for record in s.sink.records]
        assert kinds.index("UtteranceHeard") > kinds.index("CallEnded")


def test_dead_component_sends_callers_to_a_human_and_refuses_new_ones() -> None:
    """
    Those who are asked something are put through; whoever comes now is refused.
    """
    lamp = Lamp()
    with stage(components=(Component(name="audio_core_dead", is_alive=lamp.is_alive),)) as s:
        s.engine.check_components()
        leg = s.incoming()
        lamp.lit = False
        s.engine.check_components()
        s.engine.check_components()
        s.loop.pass_seconds(0.1)

        assert [uri("algemeen")] == s.targets(leg)
        assert ["audio_core_dead"] == s.observer.failures
        assert ("audio_core_dead",) == s.engine.not_ready()
        s.incoming()
        refused_with(s, 503, "not_ready", 30)
        lamp.lit = True
        s.engine.check_components()
        assert () == s.engine.not_ready()


def test_component_that_cannot_say_is_dead() -> None:
    """
    An exception out of one does not end the watch over the others.
    """
    lamp, other = Lamp(), Lamp()
    components = (
        Component(name="first", is_alive=lamp.is_alive),
        Component(name="second", is_alive=other.is_alive),
    )
    with stage(components=components) as s:
        watching = s.loop.create_task(s.engine.watch())
        lamp.broken, other.lit = True, False
        s.loop.pass_seconds(3.0)

        assert ("first", "second") == s.engine.not_ready()
        assert not watching.done()
        watching.cancel()


def test_machine_that_stood_still_is_no_dead_component() -> None:
    """
    What had no turn for seconds, because nothing had, is looked at again before anybody is moved.
    """
    lamp = Lamp()
    with stage(components=(Component(name="audio_core_dead", is_alive=lamp.is_alive),)) as s:
        watching = s.loop.create_task(s.engine.watch())
        leg = s.incoming()
        lamp.lit = False
        s.loop.stand_still(5.0)
        s.loop.pass_seconds(0.1)
        lamp.lit = True
        s.loop.pass_seconds(0.95)

        assert [] == s.targets(leg)
        assert [] == s.observer.failures
        lamp.lit = False
        s.loop.pass_seconds(1.1)
        assert ["audio_core_dead"] == s.observer.failures
        watching.cancel()


def test_component_that_dies_before_audio_flows() -> None:
    """
    Nothing can be said yet: the caller hears where he goes once audio flows.
    """
    lamp = Lamp()
    with stage(components=(Component(name="dead", is_alive=lamp.is_alive),)) as s:
        leg = s.telephony.incoming()
        assert "answering" == s.state()
        lamp.lit = False
        s.engine.check_components()
        s.loop.pass_seconds(0.1)

        assert ["announce_general"] == s.heard(leg)
        assert [uri("algemeen")] == s.targets(leg)


def test_closed_line_says_its_hours() -> None:
    """
    Without a callback the call ends there, unrouted.
    """
    with stage(is_open=lambda moment: False) as s:
        leg = s.incoming()

        assert ["closed", "goodbye"] == s.heard(leg)
        assert "unrouted" == s.end().outcome
        assert [("unrouted", "closed")] == s.observer.outcomes


def test_hours_are_asked_of_the_moment_of_the_call() -> None:
    """
    Aware, in any zone: the line knows its own.
    """
    asked: list[datetime.datetime] = []

    def is_open(moment: datetime.datetime) -> bool:
        asked.append(moment)
        return True

    with stage(is_open=is_open) as s:
        s.loop.pass_seconds(5.0)
        leg = s.incoming()

        assert [s.records(CallOpened)[0].started_at] == asked
        s.hang_up(leg)


@pytest.mark.parametrize(("caller", "offered"), [("+3212345678", True), ("", False)])
def test_callback_needs_a_number(caller: str, offered: bool) -> None:
    """
    Who withholds the number is not promised to be called.
    """
    with stage(is_open=lambda _: False, offers_callback=True) as s:
        leg = s.incoming(caller=caller)

        assert ("callback_offer" in s.heard(leg)) is offered
        s.loop.pass_seconds(20.0)
        assert "unrouted" == s.end().outcome


def test_live_calls_say_nothing_about_the_caller() -> None:
    """
    Line, state and age: what an engineer needs.
    """
    with stage() as s:
        leg = s.incoming()
        s.loop.pass_seconds(2.0)
        live = s.engine.live()

        assert [("1700", "listening", 2.1)] == [(c.line, c.state, c.seconds) for c in live]
        assert RULES.general not in repr(live)
        s.hang_up(leg)
        assert () == s.engine.live()
        assert 1 == len(s.records(CallEnded))
