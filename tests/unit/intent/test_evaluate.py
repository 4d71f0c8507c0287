"""Scores of a classifier and of the decision that rests on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from intent.classifier import Classification, Ranked, TrainedClassifier
from intent.dataset import Row
from intent.evaluate import (
    PlainDecision,
    cost_of,
    evaluate,
    threshold_decision,
)
from ivr.call.rules import Costs

COSTS = Costs(
    misroute_seconds=65.0, misroute_seconds_by_thema={"onderwijs": 100.0}, confirm_seconds=6.0,
    menu_seconds=8.0, menu_option_seconds=3.0, repeat_seconds=8.0, human_seconds=45.0,
)  # fmt: skip

LABELS = ("energie", "onderwijs", "buiten-bereik", "mens", "andere-taal")


class Scripted:
    """Answers each text with the label it names and the probability after it."""

    version = "scripted"
    labels = LABELS

    def classify(
        self,
        text: str,
        *,
        confidence: float = 1.0,
        alternatives: Sequence[tuple[str, float]] = (),
    ) -> Classification:
        label, probability = text.split()[:2]
        rest = (1.0 - float(probability)) / (len(LABELS) - 1)
        ranked = [Ranked(label, float(probability))]
        ranked += [Ranked(other, rest) for other in LABELS if other != label]
        return Classification(
            ranking=tuple(ranked), language="nl", product=None, model=self.version
        )


def row(text: str, thema: str, *also: str) -> Row:
    return Row(text=text, thema=thema, also=also, family=text)


ROWS = [
    row("energie 0.9 a", "energie"),
    row("energie 0.9 b", "onderwijs"),
    row("energie 0.6 c", "onderwijs", "energie"),
    row("buiten-bereik 0.9 d", "buiten-bereik"),
    row("energie 0.6 e", "buiten-bereik"),
    row("mens 0.95 f", "mens"),
]


def test_report_counts_what_happened() -> None:
    """
    Accuracy, refusals, decisions and mistakes come from the rows, accepted alternatives included.
    """
    report = evaluate(Scripted(), ROWS, threshold_decision(0.8), COSTS)

    assert 0.6667 == report.top1
    assert report.top1_interval[0] < report.top1 < report.top1_interval[1]
    assert 0.5 == report.out_of_scope_recall
    assert 0.0 == report.good_refused
    assert 1.0 == report.human_recall
    assert report.other_language_recall is None
    assert {"choose": 2, "human": 2, "route": 2} == report.actions
    assert 0.6667 == report.routed_directly
    assert 0.5 == report.routed_wrong
    assert ["energie 0.9 b", "energie 0.6 e"] == [m.text for m in report.worst]


def test_row_counts_under_its_own_thema() -> None:
    """
    Also one that is right by ``ook_goed``; what was taken for a thema is judged the same way.
    """
    report = evaluate(Scripted(), ROWS, threshold_decision(0.8), COSTS)

    assert {"count": 2, "recall": 0.5, "precision": None} == report.per_thema["onderwijs"]
    assert {"count": 1, "recall": 1.0, "precision": 0.5} == report.per_thema["energie"]


def test_mistake_made_often_is_shown_once() -> None:
    """
    It weighs as often as it was asked, and leaves the list to others.
    """
    report = evaluate(Scripted(), [*ROWS, ROWS[1]], threshold_decision(0.8), COSTS)

    assert len(ROWS) + 1 == report.texts
    assert ["energie 0.9 b", "energie 0.6 e"] == [m.text for m in report.worst]


def test_mistake_is_explained_by_what_it_resembles() -> None:
    """
    The words that spoke for it, and the training utterances nearest to it.
    """
    model = Path(__file__).parents[3] / "models" / "intent-nl"
    classifier = TrainedClassifier.load(model)

    report = evaluate(
        classifier, [row("mijn rijbewijs is vervallen", "energie")], threshold_decision(0.8), COSTS
    )

    assert "rijbewijs" in [word for word, _ in report.worst[0].words]
    assert "mobiliteit" == report.worst[0].nearest[0].thema


def test_report_is_json() -> None:
    """
    Programs read the same figures.
    """
    report = evaluate(Scripted(), ROWS, threshold_decision(0.8), COSTS)

    back = json.loads(json.dumps(report.as_dict()))

    assert report.top1 == back["top1"]
    keys = {"action", "expected", "nearest", "probability", "text", "thema", "words"}
    assert keys == set(back["worst"][0])
    assert 20.0 == back["decisions"]["seconds_per_call_keypad_menu"]


@pytest.mark.parametrize(
    ("decision", "wanted", "cost"),
    [
        (PlainDecision("route", "energie"), "energie", 0.0),
        (PlainDecision("route", "energie"), "onderwijs", 65.0),
        (PlainDecision("route", "energie"), "mens", 65.0),
        (PlainDecision("route", "onderwijs"), "energie", 100.0),
        (PlainDecision("confirm", "energie"), "energie", 6.0),
        (PlainDecision("confirm", "energie"), "onderwijs", 51.0),
        (PlainDecision("choose", options=("energie", "onderwijs")), "onderwijs", 14.0),
        (PlainDecision("choose", options=("energie",)), "mens", 11.0),
        (PlainDecision("human"), "mens", 0.0),
        (PlainDecision("human"), "energie", 45.0),
        (PlainDecision("repeat"), "energie", 53.0),
    ],
)
def test_every_outcome_has_its_seconds(decision: PlainDecision, wanted: str, cost: float) -> None:
    """
    A person is right for a non-thema and one conversation too many for a thema.
    """
    assert cost == cost_of(decision, frozenset([wanted]), COSTS)


def test_nothing_to_evaluate_is_an_error() -> None:
    """
    No rows, no figures.
    """
    with pytest.raises(ValueError, match="no rows"):
        evaluate(Scripted(), [], threshold_decision(), COSTS)
