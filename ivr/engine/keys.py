"""The caller's keys, each of them once."""

from __future__ import annotations

from ivr.call import events as ev

_SAME_KEY_SECONDS = 0.5
"""The tone and the event of one key arrive within this of each other."""


class Keys:
    """Takes a key once, also from a trunk that sends it both as an event and as a tone."""

    def __init__(self) -> None:
        self._last = ("", False, 0.0)
        """Digit, whether it came as a tone, and when. Personal data: never shown."""

    def pressed(self, digit: str, at_seconds: float, *, inband: bool) -> ev.Digit | None:
        """Take a key.

        Args:
            digit: As telephony or the audio core tells it.
            at_seconds: On the loop's clock.
            inband: Whether it came as a tone.

        Returns:
            What the call's machine is told; None for what is no key, and for the second sign of
            one that was told already.
        """
        try:
            key = ev.Digit(digit)
        except ValueError:
            # RFC 4733 numbers more events than keys (a hook flash is 16). No fault of ours, so
            # none is counted: a caller could raise an alarm with it.
            return None
        last_digit, last_inband, at = self._last
        self._last = (digit, inband, at_seconds)
        if digit == last_digit and inband != last_inband and at_seconds - at < _SAME_KEY_SECONDS:
            return None
        return key
