"""Callers whom a rule refuses."""

from __future__ import annotations

from ivr.contacts.privacy import normalise_number


def is_blocked(patterns: tuple[str, ...], caller: str) -> bool:
    """Whether a rule of ``sip.blocked_callers`` holds for this number, in whatever spelling."""
    spelled = normalise_number(caller)
    for pattern in patterns:
        rule = pattern.removesuffix("*")
        alike = normalise_number(rule)
        if pattern == rule:
            if spelled == alike:
                return True
        # As written too: what starts like a short number may be the start of a long one. A bare
        # 00 would be the start of every number that is spelled in full.
        elif caller.startswith(rule) or (alike != "+" and spelled.startswith(alike)):
            return True
    return False
