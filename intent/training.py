"""Train a calibrated model from the data folder; seeded and reproducible."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import scipy
import sklearn
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.naive_bayes import ComplementNB
from sklearn.svm import LinearSVC

from intent.augment import Augmenter
from intent.catalogue import OTHER_LANGUAGE, OUT_OF_SCOPE, Catalogue, load_catalogue
from intent.corpus import ALWAYS, Corpus, Document, fold_of, matrix
from intent.dataset import Row, fingerprint
from intent.errors import TrainingDataError
from intent.features import FeatureSpace
from intent.language import LanguageModel
from intent.model import Evidence, Floats, Head, Model
from intent.plots import plots
from intent.report import score_card
from intent.storage import save_model
from intent.text import normalise

FOLDS: Final = 4
DEFAULT_SEED: Final = 1700
_MANY_ROWS: Final = 10_000
"""With more utterances two folds are enough to fit ten numbers."""

FEWEST_ROWS: Final = 5
"""Fewest written training utterances of a label."""

_STRENGTH: Final = 0.3
"""Inverse regularisation of the support vector machine; chosen by intent/compare.py."""

_OUT_OF_SCOPE_SHARE: Final = 2.5
"""Calls outside our reach against those for one thema: about one call in six or seven."""

_SMOOTHING: Final = 0.05
"""Of complement naive Bayes; chosen by intent/compare.py."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A trained model on disk."""

    version: str
    directory: Path
    card: dict[str, Any]
    """What ``model.json`` holds: fingerprint, scores per thema, confusion matrix, calibration."""


@dataclass(frozen=True)
class OutOfFold:
    """Evidence of texts by a model that never saw their family."""

    logits: Floats
    """Shape ``(texts, labels)``, of the support vector machine."""
    counts: Floats
    """Shape ``(texts, labels)``, of naive Bayes."""
    unknown: Floats
    foreign: Floats
    length: Floats
    confidence: Floats
    accepted: NDArray[np.bool_]
    """Shape ``(texts, labels)``."""
    weight: Floats

    def probabilities(self, head: Head, share: float, labels: Sequence[str]) -> Floats:
        """Calibrate with ``head``; shape ``(texts, labels)``.

        Args:
            head: The calibration.
            share: How much of the naive Bayes score is added to the logits.
            labels: Names of the columns.
        """
        return head.probabilities(
            self.logits + share * self.counts,
            self.unknown,
            self.foreign,
            self.length,
            self.confidence,
            scope=labels.index(OUT_OF_SCOPE),
            language=labels.index(OTHER_LANGUAGE),
        )


def train(
    data_dir: Path,
    out_dir: Path,
    *,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
    folds: int = FOLDS,
) -> ModelVersion:
    """Train from ``data_dir`` and write the version's folder under ``out_dir``.

    Nothing is written to ``out_dir`` before the model is complete; an older version of the same
    name is replaced.

    Args:
        data_dir: Holds ``catalogue.toml``, ``products/``, ``utterances/`` and, optionally,
            ``lexicon/``, ``languages/`` and ``confusions.tsv``.
        out_dir: Where versions are kept; made when absent.
        seed: The same seed and data give the same version.
        progress: Told what is being done and which share of the work is done, 0..1.
        folds: Parts for calibration, at least 2.

    Returns:
        The new version. It is not promoted.

    Raises:
        CatalogueError: The catalogue cannot be used.
        TrainingDataError: A data file cannot be used, or a label has too few utterances.
    """
    tell = progress or (lambda _what, _share: None)
    tell("reading", 0.0)
    catalogue = load_catalogue(data_dir)
    corpus = Corpus.read(data_dir, catalogue)
    check_enough(data_dir, corpus)
    model, probabilities, accepted = fit(corpus, seed=seed, folds=folds, progress=tell)
    tell("scoring", 0.93)
    card = {
        "seed": seed,
        "folds": folds,
        "data": {
            "utterances": fingerprint(corpus.rows),
            "catalogue": catalogue.fingerprint,
            "rows_trained": len(corpus.train),
            "rows_held_out": len(corpus.held_out),
        },
        "labels": list(model.labels),
        "features": len(model.features),
        "libraries": {
            "numpy": np.__version__,
            "python": platform.python_version(),
            "scikit-learn": sklearn.__version__,
            "scipy": scipy.__version__,
        },
        "calibration": {
            "head": {name: getattr(model.head, name) for name in Head.__dataclass_fields__},
            **score_card(probabilities, accepted, model.labels),
        },
        "held_out": _held_out_scores(model, corpus),
    }
    tell("writing", 0.97)
    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out_dir, prefix=".training-") as work:
        draft = Path(work) / "model"
        draft.mkdir()
        for name, picture in plots(card).items():
            (draft / name).write_text(picture, encoding="utf-8")
        version = save_model(draft, model, card)
        final = out_dir / version
        if final.exists():
            shutil.rmtree(final)
        draft.rename(final)
    tell("done", 1.0)
    return ModelVersion(version=version, directory=final, card=card)


def check_enough(data_dir: Path, corpus: Corpus) -> None:
    """Refuse labels with fewer than ``FEWEST_ROWS`` training utterances.

    Raises:
        TrainingDataError: Names the label.
    """
    for label in corpus.catalogue.labels:
        count = sum(row.thema == label for row in corpus.train)
        if count < FEWEST_ROWS:
            raise TrainingDataError(
                data_dir / "utterances" / f"{label}.tsv", 0,
                f"thema {label!r} has {count} utterances to train on",
                remedy=f"write at least {FEWEST_ROWS}, or remove it from catalogue.toml",
            )  # fmt: skip


def fit(
    corpus: Corpus, *, seed: int, folds: int = FOLDS, progress: Progress | None = None
) -> tuple[Model, Floats, NDArray[np.bool_]]:
    """Fit the linear models, calibrate them on out-of-fold evidence, fit them on everything.

    Args:
        corpus: What to train on.
        seed: Of every random choice.
        folds: Parts for calibration.
        progress: As in :func:`train`.

    Returns:
        The model; and, for its card, the out-of-fold probabilities with what was acceptable, both
        of shape ``(texts, labels)``.
    """
    tell = progress or (lambda _what, _share: None)
    labels = corpus.catalogue.labels
    documents = corpus.documents(seed=seed, folds=folds)
    languages = LanguageModel.learn(corpus.language_samples())
    parts = []
    scored = min(folds, 2) if len(corpus.train) > _MANY_ROWS else folds
    for fold in range(scored):
        tell("calibrating", 0.05 + 0.7 * fold / scored)
        known = [d for d in documents if d.fold != fold]
        partial = _fit_linear(known, labels, languages)
        rows = [row for row in corpus.train if fold_of(row.family, folds) == fold]
        parts.append(_evidence(partial, rows, corpus, Random(seed + 1 + fold)))
    oof = _join(parts)
    head, share = fit_head(oof, labels)
    tell("fitting", 0.75)
    whole = _fit_linear(documents, labels, languages)
    weights = whole.machine.weights + share * whole.bayes
    examples = tuple((normalise(row.text), row.thema) for row in corpus.train)
    model = replace(
        whole.machine,
        # Rounded as they are stored.
        weights=weights.astype(np.float16).astype(np.float32),
        head=head,
        examples=examples,
    )
    return model, oof.probabilities(head, share, labels), oof.accepted


@dataclass(frozen=True, slots=True)
class Linear:
    """Two linear models over the same features."""

    machine: Model
    bayes: NDArray[np.float32]
    """Weights of complement naive Bayes, shape ``(features, labels)``."""


def _fit_linear(
    documents: Sequence[Document], labels: Sequence[str], languages: LanguageModel
) -> Linear:
    """Fit a linear support vector machine and naive Bayes, every label weighing the same.

    The machine separates what it has seen often; naive Bayes gives a word of a single document
    its full weight. Their sum does better than either on families that training has not seen.
    """
    space = FeatureSpace.learn(d.words for d in documents if d.clean)
    target = np.array([d.label for d in documents])
    weight = np.array([d.weight for d in documents])
    totals = np.bincount(target, weight, minlength=len(labels))
    weight *= len(documents) / len(labels) / totals[target]
    vectors = matrix(space, [d.words for d in documents])
    linear = LinearSVC(C=_STRENGTH, tol=1e-3, random_state=DEFAULT_SEED)
    linear.fit(vectors, target, sample_weight=weight)
    bayes = ComplementNB(alpha=_SMOOTHING).fit(vectors, target, sample_weight=weight)
    scores = bayes.feature_log_prob_.T
    return Linear(
        Model(
            tuple(labels),
            space,
            np.ascontiguousarray(linear.coef_.T).astype(np.float32),
            linear.intercept_.astype(np.float32),
            languages,
            Head(),
        ),
        np.ascontiguousarray(scores - scores.mean(axis=1, keepdims=True)).astype(np.float32),
    )


def _evidence(linear: Linear, rows: Sequence[Row], corpus: Corpus, rng: Random) -> OutOfFold:
    """Collect evidence of rows as written, wrapped and misheard, with plausible confidence."""
    augmenter = Augmenter(corpus.confusions)
    model, by_count = linear.machine, replace(linear.machine, weights=linear.bayes)
    found: list[Evidence] = []
    counts: list[Floats] = []
    confidence: list[float] = []
    accepted: list[list[bool]] = []
    weight: list[float] = []
    for row in rows:
        text = normalise(row.text)
        wrapped = augmenter.wrap(text, rng)
        rate = rng.choice((0.1, 0.2, 0.3, 0.5))
        variants = (
            (text, 1.0, 1.0),
            (augmenter.corrupt(text, 0.2, rng), 1.0, 0.7),
            (wrapped, min(1.0, rng.uniform(0.8, 1.05)), 0.5),
            (
                augmenter.corrupt(wrapped, rate, rng),
                min(1.0, max(0.05, 1.0 - rate + rng.gauss(0.0, 0.1))),
                0.5,
            ),
        )
        for variant, sure, share in variants:
            words = variant.split()
            found.append(model.evidence(words))
            counts.append(by_count.evidence(words).logits - model.bias)
            confidence.append(sure)
            accepted.append([label in row.accepted for label in model.labels])
            weight.append(share)
    return OutOfFold(
        np.array([e.logits for e in found]).reshape(len(found), len(model.labels)),
        np.array(counts).reshape(len(found), len(model.labels)),
        np.array([e.unknown for e in found]),
        np.array([e.foreign for e in found]),
        np.array([float(e.words) for e in found]),
        np.array(confidence),
        np.array(accepted, dtype=bool).reshape(len(found), len(model.labels)),
        np.array(weight),
    )


def _join(parts: Sequence[OutOfFold]) -> OutOfFold:
    return OutOfFold(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in OutOfFold.__dataclass_fields__
        )
    )


def fit_head(oof: OutOfFold, labels: Sequence[str]) -> tuple[Head, float]:
    """Fit the calibration and the share of naive Bayes; every thema weighs the same.

    By maximum likelihood of the likeliest acceptable label.

    Args:
        oof: Out-of-fold evidence.
        labels: Columns of the evidence.

    Returns:
        The calibration and the share.
    """
    main = oof.accepted.argmax(axis=1)
    counts = np.bincount(main, oof.weight, minlength=len(labels))
    weight = oof.weight / np.maximum(counts[main], 1e-9)
    weight[main == labels.index(OUT_OF_SCOPE)] *= _OUT_OF_SCOPE_SHARE
    weight /= weight.sum()

    def loss(values: NDArray[np.float64]) -> float:
        *head, share = values.tolist()
        probabilities = oof.probabilities(Head.of(head), share, labels)
        best = np.where(oof.accepted, probabilities, 0.0).max(axis=1)
        return float(-(weight * np.log(best + 1e-12)).sum() + 1e-3 * (values**2).sum() / 10)

    start = np.zeros(len(Head.__dataclass_fields__) + 1)
    result = minimize(loss, start, method="L-BFGS-B", options={"maxiter": 60})
    *head, share = result.x.tolist()
    return Head.of(head), float(share)


def _held_out_scores(model: Model, corpus: Corpus) -> dict[str, Any]:
    """Score the rows that were never trained on, as written."""
    rows = corpus.held_out
    if not rows:
        return {}
    probabilities = np.array([model.probabilities(normalise(r.text).split(), 1.0) for r in rows])
    accepted = np.array([[label in r.accepted for label in model.labels] for r in rows])
    return score_card(probabilities, accepted, model.labels)


__all__ = [
    "ALWAYS", "DEFAULT_SEED", "FOLDS", "Catalogue", "ModelVersion", "OutOfFold", "fit",
    "fit_head", "train",
]  # fmt: skip
