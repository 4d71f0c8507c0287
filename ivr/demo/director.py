"""What the demo's caller does next. Pure: time is an argument, what is to be done is returned."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

SAYINGS_MOST: Final = 3
"""How often a caller who is asked again says the question, in all."""
_MENU_KEY: Final = "1"
_HUMAN_KEY: Final = "0"
_GREETING_SECONDS: Final = 1.0
"""How long a caller who wants keys listens to the greeting."""
_BREATH_SECONDS: Final = 0.3
_HEARING_SECONDS: Final = 1.5
"""How much of a menu or question the caller hears before the key."""


@unique
class ActKind(StrEnum):
    """What a caller can do."""

    SAY = "say"
    PRESS = "press"


@dataclass(frozen=True, slots=True)
class Act:
    """One act, due now."""

    kind: ActKind
    key: str = ""
    """The key to press."""


class Director:
    """Decides by the states of the service's call, which its log tells.

    Args:
        speaks: Whether the caller has a question to say.
        digits: Keys to press, one in each menu or confirmation.
    """

    def __init__(self, *, speaks: bool, digits: str) -> None:
        self._speaks = speaks
        self._digits = digits
        self._said = 0
        self._due: tuple[float, Act] | None = None
        if not speaks and not digits.startswith(_HUMAN_KEY):
            # Any key but 0 opens the keuzemenu; 0 is a human at once.
            self._digits = _MENU_KEY + digits

    def entered(self, state: str, at: float) -> None:
        """The service's call is in a new state; what was planned for the old one is off.

        Args:
            state: A value of :class:`ivr.call.states.CallState`.
            at: Seconds on the clock of :meth:`due`, which never goes back.
        """
        self._due = None
        if state == "listening" and self._speaks and self._said < SAYINGS_MOST:
            self._due = (at + _BREATH_SECONDS, Act(ActKind.SAY))
        elif not self._digits:
            return
        elif state in ("menu", "confirming"):
            self._due = (at + _HEARING_SECONDS, Act(ActKind.PRESS, self._digits[0]))
        elif state in ("greeting", "prompting", "listening") and not self._speaks:
            self._due = (at + _GREETING_SECONDS, Act(ActKind.PRESS, self._digits[0]))

    def due(self, at: float) -> Act | None:
        """The act whose time has come, once.

        Args:
            at: Now, in seconds on the clock of :meth:`entered`.
        """
        if self._due is None or at < self._due[0]:
            return None
        act = self._due[1]
        self._due = None
        if act.kind is ActKind.SAY:
            self._said += 1
        else:
            self._digits = self._digits[1:]
        return act


class PromptDirector:
    """Decides by the ends of prompts alone, for a service whose log is not ours to read.

    Args:
        speaks: Whether the caller has a question to say.
        digits: Keys to press, one after each prompt that follows the question.
    """

    def __init__(self, *, speaks: bool, digits: str) -> None:
        # Without keys, the second prompt may ask to say it again; a menu does not mind.
        self._sayings = 0 if not speaks else 1 if digits else 2
        self._digits = digits

    def prompt_ended(self) -> Act | None:
        """What the caller answers to a prompt that was heard to its end."""
        if self._sayings:
            self._sayings -= 1
            return Act(ActKind.SAY)
        if self._digits:
            key, self._digits = self._digits[0], self._digits[1:]
            return Act(ActKind.PRESS, key)
        return None
