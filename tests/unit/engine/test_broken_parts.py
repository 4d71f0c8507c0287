"""Legs, ears, prompts and machines that break: the caller is helped, the record is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ivr.call.rules import CallRules, Costs
from ivr.ports import (
    HungUp,
    MediaLost,
)
from ivr.ports.records import CallEnded
from tests.fakes.telephony import FakeLeg
from tests.unit.engine.stage import CALLER, ENERGY, RULES, Stage, results, stage, uri


class BrokenLeg(FakeLeg):
    """A leg of which some commands raise."""

    broken: frozenset[str] = frozenset()

    def _note(self, name: str, **arguments: object) -> bool:
        if name in self.broken:
            raise RuntimeError(f"{name} broke")
        return super()._note(name, **arguments)


def broken_leg(s: Stage, *names: str) -> BrokenLeg:
    """Let somebody call on a leg that breaks."""
    leg = BrokenLeg(
        s.telephony,
        line="1700",
        caller=CALLER,
        sip_call_id="broken",
        codecs_in_common=True,
        slot=77,
    )
    leg.broken = frozenset(names)
    s.telephony.legs.append(leg)
    s.engine.offered(leg)
    s.loop.pass_seconds(0.1)
    return leg


def test_leg_that_cannot_play_leads_to_the_general_group_at_once() -> None:
    """
    Nobody listens to silence until a guard of a minute runs out.
    """
    with stage() as s:
        leg = broken_leg(s, "play")

        assert [uri("algemeen")] == s.targets(leg)
        assert s.loop.time() < 1.0
        assert "action" in s.observer.failures
        assert "routed" == s.end().outcome


def test_leg_that_cannot_play_on_a_closed_line_ends_at_once() -> None:
    """
    There is nobody to put the caller through to, and nothing to wait for.
    """
    with stage(is_open=lambda _: False) as s:
        leg = broken_leg(s, "play")

        assert "unrouted" == s.end().outcome
        assert s.loop.time() < 1.0
        assert "hang_up" in leg.names()


def test_leg_that_cannot_transfer_ends_with_a_closing_message() -> None:
    """
    Every attempt fails at once and is recorded as failed.
    """
    with stage() as s:
        leg = broken_leg(s, "transfer")
        s.say(leg, ENERGY)

        assert ["closing", "goodbye"] == s.heard(leg)[-2:]
        assert ["failed", "failed", "failed"] == [result for _, _, result, _ in results(s)]
        assert "unrouted" == s.end().outcome


def test_leg_that_cannot_answer_is_given_up() -> None:
    """
    After the time that audio may take to come.
    """
    with stage() as s:
        leg = broken_leg(s, "answer")
        s.loop.pass_seconds(10.0)

        assert "media_failed" == s.end().outcome
        assert "hang_up" == leg.names()[-1]


@pytest.mark.parametrize("name", ["hang_up", "stop_playing", "abandon_transfer", "refuse"])
def test_other_commands_that_break_lose_no_record(name: str) -> None:
    """
    A leg that does not say that it is gone is forgotten after a while.
    """
    with stage() as s:
        s.telephony.transfers = {uri("energie"): ()}
        leg = broken_leg(s, name)
        leg.finishes_playing = name != "stop_playing"
        s.say(leg, ENERGY)
        s.loop.pass_seconds(200.0)

        assert "routed" == s.end().outcome


def test_refusal_that_cannot_be_sent_is_recorded() -> None:
    """
    The status that we wanted to send is in the record.
    """
    with stage(ready=False) as s:
        broken_leg(s, "refuse")

        assert ("refused", 503) == (s.end().outcome, s.end().sip_status)


def test_ears_that_break_lead_to_the_general_group() -> None:
    """
    And the turn's recogniser is given back (see finish).
    """
    with stage() as s:
        leg = s.incoming()
        s.ears.take_error = RuntimeError("no audio")
        s.say(leg, ENERGY)

        assert [uri("algemeen")] == s.targets(leg)
        assert "action" in s.observer.failures


def test_prompt_book_that_breaks_leads_to_the_general_group() -> None:
    """
    Not only a recording that is missing: whatever it raises.
    """
    with stage() as s:
        s.prompts.error = KeyError("thema")
        leg = s.incoming()

        assert [uri("algemeen")] == s.targets(leg)
        assert s.loop.time() < 1.0


class BrokenCosts(dict[str, float]):
    """A mapping that stands for a bug in the machine."""

    def get(self, *_: object) -> float:
        raise ZeroDivisionError("bug")


def test_bug_in_the_machine_costs_a_transfer_not_the_call() -> None:
    """
    The call stays alive: counted, and the caller goes to the general group.
    """
    rules: CallRules = replace(RULES, costs=Costs(misroute_seconds_by_thema=BrokenCosts()))
    with stage(rules) as s:
        leg = s.incoming()
        s.say(leg, ENERGY, partials=("zonnepanelen",))

        assert [uri("algemeen")] == s.targets(leg)
        assert ["end_rule", "machine"] == s.observer.failures


def test_leg_that_never_says_it_is_gone_is_forgotten() -> None:
    """
    The engine keeps nothing of it, and a drain does not wait for it.
    """
    with stage() as s:
        leg = s.incoming()
        leg.answers = False
        leg.emit(MediaLost())
        s.loop.pass_seconds(0.1)
        assert "media_failed" == s.end().outcome
        began = s.loop.time()

        assert 0 == s.loop.run(s.engine.drain(60.0))
        assert s.loop.time() - began < 11.0
        leg.emit(HungUp(200, by_us=True))
        s.loop.pass_seconds(0.1)
        assert 1 == len(s.records(CallEnded))
