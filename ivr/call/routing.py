"""From a voorlichter group to the transfers to try, in order."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.call.rules import CallRules, Target, TransferMethod


@dataclass(frozen=True, slots=True)
class Attempt:
    """One transfer to try."""

    number: int
    """Unique in the call, counting from 1."""
    group: str
    target: Target


def attempts(rules: CallRules, group: str, *, first_number: int) -> tuple[Attempt, ...]:
    """Return what to try: the group's targets, then the general group's, then a bridge to it.

    A bridge comes last because it needs nothing of the caller's side: it works where a trunk
    refuses every REFER. The list is bounded by ``rules.attempts_most``, the bridge kept.
    """
    wanted = [(group, target) for target in rules.targets.get(group, ())]
    general = [(rules.general, target) for target in rules.targets.get(rules.general, ())]
    if group != rules.general:
        wanted += general
    bridges = [
        (rules.general, Target(target.uri, TransferMethod.BRIDGE, target.wait_seconds))
        for _, target in general
        if target.method is TransferMethod.REFER
    ][:1]
    most = rules.attempts_most
    kept = wanted[: most - len(bridges)] + bridges
    return tuple(
        Attempt(number, name, target) for number, (name, target) in enumerate(kept, first_number)
    )
