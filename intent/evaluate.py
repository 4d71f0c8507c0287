"""Measure a classifier and the decisions on it against labelled questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from intent.catalogue import HUMAN, NON_THEMAS, OTHER_LANGUAGE, OUT_OF_SCOPE, Catalogue
from intent.classifier import Classification, Classifier, TrainedClassifier
from intent.dataset import Row
from intent.explain import Nearest, Neighbours, word_weights
from intent.report import score_card, wilson
from intent.text import normalise

WORST: Final = 10
"""Mistakes that a report explains unless told otherwise."""

KEYPAD_MENU_SECONDS: Final = 20.0
"""Everyone through a keypad menu of all themas, answered right: the upper published figure."""


class Decided(Protocol):
    """What evaluation reads of a decision; ``ivr.call.policy.Decision`` is one."""

    @property
    def action(self) -> str:
        """``route``, ``confirm``, ``choose``, ``repeat`` or ``human``."""

    @property
    def thema(self) -> str | None:
        """For ``route`` and ``confirm``."""

    @property
    def options(self) -> tuple[str, ...]:
        """For ``choose``, in menu order."""


class OutcomeCosts(Protocol):
    """Seconds of citizen and voorlichter time; ``ivr.call.rules.Costs`` is one.

    An outcome is charged what the decision reckoned with: both get their costs from the caller.
    """

    @property
    def confirm_seconds(self) -> float:
        """Asking whether a thema is right."""

    @property
    def menu_seconds(self) -> float:
        """A menu before its first option."""

    @property
    def menu_option_seconds(self) -> float:
        """Each option of a menu."""

    @property
    def repeat_seconds(self) -> float:
        """Asking the question again."""

    @property
    def human_seconds(self) -> float:
        """A general voorlichter takes in the question and sends the caller on."""

    def misroute(self, thema: str) -> float:
        """Return the cost of sending a caller wrongly to ``thema``."""


@dataclass(frozen=True, slots=True)
class PlainDecision:
    """A decision without a cost policy."""

    action: str
    thema: str | None = None
    options: tuple[str, ...] = ()


def threshold_decision(threshold: float = 0.8) -> Callable[[Classification], PlainDecision]:
    """Return the baseline: route above a threshold, else the menu of the four likeliest."""

    def decide(found: Classification) -> PlainDecision:
        best = found.ranking[0]
        if best.thema in NON_THEMAS:
            return PlainDecision("human")
        if best.probability >= threshold:
            return PlainDecision("route", best.thema)
        themas = [r.thema for r in found.ranking if r.thema not in NON_THEMAS]
        return PlainDecision("choose", options=tuple(themas[:4]))

    return decide


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A question whose likeliest label is not acceptable."""

    text: str
    expected: str
    said: str
    probability: float
    action: str
    words: tuple[tuple[str, float], ...]
    """The words that spoke most for what was said."""
    nearest: tuple[Nearest, ...]
    """The training utterances that resemble it most."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything ``wegwijs evaluate`` prints."""

    texts: int
    top1: float
    top1_interval: tuple[float, float]
    top3: float
    top3_interval: tuple[float, float]
    calibration_error: float
    calibration_curve: tuple[Mapping[str, float], ...]
    per_thema: Mapping[str, Mapping[str, float | int | None]]
    """Rows under the thema they are labelled with; of them the share that was acceptable, and of
    what was taken for this thema the share that was acceptable."""
    confusion: tuple[tuple[int, ...], ...]
    """Shape ``(labels, labels)``: true, said. Of several acceptable labels the likeliest counts as
    true."""
    labels: tuple[str, ...]
    out_of_scope_recall: float | None
    """Share of out-of-scope questions whose likeliest label is a non-theme that is acceptable."""
    good_refused: float | None
    """Share of answerable questions whose likeliest label is ``buiten-bereik``."""
    human_recall: float | None
    other_language_recall: float | None
    actions: Mapping[str, int]
    routed_directly: float | None
    """Share of answerable questions with the action ``route``."""
    routed_wrong: float | None
    """Share of all routed questions that went to a wrong voorlichter group."""
    out_of_scope_kept: float | None
    """Share of out-of-scope questions that the decision sent to a person and not to a thema."""
    seconds_per_call: float
    seconds_keypad_menu: float
    seconds_threshold: float
    """The same with a plain threshold of 0.8 instead of the decision."""
    worst: tuple[Mistake, ...]
    model: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; the keys are stable."""
        return {
            "texts": self.texts,
            "model": self.model,
            "top1": self.top1,
            "top1_interval": list(self.top1_interval),
            "top3": self.top3,
            "top3_interval": list(self.top3_interval),
            "calibration_error": self.calibration_error,
            "calibration_curve": [dict(point) for point in self.calibration_curve],
            "per_thema": {label: dict(values) for label, values in self.per_thema.items()},
            "labels": list(self.labels),
            "confusion": [list(row) for row in self.confusion],
            "out_of_scope_recall": self.out_of_scope_recall,
            "good_refused": self.good_refused,
            "mens_recall": self.human_recall,
            "andere_taal_recall": self.other_language_recall,
            "decisions": {
                "actions": dict(self.actions),
                "routed_directly": self.routed_directly,
                "routed_wrong": self.routed_wrong,
                "out_of_scope_kept": self.out_of_scope_kept,
                "seconds_per_call": self.seconds_per_call,
                "seconds_per_call_keypad_menu": self.seconds_keypad_menu,
                "seconds_per_call_threshold": self.seconds_threshold,
            },
            "worst": [
                {
                    "text": m.text,
                    "expected": m.expected,
                    "thema": m.said,
                    "probability": m.probability,
                    "action": m.action,
                    "words": [{"word": w, "weight": v} for w, v in m.words],
                    "nearest": [
                        {"text": n.text, "thema": n.thema, "similarity": n.similarity}
                        for n in m.nearest
                    ],
                }
                for m in self.worst
            ],
        }


def evaluate(
    classifier: Classifier,
    rows: Sequence[Row],
    decide: Callable[[Classification], Decided],
    costs: OutcomeCosts,
    *,
    catalogue: Catalogue | None = None,
    confidence: float = 1.0,
    worst: int = WORST,
) -> Report:
    """Classify and decide every row and count what came of it.

    Args:
        classifier: Measured as a call would use it.
        rows: Labelled questions, at least one.
        decide: The decision policy.
        costs: What the policy reckons with.
        catalogue: Maps themas to voorlichter groups; without it a group is its thema.
        confidence: Handed to the classifier with every row.
        worst: How many mistakes to explain.

    Raises:
        ValueError: ``rows`` is empty.
    """
    if not rows:
        raise ValueError("there are no rows to evaluate")
    found = [classifier.classify(row.text, confidence=confidence) for row in rows]
    decisions = [decide(classification) for classification in found]
    labels = classifier.labels
    probabilities = np.array([_in_order(f, labels) for f in found])
    accepted = np.array([[label in row.accepted for label in labels] for row in rows])
    card = score_card(probabilities, accepted, labels)
    right = [f.ranking[0].thema in r.accepted for f, r in zip(found, rows, strict=True)]
    third = [
        any(x.thema in r.accepted for x in f.ranking[:3]) for f, r in zip(found, rows, strict=True)
    ]
    good = [not r.accepted & set(NON_THEMAS) for r in rows]
    plain = threshold_decision()
    routed = [i for i, d in enumerate(decisions) if d.action == "route"]
    group = _groups(catalogue)
    return Report(
        texts=len(rows),
        top1=_share(right) or 0.0,
        top1_interval=_interval(right),
        top3=_share(third) or 0.0,
        top3_interval=_interval(third),
        calibration_error=card["calibration_error"],
        calibration_curve=tuple(card["calibration_curve"]),
        per_thema=_per_thema(labels, rows, found, right),
        confusion=tuple(tuple(row) for row in card["confusion"]),
        labels=labels,
        out_of_scope_recall=_recall(rows, right, OUT_OF_SCOPE),
        good_refused=_share(
            [f.ranking[0].thema == OUT_OF_SCOPE for f, g in zip(found, good, strict=True) if g]
        ),
        human_recall=_recall(rows, right, HUMAN),
        other_language_recall=_recall(rows, right, OTHER_LANGUAGE),
        actions=dict(sorted(Counter(str(d.action) for d in decisions).items())),
        routed_directly=_share(
            [d.action == "route" for d, g in zip(decisions, good, strict=True) if g]
        ),
        routed_wrong=_share(
            [group(decisions[i].thema) not in {group(a) for a in rows[i].accepted} for i in routed]
        ),
        out_of_scope_kept=_share(
            [
                d.action in ("human", "repeat")
                for d, r in zip(decisions, rows, strict=True)
                if r.thema == OUT_OF_SCOPE
            ]
        ),
        seconds_per_call=_mean_seconds(decisions, rows, costs),
        seconds_keypad_menu=KEYPAD_MENU_SECONDS,
        seconds_threshold=_mean_seconds([plain(f) for f in found], rows, costs),
        worst=_worst(classifier, rows, found, decisions, worst),
        model=classifier.version,
    )


def cost_of(decision: Decided, accepted: frozenset[str], costs: OutcomeCosts) -> float:
    """Return the seconds one decision cost, knowing what the caller wanted.

    A person is the right place for a non-thema, so ``human`` costs nothing then; a refused
    confirmation and a menu without the right option end with a person.

    Args:
        decision: What was done.
        accepted: The labels that were right.
        costs: Of each outcome, in seconds.
    """
    wants_person = bool(accepted & set(NON_THEMAS))
    to_person = 0.0 if wants_person else costs.human_seconds
    match decision.action:
        case "route":
            return 0.0 if decision.thema in accepted else costs.misroute(decision.thema or "")
        case "confirm":
            return costs.confirm_seconds + (0.0 if decision.thema in accepted else to_person)
        case "choose":
            length = costs.menu_seconds + costs.menu_option_seconds * len(decision.options)
            return length + (0.0 if accepted & set(decision.options) else to_person)
        case "repeat":
            return costs.repeat_seconds + to_person
        case _:
            return to_person


def _mean_seconds(decisions: Sequence[Decided], rows: Sequence[Row], costs: OutcomeCosts) -> float:
    paid = [cost_of(d, r.accepted, costs) for d, r in zip(decisions, rows, strict=True)]
    return round(sum(paid) / len(paid), 2)


def _in_order(found: Classification, labels: Sequence[str]) -> list[float]:
    by_label = {ranked.thema: ranked.probability for ranked in found.ranking}
    return [by_label[label] for label in labels]


def _recall(rows: Sequence[Row], right: Sequence[bool], label: str) -> float | None:
    return _share([ok for row, ok in zip(rows, right, strict=True) if row.thema == label])


def _per_thema(
    labels: Sequence[str],
    rows: Sequence[Row],
    found: Sequence[Classification],
    right: Sequence[bool],
) -> dict[str, dict[str, float | int | None]]:
    """Count under the labels of the rows: a row that is right by ``ook_goed`` is its own thema's.

    A thema that the classifier does not know is counted too.
    """
    own: dict[str, list[bool]] = {label: [] for label in labels}
    said: dict[str, list[bool]] = {label: [] for label in labels}
    for row, classification, ok in zip(rows, found, right, strict=True):
        own.setdefault(row.thema, []).append(ok)
        said[classification.ranking[0].thema].append(ok)
    return {
        label: {
            "count": len(values),
            "recall": _share(values),
            "precision": _share(said.get(label, [])),
        }
        for label, values in own.items()
    }


def _share(values: Sequence[bool]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _interval(values: Sequence[bool]) -> tuple[float, float]:
    low, high = wilson(sum(values), len(values))
    return round(low, 4), round(high, 4)


def _groups(catalogue: Catalogue | None) -> Callable[[str | None], str | None]:
    """Return the mapping from a thema to its voorlichter group."""

    def group(slug: str | None) -> str | None:
        if catalogue is None or slug is None or slug not in catalogue:
            return slug
        return catalogue.thema(slug).group

    return group


def _worst(
    classifier: Classifier,
    rows: Sequence[Row],
    found: Sequence[Classification],
    decisions: Sequence[Decided],
    limit: int,
) -> tuple[Mistake, ...]:
    """Return the surest mistakes, each text once, with what explains them if the model can."""
    wrong = [
        i
        for i, (f, r) in enumerate(zip(found, rows, strict=True))
        if f.ranking[0].thema not in r.accepted
    ]
    wrong.sort(key=lambda i: -found[i].ranking[0].probability)
    once: dict[str, int] = {}
    for i in wrong:
        once.setdefault(normalise(rows[i].text), i)
    shown = list(once.values())[:limit]
    model = classifier.model if isinstance(classifier, TrainedClassifier) and shown else None
    # Its vectors take a second or two: made once, and only for mistakes.
    neighbours = None if model is None else Neighbours(model)
    mistakes = []
    for i in shown:
        best = found[i].ranking[0]
        words: tuple[tuple[str, float], ...] = ()
        nearest: tuple[Nearest, ...] = ()
        if model is not None and neighbours is not None:
            weights = word_weights(model, rows[i].text, best.thema)
            words = tuple((w.word, w.weight) for w in weights)
            nearest = neighbours.nearest(rows[i].text)
        mistakes.append(
            Mistake(
                text=rows[i].text,
                expected=rows[i].thema,
                said=best.thema,
                probability=round(best.probability, 4),
                action=str(decisions[i].action),
                words=words,
                nearest=nearest,
            )
        )
    return tuple(mistakes)
