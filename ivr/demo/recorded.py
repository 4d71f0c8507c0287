"""What the service's contact record says, in the fields and words of a story. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ivr.contacts.models import Call, Decision, Utterance

POLICY: Final = "policy"
"""``decided_by`` of the policy's decisions."""


def hearing(heard: Utterance) -> dict[str, Any]:
    """What was understood of a turn."""
    words = heard.words or []
    return {
        "confidence": _rounded(heard.confidence),
        "words": [
            {"text": word["text"], "confidence": _rounded(word["confidence"])} for word in words
        ],
        "recogniser": heard.recogniser,
        "model": heard.recogniser_version,
        "failure": heard.failure,
    }


def decision(taken: Decision) -> dict[str, Any]:
    """A decision: who took it, on what, at which expected costs."""
    return {
        "action": taken.action,
        "decided_by": taken.decided_by,
        "thema": taken.thema,
        "probability": _rounded(taken.probability),
        "costs": dict(taken.costs or {}),
        "model": taken.model_version,
        "policy": taken.policy_version,
        "language": taken.language,
    }


def why(taken: Decision) -> str:
    """A decision as a sentence, with the expected costs that led to it."""
    if taken.decided_by != POLICY:
        towards = taken.thema or "a voorlichter"
        return f"on {towards}, by {taken.decided_by.replace('_', ' ')}"
    names = {"route": "to route on", "confirm": "to ask whether it is", "repeat": "to ask again"}
    text = names.get(taken.action, "to offer a menu" if taken.action == "choose" else "on a human")
    if taken.action in ("route", "confirm"):
        text += f" {taken.thema}"
    costs = taken.costs or {}
    priced = sorted((price, action) for action, price in costs.items() if price is not None)
    if priced:
        text += "; expected seconds: " + ", ".join(f"{name} {price:.1f}" for price, name in priced)
    return text


def ranking(taken: Decision | None) -> tuple[Mapping[str, Any], ...]:
    """The ranking that was decided on, likeliest first."""
    ranks = () if taken is None else taken.ranking or ()
    return tuple({"thema": thema, "probability": round(share, 6)} for thema, share in ranks)


def transfers(call: Call | None) -> tuple[Mapping[str, Any], ...]:
    """Every attempt to hand the caller over."""
    attempts = () if call is None else call.transfers
    return tuple(
        {
            "group": attempt.group,
            "method": attempt.method,
            "result": attempt.result,
            "sip_status": attempt.sip_status,
            "seconds": _rounded(attempt.seconds),
        }
        for attempt in attempts
    )


def latencies(call: Call | None) -> tuple[Mapping[str, Any], ...]:
    """One object a turn: the turn's number, and milliseconds by stage."""
    turns: dict[int, dict[str, Any]] = {}
    for item in () if call is None else call.latencies:
        if item.seconds is not None:
            turn = turns.setdefault(item.turn, {"turn": item.turn})
            turn[item.stage] = round(1000 * item.seconds, 1)
    return tuple(turns[number] for number in sorted(turns))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
