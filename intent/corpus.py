"""The documents a model is trained on: written utterances, phrases, and variants of both."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from intent.augment import Augmenter
from intent.catalogue import OTHER_LANGUAGE, Catalogue
from intent.confusions import load_confusions
from intent.dataset import Row, read_training_rows
from intent.features import FeatureSpace
from intent.heard import HeardQuestion, confusions, load_heard
from intent.language import DUTCH
from intent.lexicon import Phrase, read_languages, read_lexicon
from intent.text import normalise, tokens

ALWAYS: Final = -1
"""Fold of documents that every fold trains on: catalogue knowledge, not paraphrases."""

_MOST_DOCUMENTS: Final = 54_000
"""Written utterances are varied twice while this many documents suffice, to bound the time."""


_HEARD_WEIGHT: Final = 0.5
"""Of a transcript that the recogniser is sure of, beside 1 for the written question."""


@dataclass(frozen=True, slots=True)
class Document:
    """One training document."""

    words: tuple[str, ...]
    label: int
    weight: float
    fold: int
    clean: bool
    """False for misheard copies: their words do not enter the vocabulary."""


@dataclass(frozen=True)
class Corpus:
    """Everything read from a data folder."""

    catalogue: Catalogue
    rows: tuple[Row, ...]
    phrases: Mapping[str, tuple[Phrase, ...]]
    languages: Mapping[str, tuple[str, ...]]
    confusions: Mapping[str, tuple[str, ...]]
    heard: Mapping[str, tuple[HeardQuestion, ...]]
    """Normalised question → what a recogniser made of it; may be empty."""

    @classmethod
    def read(cls, directory: Path, catalogue: Catalogue) -> Corpus:
        """Read utterances, phrases, languages, confusions and transcripts.

        Raises:
            TrainingDataError: Any of them cannot be used.
        """
        return cls(
            catalogue=catalogue,
            rows=tuple(read_training_rows(directory, catalogue.labels)),
            phrases=read_lexicon(directory, catalogue),
            languages=read_languages(directory),
            confusions=load_confusions(directory / "confusions.tsv"),
            heard=load_heard(directory / "heard.tsv"),
        )

    def augmenter(self) -> Augmenter:
        """Return the maker of variants; what it mishears comes from training questions only."""
        known = {normalise(row.text) for row in self.train if row.thema != OTHER_LANGUAGE}
        dutch = {said: found for said, found in self.heard.items() if said in known}
        return Augmenter(self.confusions, confusions(dutch))

    @property
    def train(self) -> tuple[Row, ...]:
        """Rows that are trained on."""
        return tuple(row for row in self.rows if row.split == "train")

    @property
    def held_out(self) -> tuple[Row, ...]:
        """Rows that are never trained on."""
        return tuple(row for row in self.rows if row.split == "test")

    def documents(self, *, seed: int, folds: int) -> list[Document]:
        """Return all training documents, the same for the same seed.

        Args:
            seed: Of every random choice.
            folds: Families are dealt over this many folds.
        """
        labels = {label: i for i, label in enumerate(self.catalogue.labels)}
        augmenter = self.augmenter()
        rng = Random(seed)
        rows = self.train
        phrases = sum(len(p) for p in self.phrases.values())
        copies = max(0, min(2, (_MOST_DOCUMENTS - 2 * phrases) // max(1, len(rows)) - 1))
        documents: list[Document] = []

        def add(text: str, label: int, weight: float, fold: int, clean: bool) -> None:
            words = tuple(text.split())
            if words:
                documents.append(Document(words, label, weight, fold, clean))

        for row in rows:
            text, label = normalise(row.text), labels[row.thema]
            fold = fold_of(row.family, folds)
            add(text, label, 1.0, fold, True)
            for other in row.also:
                add(text, labels[other], 0.25, fold, True)
            for copy in range(copies):
                wrapped = augmenter.wrap(augmenter.fill_slots(text, rng), rng)
                if copy % 2 == 0:
                    add(wrapped, label, 0.6, fold, True)
                else:
                    heard = augmenter.corrupt(wrapped, rng.choice((0.1, 0.2, 0.3)), rng)
                    add(heard, label, 0.5, fold, False)
            for transcript in self.heard.get(text, ()):
                # What the recogniser doubts most teaches least.
                weight = _HEARD_WEIGHT * transcript.confidence
                add(" ".join(transcript.words), label, weight, fold, False)
        for name, found in self.phrases.items():
            for phrase in found:
                vary = augmenter.wrap if phrase.sentence else augmenter.frame
                add(phrase.text, labels[name], 0.8, ALWAYS, True)
                add(normalise(vary(phrase.text, rng)), labels[name], 0.6, ALWAYS, True)
        for lines in self.languages.values():
            for line in lines:
                add(normalise(line), labels[OTHER_LANGUAGE], 0.8, ALWAYS, True)
        return documents

    def language_samples(self) -> dict[str, list[list[str]]]:
        """Return normalised words per ISO 639 code, Dutch from the other labels' utterances."""
        samples: dict[str, list[list[str]]] = {DUTCH: []}
        for row in self.train:
            if row.thema != OTHER_LANGUAGE:
                samples[DUTCH].append(tokens(row.text))
            elif len(row.language) == 2 and row.language != DUTCH:
                samples.setdefault(row.language, []).append(tokens(row.text))
        for found in self.phrases.values():
            samples[DUTCH].extend(phrase.text.split() for phrase in found)
        for code, lines in self.languages.items():
            samples.setdefault(code, []).extend(tokens(line) for line in lines)
        return samples


def labels_and_weights(
    documents: Sequence[Document], labels: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return label and weight of each document, so that every label weighs the same together.

    Args:
        documents: At least one of each label.
        labels: How many labels there are.

    Returns:
        Both of shape ``(documents,)``; the weights are 1 on average.
    """
    target = np.array([d.label for d in documents])
    weight = np.array([d.weight for d in documents])
    totals = np.bincount(target, weight, minlength=labels)
    return target, weight * (len(documents) / labels / totals[target])


def fold_of(family: str, folds: int) -> int:
    """Deal a paraphrase family to a fold, the same way on every machine."""
    return zlib.crc32(family.encode()) % folds


def matrix(space: FeatureSpace, documents: Sequence[Sequence[str]]) -> sp.csr_matrix:
    """Return the feature vectors of many texts, shape ``(texts, features)``."""
    indices: list[NDArray[np.int32]] = []
    values: list[NDArray[np.float32]] = []
    pointers = [0]
    for words in documents:
        found, weights = space.vector(words)
        indices.append(found)
        values.append(weights)
        pointers.append(pointers[-1] + len(found))
    return sp.csr_matrix(
        (
            np.concatenate(values) if values else np.empty(0, np.float32),
            np.concatenate(indices) if indices else np.empty(0, np.int32),
            np.array(pointers),
        ),
        shape=(len(documents), len(space)),
    )
