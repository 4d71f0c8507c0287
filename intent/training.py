"""Train a calibrated model from the data folder; seeded and reproducible."""

from __future__ import annotations

import hashlib
import platform
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import scipy
import scipy.sparse as sp
import sklearn
from numpy.typing import NDArray
from sklearn.svm import LinearSVC

from intent.arithmetic import Floats, log
from intent.calibration import OutOfFold, fit_calibration, join
from intent.catalogue import OTHER_LANGUAGE, load_catalogue
from intent.corpus import Corpus, Document, fold_of, labels_and_weights, matrix
from intent.dataset import Row, fingerprint
from intent.embeddings import Embedder
from intent.errors import ModelError, TrainingDataError
from intent.features import FeatureSpace
from intent.language import LanguageModel
from intent.model import Calibration, Evidence, Model
from intent.plots import plots
from intent.report import score_card
from intent.storage import read_card, read_whole, save_model
from intent.text import normalise

FOLDS: Final = 4
_READ: Final = (
    "catalogue.toml", "confusions.tsv", "heard.tsv", "languages/*.txt", "lexicon/*.txt",
    "products/*.tsv", "utterances/*.tsv",
)  # fmt: skip
DEFAULT_SEED: Final = 1700
_MANY_ROWS: Final = 10_000
"""With more utterances two folds are enough to fit ten numbers."""

FEWEST_ROWS: Final = 5
"""Fewest written training utterances of a label."""

STRENGTH: Final = 0.3
"""Inverse regularisation of the support vector machine; chosen by intent/compare.py."""

SMOOTHING: Final = 0.05
"""Of complement naive Bayes; chosen by intent/compare.py."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A trained model on disk."""

    version: str
    directory: Path
    card: dict[str, Any]
    """What ``model.json`` holds: fingerprint, scores per thema, confusion matrix, calibration."""


def train(
    data_dir: Path,
    out_dir: Path,
    *,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
    folds: int = FOLDS,
    embeddings: Path | None = None,
) -> ModelVersion:
    """Train from ``data_dir`` and write the version's folder under ``out_dir``.

    Nothing is written to ``out_dir`` before the model is complete. A version of the same name that
    is there already and whole is left as it is: it is the same model, and may be in use.

    Args:
        data_dir: Holds ``catalogue.toml``, ``products/``, ``utterances/`` and, optionally,
            ``lexicon/``, ``languages/``, ``confusions.tsv`` and ``heard.tsv``.
        out_dir: Where versions are kept; made when absent.
        seed: Of every random choice. The same seed, data and library versions give the same
            version on every x86-64 machine, unless ``embeddings`` are learned from.
        progress: Told what is being done and which share of the work is done, 0..1.
        folds: Parts for calibration, at least 2.
        embeddings: Folder of a sentence embedding model to learn from too; the version carries
            a copy. Needs the extra ``embeddings``.

    Returns:
        The new version. It is not promoted.

    Raises:
        CatalogueError: The catalogue cannot be used.
        TrainingDataError: A data file cannot be used, or a label has too few utterances.
        ModelError: The embedding model cannot be used.
    """
    tell = progress or (lambda _what, _share: None)
    tell("reading", 0.0)
    catalogue = load_catalogue(data_dir)
    corpus = Corpus.read(data_dir, catalogue)
    check_enough(data_dir, corpus)
    embedder = Embedder.load(embeddings) if embeddings is not None else None
    model, probabilities, accepted = fit(
        corpus, seed=seed, folds=folds, progress=tell, embedder=embedder
    )
    tell("scoring", 0.93)
    card = {
        "seed": seed,
        "folds": folds,
        "data": {
            "utterances": fingerprint(corpus.rows),
            "catalogue": catalogue.fingerprint,
            "files": _fingerprint_of_files(data_dir),
            "rows_trained": len(corpus.train),
            "rows_held_out": len(corpus.held_out),
        },
        "labels": list(model.labels),
        "features": len(model.features),
        "embeddings": embedder and {"sha256": embedder.digest, "size": embedder.size},
        "libraries": {
            "numpy": np.__version__,
            "python": platform.python_version(),
            "scikit-learn": sklearn.__version__,
            "scipy": scipy.__version__,
        },
        "calibration": {
            "head": asdict(model.calibration),
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
        if not _is_whole(final):
            if final.exists():
                shutil.rmtree(final)
            draft.rename(final)
    tell("done", 1.0)
    return ModelVersion(version=version, directory=final, card=read_card(final))


def _is_whole(directory: Path) -> bool:
    try:
        read_whole(directory)
    except ModelError:
        return False
    return True


def _fingerprint_of_files(data_dir: Path) -> str:
    """Return SHA-256 over the names and content of every file that training reads."""
    digest = hashlib.sha256()
    for pattern in _READ:
        for file in sorted(data_dir.glob(pattern)):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.relative_to(data_dir).as_posix()} {content}\n".encode())
    return digest.hexdigest()


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
    corpus: Corpus,
    *,
    seed: int,
    folds: int = FOLDS,
    progress: Progress | None = None,
    embedder: Embedder | None = None,
) -> tuple[Model, Floats, NDArray[np.bool_]]:
    """Fit the linear models, calibrate them on out-of-fold evidence, fit them on everything.

    Args:
        corpus: What to train on.
        seed: Of every random choice.
        folds: Parts for calibration.
        progress: As in :func:`train`.
        embedder: Gives every text a vector beside its words.

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
        partial = _fit_linear(known, labels, languages, seed, embedder)
        rows = [row for row in corpus.train if fold_of(row.family, folds) == fold]
        parts.append(_evidence(partial, rows, corpus, Random(seed + 1 + fold)))
    oof = join(parts)
    calibration, share = fit_calibration(oof, labels)
    tell("fitting", 0.75)
    whole = _fit_linear(documents, labels, languages, seed, embedder)
    weights = whole.machine.weights + share * whole.bayes
    examples = tuple((normalise(row.text), row.thema) for row in corpus.train)
    model = replace(
        whole.machine,
        # Rounded as they are stored.
        weights=weights.astype(np.float16).astype(np.float32),
        calibration=calibration,
        examples=examples,
    )
    return model, oof.probabilities(calibration, share, labels), oof.accepted


@dataclass(frozen=True, slots=True)
class Linear:
    """Two linear models over the same features."""

    machine: Model
    """Of the support vector machine alone, not calibrated."""
    bayes: NDArray[np.float32]
    """Weights of complement naive Bayes, shape ``(features, labels)``."""


def _fit_linear(
    documents: Sequence[Document],
    labels: Sequence[str],
    languages: LanguageModel,
    seed: int,
    embedder: Embedder | None = None,
) -> Linear:
    """Fit a linear support vector machine and naive Bayes, every label weighing the same.

    The machine separates what it has seen often; naive Bayes gives a word of a single document
    its full weight. Their sum does better than either on families that training has not seen.
    """
    space = FeatureSpace.learn(d.words for d in documents if d.clean)
    target, weight = labels_and_weights(documents, len(labels))
    vectors = matrix(space, [d.words for d in documents])
    beside = vectors
    if embedder is not None:
        meant = sp.csr_matrix(embedder.matrix([d.words for d in documents]))
        beside = sp.hstack([vectors, meant], format="csr")
    linear = LinearSVC(C=STRENGTH, tol=1e-3, random_state=seed)
    linear.fit(beside, target, sample_weight=weight)
    weights = np.ascontiguousarray(linear.coef_.T).astype(np.float32)
    return Linear(
        Model(
            tuple(labels),
            space,
            weights[: len(space)],
            linear.intercept_.astype(np.float32),
            languages,
            Calibration(),
            embedder=embedder,
            # Rounded as they are stored.
            embedding_weights=None
            if embedder is None
            else weights[len(space) :].astype(np.float16).astype(np.float32),
        ),
        _complement_bayes(vectors, target, weight, len(labels)),
    )


def _complement_bayes(
    vectors: sp.csr_matrix, target: NDArray[np.int64], weight: Floats, labels: int
) -> NDArray[np.float32]:
    """Return the weights of complement naive Bayes, shape ``(features, labels)``.

    A feature speaks for a label when it is rare in all others.

    Args:
        vectors: Shape ``(documents, features)``.
        target: Label of each document.
        weight: Of each document.
        labels: How many there are.

    Source: Rennie et al., Tackling the Poor Assumptions of Naive Bayes Text Classifiers (2003).
    """
    documents = np.arange(len(target))
    members = sp.csr_matrix((weight, (target, documents)), shape=(labels, len(target)))
    own = (members @ vectors.astype(np.float64)).toarray()
    others = own.sum(axis=0) + SMOOTHING - own
    scores = -log(others / others.sum(axis=1, keepdims=True))
    return np.ascontiguousarray((scores - scores.mean(axis=0)).T, dtype=np.float32)


def _evidence(linear: Linear, rows: Sequence[Row], corpus: Corpus, rng: Random) -> OutOfFold:
    """Collect evidence of rows as written, wrapped and misheard, and as a recogniser heard them.

    What is misheard by chance gets a plausible confidence; what was heard keeps its own.
    """
    augmenter = corpus.augmenter()
    model = linear.machine
    by_count = replace(model, weights=linear.bayes, embedder=None)
    found: list[Evidence] = []
    counts: list[Floats] = []
    confidence: list[float] = []
    accepted: list[list[bool]] = []
    weight: list[float] = []
    for row in rows:
        text = normalise(row.text)
        wrapped = augmenter.wrap(text, rng)
        rate = rng.choice((0.1, 0.2, 0.3, 0.5))
        # Of foreign rows many more have been heard than of others: together they shall not weigh
        # more, or every doubtful transcript would seem foreign.
        heard = 0.4 if row.thema == OTHER_LANGUAGE else 0.7
        variants = [
            (text, 1.0, 1.0),
            (augmenter.corrupt(text, 0.2, rng), 1.0, 0.7),
            (wrapped, min(1.0, rng.uniform(0.8, 1.05)), 0.5),
            (
                augmenter.corrupt(wrapped, rate, rng),
                min(1.0, max(0.05, 1.0 - rate + rng.triangular(-0.25, 0.25))),
                0.5,
            ),
            *((" ".join(h.words), h.confidence, heard) for h in corpus.heard.get(text, ())),
        ]
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
        np.array([e.strange for e in found]),
        np.array(accepted, dtype=bool).reshape(len(found), len(model.labels)),
        np.array(weight),
    )


def _held_out_scores(model: Model, corpus: Corpus) -> dict[str, Any]:
    """Score the rows that were never trained on, as written."""
    rows = corpus.held_out
    if not rows:
        return {}
    probabilities = np.array([model.probabilities(normalise(r.text).split(), 1.0) for r in rows])
    accepted = np.array([[label in r.accepted for label in model.labels] for r in rows])
    return score_card(probabilities, accepted, model.labels)
