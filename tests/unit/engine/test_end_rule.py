"""The pause that ends a turn follows what the partials say."""

from __future__ import annotations

from asr.recogniser import Partial
from intent.classifier import Classification, Ranked
from ivr.call.ranking import ranking_of
from ivr.call.rules import Pauses
from ivr.engine.end_rule import PauseByCertainty
from tests.fakes.speech import ranking
from tests.unit.engine.stage import RULES

PAUSES = Pauses(settled_ms=400, usual_ms=700, unsettled_ms=900)


def said(*ranked: Ranked) -> Classification:
    return Classification(ranking=ranked, language="nl", product=None, model="m")


def heard(*partials: tuple[str, float]) -> list[int]:
    """The pauses that were asked for while these were the likeliest."""
    end = PauseByCertainty(RULES, PAUSES)
    asked = [end.pause_ms]
    for number, (thema, probability) in enumerate(partials):
        end.heard(Partial("", "", 0.9), said(*ranking(thema, probability)), 0.1 * number)
        if end.pause_ms != asked[-1]:
            asked.append(end.pause_ms)
    return asked[1:]


def test_one_sure_partial_is_not_enough() -> None:
    """
    A single one flips with the next word.
    """
    assert [] == heard(("energie", 0.97))


def test_two_that_agree_settle_it() -> None:
    """
    The third changes nothing more.
    """
    assert [400] == heard(("energie", 0.97), ("energie", 0.98), ("energie", 0.99))


def test_two_that_disagree_do_not() -> None:
    """
    Each would be routed on, to another group.
    """
    assert [] == heard(("energie", 0.97), ("onderwijs", 0.97))


def test_certainty_that_is_lost_gives_the_time_back() -> None:
    """
    The caller went on, and it became another story.
    """
    assert [400, 700] == heard(("energie", 0.97), ("energie", 0.97), ("energie", 0.7))


def test_beginning_that_points_nowhere_gets_time() -> None:
    """
    "Ja goeiemorgen, het is voor ...": nobody has come to the point yet.
    """
    assert [900, 700] == heard(("energie", 0.2), ("energie", 0.7))


def test_probabilities_are_kept_within_bounds() -> None:
    """
    Rounding in a classifier must not end a call.
    """
    ranked = ranking_of([("energie", 1.0000001), ("onderwijs", -1e-9)])

    assert [("energie", 1.0), ("onderwijs", 0.0)] == [(r.thema, r.probability) for r in ranked]
