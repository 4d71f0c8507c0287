"""Keys reach a call as an event, a tone, or both: each counts once."""

from __future__ import annotations

import pytest

from ivr.ports import DigitPressed, InbandDigit
from tests.unit.engine.stage import stage, uri


@pytest.mark.parametrize("tone_first", [True, False])
def test_key_that_comes_as_event_and_as_tone_counts_once(tone_first: bool) -> None:
    """
    A trunk that sends both must not turn one press of 1 into "open the menu, take its first".
    """
    with stage() as s:
        leg = s.incoming()
        slot = next(iter(s.ears.opened))

        for is_tone in (tone_first, not tone_first):
            if is_tone:
                s.engine.audio_event(InbandDigit(slot, "1"))
            else:
                leg.emit(DigitPressed("1"))
            s.loop.pass_seconds(0.12)

        assert "menu" == s.state()
        assert [] == s.targets(leg)
        s.hang_up(leg)


def test_the_same_key_twice_is_two_keys() -> None:
    """
    A hurried caller presses 1 for the menu and 1 again for its first choice.
    """
    with stage() as s:
        leg = s.incoming()

        leg.emit(DigitPressed("1"))
        s.loop.pass_seconds(0.12)
        leg.emit(DigitPressed("1"))
        s.loop.pass_seconds(5.0)

        assert [uri("belastingen")] == s.targets(leg)


def test_what_is_no_key_changes_nothing() -> None:
    """
    A hook flash, or an event that no telephone has, alarms nobody; the next key counts.
    """
    with stage() as s:
        leg = s.incoming()
        before = s.state()

        for junk in ("R", "?", "", "12"):
            leg.emit(DigitPressed(junk))
        s.loop.pass_seconds(0.12)

        assert before == s.state()
        assert [] == s.observer.failures
        leg.emit(DigitPressed("1"))
        s.loop.pass_seconds(0.12)
        assert "menu" == s.state()
        s.hang_up(leg)
