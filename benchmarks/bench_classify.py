"""From words to thema: quality on the held-out questions and speed, beside three baselines.

Quality is measured on the rows of ``training_data/utterances`` that are never trained on, as
written and with 20 % of the words misheard. Baselines in the same run: always the busiest thema,
a bag-of-words naive Bayes on the same training rows, and a router that asks the catalogue's
product search. Times are CPU time of the thread: one core, whatever else runs.

    python benchmarks/bench_classify.py [--json] [--data FILE.tsv] [--quick]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Measurement, arguments, fingerprint, finish, percentile, report
from intent.augment import Augmenter
from intent.catalogue import Catalogue, load_catalogue
from intent.classifier import Classification, Classifier, Ranked, TrainedClassifier
from intent.confusions import load_confusions
from intent.dataset import Row, read_rows, read_training_rows
from intent.evaluate import Report, evaluate
from intent.products import Product, ProductIndex
from intent.storage import ARRAYS
from intent.text import normalise, tokens
from intent.training import train
from ivr.call.rules import Costs
from ivr.learning.deciding import decider

ROOT = Path(__file__).parents[1]
DATA = ROOT / "training_data"
MODEL = ROOT / "models" / "intent-nl"
WORD_ERRORS = 0.2
MISHEARD_COPIES = 3
NAME = "classify"


class Scored:
    """A baseline: scores per label from normalised words, as a :class:`Classifier`."""

    def __init__(
        self, name: str, labels: Sequence[str], score: Callable[[str], Sequence[float]]
    ) -> None:
        self.version = name
        self.labels = tuple(labels)
        self._score = score

    def classify(
        self,
        text: str,
        *,
        confidence: float = 1.0,
        alternatives: Sequence[tuple[str, float]] = (),
    ) -> Classification:
        """Rank by the scores, scaled to sum to one."""
        scores = np.asarray(self._score(normalise(text)), dtype=float)
        scores = (
            scores / scores.sum() if scores.sum() > 0 else np.full(len(scores), 1 / len(scores))
        )
        order = np.argsort(-scores, kind="stable")
        ranking = tuple(Ranked(self.labels[i], float(scores[i])) for i in order)
        return Classification(ranking=ranking, language="nl", product=None, model=self.version)


def majority(rows: Sequence[Row], catalogue: Catalogue) -> Classifier:
    """Always the order of the training rows' frequencies."""
    counts = Counter(row.thema for row in rows)
    return Scored("majority", catalogue.labels, lambda _: [counts[x] for x in catalogue.labels])


def naive_bayes(rows: Sequence[Row], catalogue: Catalogue) -> Classifier:
    """Multinomial naive Bayes over word counts, smoothing 1: what a textbook starts with."""
    words = CountVectorizer(tokenizer=str.split, token_pattern=None)
    counts = words.fit_transform([normalise(row.text) for row in rows])
    bayes = MultinomialNB().fit(counts, [catalogue.labels.index(row.thema) for row in rows])
    return Scored(
        "naive-bayes",
        catalogue.labels,
        lambda text: bayes.predict_proba(words.transform([text]))[0].tolist(),
    )


def retrieval(catalogue: Catalogue) -> Classifier:
    """The themas of the products that the search finds; buiten-bereik when it finds none."""

    def score(text: str) -> list[float]:
        scores = dict.fromkeys(catalogue.labels, 0.0)
        for hit in catalogue.search(text, 5):
            scores[hit.thema] = max(scores[hit.thema], hit.score)
        if not any(scores.values()):
            scores["buiten-bereik"] = 1.0
        return [scores[label] for label in catalogue.labels]

    return Scored("retrieval", catalogue.labels, score)


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, help="labelled TSV instead of the held-out part")
    parser.add_argument("--quick", action="store_true", help="without training 20,000 utterances")
    options = parser.parse_args()
    outcome = report(as_json=options.json, packages=["numpy", "scipy", "scikit-learn"])

    catalogue = load_catalogue(DATA)
    decision = decider(catalogue, Costs())
    classifier = TrainedClassifier.load(MODEL, catalogue)
    everything = read_training_rows(DATA, catalogue.labels)
    known = [row for row in everything if row.split == "train"]
    if options.data:
        rows, data = read_rows(options.data, catalogue.labels), fingerprint(options.data)
    else:
        rows = [row for row in everything if row.split == "test"]
        data = f"held-out part, {len(rows)} rows"
    augmenter, rng = Augmenter(load_confusions(DATA / "confusions.tsv")), Random(1700)
    misheard = [
        Row(
            text=augmenter.corrupt(normalise(row.text), WORD_ERRORS, rng),
            thema=row.thema,
            also=row.also,
            family=row.family,
            split=row.split,
        )
        for row in rows
        for _ in range(MISHEARD_COPIES)
    ]

    def add(
        metric: str,
        value: float | None,
        unit: str,
        *,
        target: float | None = None,
        higher: bool = False,
        baseline: float | None = None,
        tails: Sequence[float] | None = None,
        about: str = data,
    ) -> None:
        if value is None:
            return
        p50, p95, p99 = (
            (percentile(tails, p) for p in (50, 95, 99)) if tails else (None, None, None)
        )
        outcome.add(
            Measurement(
                benchmark=NAME,
                metric=metric,
                value=value,
                unit=unit,
                p50=p50,
                p95=p95,
                p99=p99,
                baseline=baseline,
                target=target,
                higher_is_better=higher,
                model=classifier.version,
                data=about,
            )
        )

    def measured(which: Classifier, on: Sequence[Row]) -> Report:
        return evaluate(which, on, decision, Costs(), catalogue=catalogue)

    clean, noisy = measured(classifier, rows), measured(classifier, misheard)
    others = [majority(known, catalogue), naive_bayes(known, catalogue), retrieval(catalogue)]
    plain = {other.version: measured(other, rows) for other in others}
    worse = {other.version: measured(other, misheard) for other in others}
    for name in plain:
        add(f"top-1, baseline {name}", plain[name].top1, "share", higher=True)
        add(f"top-1 misheard, baseline {name}", worse[name].top1, "share", higher=True)
        add(f"seconds per call, baseline {name}", plain[name].seconds_per_call, "s")
    bayes = plain["naive-bayes"]
    add("top-1", clean.top1, "share", target=0.85, higher=True, baseline=bayes.top1)
    add("top-3", clean.top3, "share", target=0.95, higher=True, baseline=bayes.top3)
    add(
        "top-1 lost at 20 % word errors",
        clean.top1 - noisy.top1,
        "share",
        target=0.06,
        baseline=bayes.top1 - worse["naive-bayes"].top1,
    )
    add(
        "out-of-scope recall",
        clean.out_of_scope_recall,
        "share",
        target=0.80,
        higher=True,
        baseline=bayes.out_of_scope_recall,
    )
    add("good questions refused", clean.good_refused, "share", target=0.04)
    add("mens recall", clean.human_recall, "share", target=0.95, higher=True)
    add("andere-taal recall", clean.other_language_recall, "share", target=0.95, higher=True)
    add(
        "expected calibration error",
        clean.calibration_error,
        "share",
        target=0.04,
        baseline=bayes.calibration_error,
    )
    add("expected calibration error, misheard", noisy.calibration_error, "share", target=0.04)
    add("routed directly", clean.routed_directly, "share", target=0.70, higher=True)
    add("routed to a wrong group", clean.routed_wrong, "share", target=0.05)
    add(
        "seconds per call",
        clean.seconds_per_call,
        "s",
        baseline=clean.seconds_keypad_menu,
        target=clean.seconds_keypad_menu,
    )
    add("seconds per call, plain threshold", clean.seconds_threshold, "s")

    texts = [row.text for row in (*rows, *misheard)]
    for text in texts[:50]:
        decision(classifier.classify(text))
    spent = []
    for text in texts:
        start = time.thread_time()
        decision(classifier.classify(text))
        spent.append(1000 * (time.thread_time() - start))
    p99 = percentile(spent, 99)
    add("classification and decision, p99", p99, "ms", target=1.0, tails=spent)

    start = time.thread_time()
    TrainedClassifier.load(MODEL, load_catalogue(DATA))
    add("load model and catalogue", time.thread_time() - start, "CPU s", target=1.0)
    size = sum(file.stat().st_size for file in MODEL.iterdir()) / 2**20
    add("model size", size, "MiB", target=8.0, about=fingerprint(MODEL / ARRAYS))

    many = many_products(catalogue, 10_000)
    index = ProductIndex(many)
    searched = []
    for text in texts[:400]:
        start = time.thread_time()
        index.search(text, 5)
        searched.append(1000 * (time.thread_time() - start))
    p99 = percentile(searched, 99)
    about = f"{len(many)} products"
    add("product search, p99", p99, "ms", target=5.0, tails=searched, about=about)

    if not options.quick:
        with tempfile.TemporaryDirectory() as folder:
            again = train(DATA, Path(folder)).version
            same = float(again == classifier.version)
            add("embedded version made again", same, "share", target=1.0, higher=True, about=again)
        with tempfile.TemporaryDirectory() as folder:
            seconds = train_many(Path(folder), known, augmenter, 20_000)
        add("train 20,000 utterances", seconds, "CPU s", target=60.0, about="varied training rows")
    finish(outcome)


def many_products(catalogue: Catalogue, count: int) -> list[Product]:
    """The catalogue's own names, joined two by two until there are ``count`` products."""
    rng = Random(5)
    names = [name for product in catalogue.products for name in product.names]
    return [
        Product(name=f"{rng.choice(names)} {rng.choice(names)}", thema="energie")
        for _ in range(count)
    ]


def train_many(folder: Path, rows: Sequence[Row], augmenter: Augmenter, count: int) -> float:
    """Train on ``count`` varied utterances; return the CPU seconds of the whole training."""
    rng = Random(9)
    data = folder / "data"
    (data / "utterances").mkdir(parents=True)
    (data / "catalogue.toml").write_bytes((DATA / "catalogue.toml").read_bytes())
    lines = ["text\tthema\tfamily\n"]
    seen: set[str] = set()
    while len(seen) < count:
        row = rng.choice(rows)
        text = augmenter.wrap(augmenter.fill_slots(normalise(row.text), rng), rng)
        if tokens(text) and text not in seen:
            seen.add(text)
            lines.append(f"{text}\t{row.thema}\t{row.family}\n")
    contradictory = Counter(normalise(line.split("\t")[0]) for line in lines[1:])
    kept = [lines[0], *(x for x in lines[1:] if contradictory[normalise(x.split("\t")[0])] == 1)]
    (data / "utterances" / "all.tsv").write_text("".join(kept), encoding="utf-8")
    start = time.process_time()
    train(data, folder / "models")
    return time.process_time() - start


if __name__ == "__main__":
    main()
