"""The short keuzemenu: which themas stand behind which keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ivr.call.rules import MENU_MOST, CallRules

HUMAN_KEY = "0"
"""A voorlichter, at any moment."""


def menu_options(
    rules: CallRules, likeliest: Sequence[str], refused: Iterable[str]
) -> tuple[str, ...]:
    """Return at most four routable themas: the likeliest first, else the busiest.

    Args:
        rules: The line's.
        likeliest: Themas the policy proposes, in order; may be empty.
        refused: Themas the caller said no to.
    """
    unwanted = set(refused)
    wanted = [t for t in likeliest if t in rules.groups and t not in unwanted]
    if not wanted:
        wanted = [
            t for t in (*rules.busiest, *rules.groups) if t in rules.groups and t not in unwanted
        ]
    return tuple(dict.fromkeys(wanted))[:MENU_MOST]


def chosen(options: Sequence[str], digit: str) -> str | None:
    """Return the thema behind ``digit``, or ``None`` when the key is not in the menu."""
    keys = "123456789"[: len(options)]
    return options[keys.index(digit)] if len(digit) == 1 and digit in keys else None
