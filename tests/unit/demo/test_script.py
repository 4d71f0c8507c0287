"""What a demo caller can be told to do."""

from __future__ import annotations

import pytest

from ivr.demo.script import Step, StepKind, parse_step


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("say:vraag.wav", Step(StepKind.SAY, "vraag.wav")),
        ("say:a@b/vraag.wav@2.5", Step(StepKind.SAY, "a@b/vraag.wav", 2.5)),
        ("say:a@b/vraag.wav", Step(StepKind.SAY, "a@b/vraag.wav")),
        ("digits:1#", Step(StepKind.DIGITS, "1#")),
        ("digits:0@3", Step(StepKind.DIGITS, "0", 3.0)),
        ("hangup", Step(StepKind.HANG_UP)),
        ("hangup@10", Step(StepKind.HANG_UP, "", 10.0)),
    ],
)
def test_step(text: str, step: Step) -> None:
    """
    A deed, what with, and when.
    """
    assert step == parse_step(text)


@pytest.mark.parametrize(
    "text", ["", "sing", "say:", "digits:", "digits:x", "hangup:now", "digits:1@-1", "digits:1@nan"]
)
def test_nonsense_is_explained(text: str) -> None:
    """
    The message shows what a step looks like.
    """
    with pytest.raises(ValueError, match="write say:FILE"):
        parse_step(text)
