"""What the engine tells whoever counts: numbers and fixed words, never speech or digits."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Metrics, in production. Every method returns at once and never raises."""

    def state_changed(self, line: str, old: str | None, new: str | None) -> None:
        """A call left ``old`` for ``new``; None before its start and after its end."""

    def call_ended(self, line: str, outcome: str, reason: str, seconds: float) -> None:
        """A call has its outcome."""

    def stage_measured(self, line: str, stage: str, seconds: float) -> None:
        """A stage of a turn took so long; ``dead_air`` is one of them."""

    def decided(self, line: str, action: str, applied: bool) -> None:
        """The policy chose an action."""

    def transfer_ended(self, group: str, method: str, result: str, seconds: float) -> None:
        """An attempt is over."""

    def frames_dropped(self, count: int) -> None:
        """Frames of a caller were lost."""

    def failed(self, what: str) -> None:
        """Something of ours went wrong and was survived; ``what`` is a fixed word."""
