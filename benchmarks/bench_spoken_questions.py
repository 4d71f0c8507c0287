"""From speech to thema: held-out questions said by espeak-ng, recognised, classified and decided.

The way of a call without telephony: callers with voices that nothing was trained on speak over a
simulated telephone, the embedded recogniser transcribes, and the classifier gets transcript,
confidence and n-best. Beside it stand the same questions as written, and the recogniser's
transcript taken for certain: what its confidence and its other readings are worth.

    python benchmarks/bench_spoken_questions.py [--json] [--minutes 5]
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asr.engines import load_engine
from asr.recogniser import Transcript
from benchmarks.common import Measurement, arguments, finish, report
from intent.catalogue import OTHER_LANGUAGE, load_catalogue
from intent.classifier import Classification, TrainedClassifier
from intent.dataset import Row, read_training_rows
from intent.evaluate import Report, evaluate
from ivr.call.rules import Costs
from ivr.learning.deciding import decider
from ivr.learning.spoken_questions import HELD_OUT_VOICES, in_order, listen

ROOT = Path(__file__).parents[1]
DATA = ROOT / "training_data"
MODEL = ROOT / "models" / "intent-nl"
NAME = "spoken_questions"
SEED = 7


@dataclass(frozen=True)
class Hearing:
    """A classifier that is given text and knows what was heard of it."""

    inner: TrainedClassifier
    heard: Mapping[str, Transcript]
    certain: bool
    """Whether the transcript is taken as if it were written."""

    @property
    def version(self) -> str:
        """Of the model."""
        return self.inner.version

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the model."""
        return self.inner.labels

    def classify(
        self,
        text: str,
        *,
        confidence: float = 1.0,
        alternatives: Sequence[tuple[str, float]] = (),
    ) -> Classification:
        """Classify the transcript of ``text``."""
        found = self.heard[text]
        if self.certain:
            return self.inner.classify(found.text)
        return self.inner.classify(
            found.text,
            confidence=found.confidence,
            alternatives=[(a.text, a.confidence) for a in found.alternatives],
        )


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=5.0, help="stop listening after so many")
    options = parser.parse_args()
    outcome = report(as_json=options.json, packages=["numpy", "scikit-learn", "vosk"])
    catalogue = load_catalogue(DATA)
    decision = decider(catalogue, Costs())
    classifier = TrainedClassifier.load(MODEL, catalogue)
    asked = [r for r in read_training_rows(DATA, catalogue.labels) if r.split == "test"]
    engine = load_engine()
    end = monotonic() + 60 * options.minutes
    heard: dict[str, Transcript] = {}
    rows: list[Row] = []
    spoken = listen(engine, in_order(asked, seed=SEED), voices=HELD_OUT_VOICES, seed=SEED)
    for item in spoken:
        heard[item.row.text] = item.transcript
        rows.append(item.row)
        if monotonic() > end:
            break
    spoken.close()
    foreign = [row for row in rows if row.thema == OTHER_LANGUAGE and row.language != "nl"]

    def measured(certain: bool, on: Sequence[Row]) -> Report:
        which = Hearing(classifier, heard, certain)
        return evaluate(which, on, decision, Costs(), catalogue=catalogue)

    whole, certain = measured(False, rows), measured(True, rows)
    written = evaluate(classifier, rows, decision, Costs(), catalogue=catalogue)
    data = f"{len(rows)} held-out questions spoken by espeak-ng"

    def add(metric: str, value: float | None, baseline: float | None, *, higher: bool) -> None:
        if value is not None:
            outcome.add(
                Measurement(
                    benchmark=NAME, metric=metric, value=value, unit="share", baseline=baseline,
                    higher_is_better=higher, model=f"{classifier.version}, {engine.model}",
                    data=data,
                )
            )  # fmt: skip

    for name, one, other in (
        ("baseline: transcript taken for certain", whole, certain),
        ("baseline: as written", whole, written),
    ):
        add(f"top-1, {name}", one.top1, other.top1, higher=True)
        add(f"routed directly, {name}", one.routed_directly, other.routed_directly, higher=True)
        add(f"wrong group, {name}", one.routed_wrong, other.routed_wrong, higher=False)
        add(
            f"calibration error, {name}", one.calibration_error, other.calibration_error,
            higher=False,
        )  # fmt: skip
    if foreign:
        lost, taken = measured(False, foreign), measured(True, foreign)
        add("other languages recognised", lost.top1, taken.top1, higher=True)
        add(
            "other languages sent to a thema",
            lost.actions.get("route", 0) / len(foreign),
            taken.actions.get("route", 0) / len(foreign),
            higher=False,
        )
    engine.close()
    finish(outcome)


if __name__ == "__main__":
    main()
