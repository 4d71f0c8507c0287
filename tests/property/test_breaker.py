"""What holds for every circuit breaker, whatever it is told and when."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from ivr.engine.breaker import BreakerRules, BreakerState, CircuitBreaker, Permit

rules = st.builds(
    BreakerRules,
    failures=st.integers(1, 5),
    window_seconds=st.floats(0.1, 60),
    cooldown_seconds=st.floats(0.1, 60),
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["ask", "succeed", "fail", "abandon", "wait"]),
        st.integers(0, 30),
        st.floats(0, 40),
    ),
    max_size=60,
)


@dataclass
class Life:
    """A breaker, and what it was told."""

    rules: BreakerRules
    now: float = 0.0
    permits: list[Permit] = field(default_factory=list)
    failed_at: list[float] = field(default_factory=list)
    """Failures of permitted uses, whatever the breaker made of them."""

    def __post_init__(self) -> None:
        self.breaker = CircuitBreaker(self.rules)

    @property
    def state(self) -> BreakerState:
        return self.breaker.state(self.now)

    def step(self, what: str, which: int, seconds: float) -> Permit | None:
        """One thing happens; returns the permit when one was given."""
        if what == "ask":
            permit = self.breaker.admit(self.now)
            if permit is not None:
                self.permits.append(permit)
            return permit
        if what == "wait":
            self.now += seconds
        elif self.permits:
            # Verdicts may come in any order, late, and more than once.
            permit = self.permits[which % len(self.permits)]
            if what == "succeed":
                self.breaker.succeeded(permit)
            elif what == "abandon":
                self.breaker.abandoned(permit)
            else:
                self.failed_at.append(self.now)
                self.breaker.failed(permit, self.now)
        return None


@given(rules, steps)
def test_a_closed_breaker_opens_on_enough_failures_within_the_window_only(
    rules: BreakerRules, steps: list[tuple[str, int, float]]
) -> None:
    """
    Whenever it goes from closed to open, that many failures were reported within the window.
    """
    life = Life(rules)
    for what, which, seconds in steps:
        before = life.state
        life.step(what, which, seconds)
        if before is BreakerState.CLOSED and life.state is not BreakerState.CLOSED:
            recent = [at for at in life.failed_at if life.now - at <= rules.window_seconds]

            assert "fail" == what
            assert len(recent) >= rules.failures


@given(rules, steps)
def test_an_open_breaker_permits_nothing_until_it_has_cooled_down(
    rules: BreakerRules, steps: list[tuple[str, int, float]]
) -> None:
    """
    Open means no use; it ends by time alone, whatever late verdicts come in.
    """
    life = Life(rules)
    opened_at = None
    for what, which, seconds in steps:
        before = life.state
        permit = life.step(what, which, seconds)
        after = life.state
        if before is BreakerState.OPEN:
            assert permit is None
            if after is not BreakerState.OPEN:
                assert "wait" == what
                assert opened_at is not None
                assert life.now - opened_at >= rules.cooldown_seconds
        elif after is BreakerState.OPEN:
            opened_at = life.now


@given(rules, steps)
def test_a_half_open_breaker_has_one_probe_at_a_time(
    rules: BreakerRules, steps: list[tuple[str, int, float]]
) -> None:
    """
    A second one is permitted when the first gave no verdict within a cool-down, or was abandoned.
    """
    life = Life(rules)
    probes: list[tuple[Permit, float]] = []
    for what, which, seconds in steps:
        asked = life.permits[which % len(life.permits)] if life.permits else None
        permit = life.step(what, which, seconds)
        if what in ("abandon", "succeed", "fail"):
            probes = [(probe, at) for probe, at in probes if probe is not asked]
        if permit is not None and permit.is_probe:
            for _, at in probes:
                assert life.now - at >= rules.cooldown_seconds
            probes = [(permit, life.now)]


@given(rules, steps)
def test_the_verdict_of_the_probe_decides(
    rules: BreakerRules, steps: list[tuple[str, int, float]]
) -> None:
    """
    From whatever came before: after the cool-down a probe is permitted; its success closes the
    breaker, its failure opens it for another cool-down.
    """
    for fails in (True, False):
        life = Life(rules)
        for what, which, seconds in steps:
            life.step(what, which, seconds)
        # A probe that nobody ever hears of counts as lost after a cool-down.
        life.now += 2 * rules.cooldown_seconds
        permit = life.breaker.admit(life.now)

        assert permit is not None
        if not permit.is_probe:
            assert BreakerState.CLOSED is life.state
        elif fails:
            life.breaker.failed(permit, life.now)
            assert BreakerState.OPEN is life.state
            assert life.breaker.admit(life.now + 0.99 * rules.cooldown_seconds) is None
        else:
            life.breaker.succeeded(permit)
            assert BreakerState.CLOSED is life.state
            assert life.breaker.admit(life.now) is not None


@given(rules, steps)
def test_uses_of_an_earlier_era_change_nothing(
    rules: BreakerRules, steps: list[tuple[str, int, float]]
) -> None:
    """
    A turn that began before the breaker opened and ends after it closed again is ignored.
    """
    life = Life(rules)
    early = [life.breaker.admit(0.0) for _ in range(rules.failures)]
    for _ in range(rules.failures):
        life.step("ask", 0, 0.0)
    for permit in life.permits:
        life.breaker.failed(permit, life.now)
    assert BreakerState.OPEN is life.state
    life.permits.clear()
    for what, which, seconds in steps:
        life.step(what, which, seconds)
    before = life.state
    for old in early:
        assert old is not None
        life.breaker.failed(old, life.now)
        life.breaker.succeeded(old)
        life.breaker.abandoned(old)

    assert before is life.state


def test_failures_that_are_far_apart_do_not_open_it() -> None:
    """
    One failure an hour is life; five in half a minute are not.
    """
    breaker = CircuitBreaker(BreakerRules(failures=5, window_seconds=30.0))
    for hour in range(20):
        permit = breaker.admit(hour * 3600.0)
        assert permit is not None
        breaker.failed(permit, hour * 3600.0)
    at = 20 * 3600.0

    assert BreakerState.CLOSED is breaker.state(at)
    for second in range(5):
        permit = breaker.admit(at + second)
        assert permit is not None
        breaker.failed(permit, at + second)
    assert BreakerState.OPEN is breaker.state(at + 4)
