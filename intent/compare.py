"""Compare candidate models on families they have not seen; the table is in ``README.md``.

Every candidate sees the same documents and is scored on the same out-of-fold utterances, as
written and with 20 % of the words misheard, and on the held-out part. Stacks add candidates'
scores with shares fitted by likelihood on the out-of-fold half. Run it when the data has grown:

    python -m intent.compare --data training_data [--folds 0,2] [--embeddings DIR]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import ComplementNB
from sklearn.svm import LinearSVC

from intent.arithmetic import Floats
from intent.catalogue import load_catalogue
from intent.corpus import Corpus, Document, fold_of, labels_and_weights, matrix
from intent.dataset import Row
from intent.embeddings import Embedder
from intent.errors import IntentError
from intent.features import FeatureSpace
from intent.report import calibration_curve
from intent.text import normalise
from intent.training import FOLDS, SMOOTHING, STRENGTH

STACKS: Final = (
    ("regression", "bayes"),
    ("svm", "bayes"),
    ("regression", "catalogue"),
    ("regression", "bayes", "catalogue"),
    ("regression", "bayes", "svm", "nearest"),
)
EMBEDDING_STACKS: Final = (("svm", "embeddings"), ("svm", "bayes", "embeddings"))


@dataclass(frozen=True)
class Task:
    """Documents to train on, ready as vectors, and texts to score."""

    documents: Sequence[Document]
    vectors: sp.csr_matrix
    target: NDArray[np.int64]
    weight: Floats
    words: NDArray[np.bool_]
    """Which features are words or pairs, not letters."""
    texts: sp.csr_matrix
    spoken: Sequence[str]
    corpus: Corpus
    embedder: Embedder | None = None


Candidate = Callable[[Task], Floats]
"""Trains on a task and returns scores, shape ``(texts, labels)``."""


def regression(task: Task) -> Floats:
    """Multinomial logistic regression on words and letters."""
    return _regression(task.vectors, task.texts, task)


def regression_words(task: Task) -> Floats:
    """The same on words and pairs only."""
    return _regression(task.vectors[:, task.words], task.texts[:, task.words], task)


def regression_letters(task: Task) -> Floats:
    """The same on letter n-grams only."""
    return _regression(task.vectors[:, ~task.words], task.texts[:, ~task.words], task)


def svm(task: Task) -> Floats:
    """Linear support vector machine, one against the rest."""
    model = LinearSVC(C=STRENGTH).fit(task.vectors, task.target, sample_weight=task.weight)
    return np.asarray(model.decision_function(task.texts))


def bayes(task: Task) -> Floats:
    """Complement naive Bayes."""
    model = ComplementNB(alpha=SMOOTHING).fit(task.vectors, task.target, sample_weight=task.weight)
    return np.asarray(model.predict_log_proba(task.texts))


def hashed(task: Task) -> Floats:
    """Hashed letter n-grams with stochastic gradient descent."""
    hasher = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=2**17)
    model = SGDClassifier(loss="log_loss", alpha=1e-5, max_iter=12, tol=1e-3, random_state=1)
    model.fit(
        hasher.transform(" ".join(d.words) for d in task.documents),
        task.target,
        sample_weight=task.weight,
    )
    return np.asarray(model.decision_function(hasher.transform(task.spoken)))


def nearest(task: Task) -> Floats:
    """Mean similarity to the three nearest training documents of each label."""
    known = _unit(task.vectors[:, task.words])
    asked = _unit(task.texts[:, task.words])
    labels = len(task.corpus.catalogue.labels)
    scores = np.zeros((asked.shape[0], labels))
    for start in range(0, asked.shape[0], 256):
        block = (asked[start : start + 256] @ known.T).toarray()
        for label in range(labels):
            mine = np.sort(block[:, task.target == label], axis=1)[:, -3:]
            scores[start : start + 256, label] = mine.mean(axis=1)
    return 10.0 * scores


def catalogue(task: Task) -> Floats:
    """Best similarity to a product name of each thema."""
    labels = task.corpus.catalogue.labels
    scores = np.zeros((len(task.spoken), len(labels)))
    for row, text in enumerate(task.spoken):
        for hit in task.corpus.catalogue.search(text, 10):
            column = labels.index(hit.thema)
            scores[row, column] = max(scores[row, column], hit.score)
    return 5.0 * scores


def embeddings(task: Task) -> Floats:
    """Linear support vector machine on sentence embeddings alone.

    Raises:
        ValueError: The task has no embedder.
    """
    if task.embedder is None:
        raise ValueError("needs an embedding model")
    known = task.embedder.matrix([d.words for d in task.documents])
    model = LinearSVC(C=1.0).fit(known, task.target, sample_weight=task.weight)
    asked = task.embedder.matrix([text.split() for text in task.spoken])
    return np.asarray(model.decision_function(asked))


CANDIDATES: Final[Mapping[str, Candidate]] = {
    "regression": regression,
    "regression, words": regression_words,
    "regression, letters": regression_letters,
    "svm": svm,
    "bayes": bayes,
    "hashed": hashed,
    "nearest": nearest,
    "catalogue": catalogue,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the table; shares 0..1."""

    name: str
    unseen: float
    """Top-1 on families of the training part that the candidate had not seen."""
    unseen_top3: float
    misheard: float
    """Top-1 on the same with 20 % of the words misheard."""
    held_out: float
    loss: float
    """Negative log likelihood after fitting shares, nats."""
    calibration_error: float
    seconds: float
    """CPU time of training and scoring, all folds."""


def compare(
    data_dir: Path,
    *,
    seed: int = 1700,
    folds: Sequence[int] = (0, 2),
    embedder: Embedder | None = None,
) -> list[Line]:
    """Train every candidate and stack.

    Args:
        data_dir: ``training_data``.
        seed: Of the documents and the mishearing.
        folds: Which of the folds are scored.
        embedder: Sentence embeddings to compare too; None leaves them out.

    Returns:
        One line each, candidates first.

    Raises:
        CatalogueError: The catalogue cannot be used.
        TrainingDataError: A data file cannot be used.
    """
    candidates = dict(CANDIDATES)
    stacks: tuple[tuple[str, ...], ...] = STACKS
    if embedder is not None:
        candidates["embeddings"] = embeddings
        stacks += EMBEDDING_STACKS
    corpus = Corpus.read(data_dir, load_catalogue(data_dir))
    documents = corpus.documents(seed=seed, folds=FOLDS)
    augmenter, rng = corpus.augmenter(), Random(seed)
    held_out = corpus.held_out
    unseen: list[Row] = []
    scores: dict[str, list[Floats]] = {name: [] for name in candidates}
    tests: dict[str, Floats] = {}
    spent = dict.fromkeys(candidates, 0.0)
    for fold in folds:
        rows = [row for row in corpus.train if fold_of(row.family, FOLDS) == fold]
        written = [normalise(row.text) for row in rows]
        misheard = [augmenter.corrupt(text, 0.2, rng) for text in written]
        tested = [normalise(row.text) for row in held_out]
        unseen += rows + rows
        known = [d for d in documents if d.fold != fold]
        task = _task(known, [*written, *misheard, *tested], corpus, embedder)
        for name, candidate in candidates.items():
            start = time.process_time()
            found = candidate(task)
            spent[name] += time.process_time() - start
            scores[name].append(found[: 2 * len(rows)])
            # The last fold's model stands for all on the held-out part.
            tests[name] = found[2 * len(rows) :]
    order = _clean_first(folds, corpus)
    joined = {name: np.concatenate(parts)[order] for name, parts in scores.items()}
    rows_in_order = [unseen[i] for i in order]
    labels = corpus.catalogue.labels
    return [
        _line(names, joined, tests, rows_in_order, held_out, labels, sum(spent[n] for n in names))
        for names in (*((name,) for name in candidates), *stacks)
    ]


def table(lines: Sequence[Line]) -> str:
    """Return the lines as a Markdown table."""
    head = (
        "| candidate | unseen families top-1 | top-3 | misheard top-1 | held-out top-1 | loss "
        "| ECE | CPU s |\n|---|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(
        f"| {x.name} | {x.unseen:.3f} | {x.unseen_top3:.3f} | {x.misheard:.3f} | {x.held_out:.3f} "
        f"| {x.loss:.3f} | {x.calibration_error:.3f} | {x.seconds:.0f} |\n"
        for x in lines
    )


def _task(
    documents: Sequence[Document],
    texts: Sequence[str],
    corpus: Corpus,
    embedder: Embedder | None,
) -> Task:
    space = FeatureSpace.learn(d.words for d in documents if d.clean)
    target, weight = labels_and_weights(documents, len(corpus.catalogue.labels))
    return Task(
        documents,
        matrix(space, [d.words for d in documents]),
        target,
        weight,
        np.array([not feature.startswith("#") for feature in space.vocabulary]),
        matrix(space, [text.split() for text in texts]),
        texts,
        corpus,
        embedder,
    )


def _regression(vectors: sp.csr_matrix, texts: sp.csr_matrix, task: Task) -> Floats:
    model = LogisticRegression(C=10.0, max_iter=60, tol=2e-3)
    model.fit(vectors, task.target, sample_weight=task.weight)
    return np.asarray(model.decision_function(texts))


def _unit(vectors: sp.csr_matrix) -> sp.csr_matrix:
    norms = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
    return sp.csr_matrix(sp.diags(1.0 / np.maximum(norms, 1e-9)) @ vectors)


def _clean_first(folds: Sequence[int], corpus: Corpus) -> NDArray[np.int64]:
    """Return indices that put all written texts before all misheard ones."""
    clean: list[int] = []
    misheard: list[int] = []
    start = 0
    for fold in folds:
        count = sum(fold_of(row.family, FOLDS) == fold for row in corpus.train)
        clean += range(start, start + count)
        misheard += range(start + count, start + 2 * count)
        start += 2 * count
    return np.array(clean + misheard)


def _line(
    names: Sequence[str],
    scores: Mapping[str, Floats],
    tests: Mapping[str, Floats],
    rows: Sequence[Row],
    held_out: Sequence[Row],
    labels: Sequence[str],
    seconds: float,
) -> Line:
    accepted = np.array([[label in row.accepted for label in labels] for row in rows])
    tested = np.array([[label in row.accepted for label in labels] for row in held_out])
    parts = [scores[name] - scores[name].mean(axis=1, keepdims=True) for name in names]
    scale = [part.std() or 1.0 for part in parts]

    def mixed(shares: NDArray[np.float64], of: Sequence[Floats]) -> Floats:
        total = np.zeros_like(of[0])
        for share, part, size in zip(shares, of, scale, strict=True):
            total = total + share * part / size
        exponentials = np.exp(total - total.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))

    def loss(shares: NDArray[np.float64]) -> float:
        best = np.where(accepted, mixed(shares, parts), 0.0).max(axis=1)
        return float(-np.log(best + 1e-12).mean())

    fitted = minimize(loss, np.ones(len(names)), method="L-BFGS-B")
    probabilities = mixed(fitted.x, parts)
    test = mixed(
        fitted.x, [tests[name] - tests[name].mean(axis=1, keepdims=True) for name in names]
    )
    half = len(rows) // 2
    right: NDArray[np.bool_] = accepted[np.arange(len(rows)), probabilities.argmax(axis=1)]
    order = np.argsort(-probabilities, axis=1)[:, :3]
    third: NDArray[np.bool_] = np.take_along_axis(accepted, order, axis=1).max(axis=1)
    return Line(
        name=" + ".join(names),
        unseen=float(right[:half].mean()),
        unseen_top3=float(third[:half].mean()),
        misheard=float(right[half:].mean()),
        held_out=float(tested[np.arange(len(held_out)), test.argmax(axis=1)].mean()),
        loss=float(fitted.fun),
        calibration_error=calibration_curve(probabilities.max(axis=1), right)[0],
        seconds=seconds,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=Path("training_data"))
    parser.add_argument("--folds", default="0,2", help="which of the four folds are scored")
    parser.add_argument(
        "--embeddings", type=Path, help="folder with model.onnx and vocab.txt to compare too"
    )
    chosen = parser.parse_args(arguments)
    try:
        embedder = Embedder.load(chosen.embeddings) if chosen.embeddings else None
        folds = [int(f) for f in chosen.folds.split(",")]
        lines = compare(chosen.data, folds=folds, embedder=embedder)
    except IntentError as error:
        parser.error(str(error))
    print(table(lines), end="")


if __name__ == "__main__":
    main()
