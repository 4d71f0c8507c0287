"""A circuit breaker: what fails again and again is left alone for a while. Pure: time is given.

::

    closed ──n failures within the window──▶ open ──cool-down over──▶ half open
      ▲                                       ▲                          │
      └──────────── the probe succeeds ───────┼──────────────────────────┤
                                              └──── the probe fails ─────┘

Not thread-safe; :class:`ivr.engine.guarded.EngineGuard` holds the lock and the clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum, unique


@unique
class BreakerState(StrEnum):
    """The values are metric labels: never rename one."""

    CLOSED = "closed"
    """Every use is permitted."""
    OPEN = "open"
    """No use is permitted: it failed too often, and the cool-down is not over."""
    HALF_OPEN = "half_open"
    """One use, the probe, is permitted; it decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    """When a breaker opens, and for how long."""

    failures: int = 5
    """So many failures and timeouts within the window open it."""
    window_seconds: float = 30.0
    cooldown_seconds: float = 15.0
    """From opening to the probe; a probe nobody hears of for so long is followed by another."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to use what the breaker guards once."""

    era: int
    """Between two changes of the breaker; what an earlier era permitted is ignored."""
    is_probe: bool


class CircuitBreaker:
    """Permits uses, and learns from how they ended.

    Args:
        rules: When it opens, and for how long.

    All moments are seconds on one clock that never goes back.
    """

    def __init__(self, rules: BreakerRules) -> None:
        self._rules = rules
        self._failures: deque[float] = deque(maxlen=rules.failures)
        self._opened_at: float | None = None
        self._probed_at: float | None = None
        self._era = 0

    def state(self, now: float) -> BreakerState:
        """Where it stands at this moment."""
        if self._opened_at is None:
            return BreakerState.CLOSED
        cooled = now - self._opened_at >= self._rules.cooldown_seconds
        return BreakerState.HALF_OPEN if cooled else BreakerState.OPEN

    def admit(self, now: float) -> Permit | None:
        """Ask leave for one use; the answer to it is one of the three methods below.

        Returns:
            None when there must be no use now.
        """
        state = self.state(now)
        if state is BreakerState.CLOSED:
            return Permit(self._era, is_probe=False)
        if state is BreakerState.OPEN:
            return None
        if self._probed_at is not None and now - self._probed_at < self._rules.cooldown_seconds:
            return None
        self._probed_at = now
        self._era += 1
        return Permit(self._era, is_probe=True)

    def succeeded(self, permit: Permit) -> None:
        """The use gave a result."""
        if permit.era == self._era and permit.is_probe:
            self._opened_at = self._probed_at = None
            self._era += 1

    def failed(self, permit: Permit, now: float) -> None:
        """The use broke, or was not done in time."""
        if permit.era != self._era:
            return
        self._failures.append(now)
        enough = len(self._failures) == self._rules.failures
        if permit.is_probe or (enough and now - self._failures[0] <= self._rules.window_seconds):
            self._failures.clear()
            self._opened_at, self._probed_at = now, None
            self._era += 1

    def abandoned(self, permit: Permit) -> None:
        """Nobody wants the result any more: nothing was learned."""
        if permit.era == self._era and permit.is_probe:
            self._probed_at = None
