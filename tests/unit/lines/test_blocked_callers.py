"""Whom ``sip.blocked_callers`` refuses."""

from __future__ import annotations

import pytest

from ivr.lines.blocked import is_blocked

SPELLINGS = ["0479123456", "+32479123456", "0032479123456", "32479123456", "0479/12.34.56"]


@pytest.mark.parametrize("rule", [*SPELLINGS, "0479 12 34 56", "0479*", "+32479*", "0032479*"])
@pytest.mark.parametrize("caller", SPELLINGS)
def test_rule_holds_for_each_spelling(rule: str, caller: str) -> None:
    """
    However the rule and the carrier spell a number, it is the same caller.
    """
    assert is_blocked(("0900*", rule), caller)


@pytest.mark.parametrize(
    ("rule", "caller"),
    [
        ("0479123456", "+32479123457"),
        ("0479123456", "+33479123456"),
        ("0479*", "+32478123456"),
        ("+32479*", "+3247"),
        ("00*", "+32479123456"),
        ("1701", "+321701"),
        ("1701*", "+32170112345"),
        ("0479123456", "anonymous"),
    ],
)
def test_rule_holds_for_nobody_else(rule: str, caller: str) -> None:
    """
    Another number, another country and the numbers of a house exchange stay welcome.
    """
    assert not is_blocked((rule,), caller)


@pytest.mark.parametrize(
    ("rule", "caller"),
    [("1701", "1701"), ("32479*", "32479123456"), ("00*", "0033123456789"), ("Spam*", "spammer")],
)
def test_rule_holds_as_written(rule: str, caller: str) -> None:
    """
    Short numbers, names, and beginnings in the carrier's own spelling.
    """
    assert is_blocked((rule,), caller)
