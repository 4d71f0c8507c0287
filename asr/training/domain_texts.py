"""Questions to a public infoline, put together from phrases, frames and wrappers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from asr.training.settings import REPOSITORY

FOLDER = REPOSITORY / "training_data" / "asr"


def _lines(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def domain_terms() -> list[str]:
    """Return the noun phrases of ``domain_terms.txt``."""
    return _lines(FOLDER / "domain_terms.txt")


def extra_words() -> list[str]:
    """Return the lines of ``extra_words.txt``: words that our texts lack."""
    return _lines(FOLDER / "extra_words.txt")


def domain_questions(count: int, seed: int) -> list[str]:
    """Compose questions: a frame, a phrase, sometimes something polite around them.

    Args:
        count: How many.
        seed: Source of chance.
    """
    rng = np.random.default_rng([seed, 11])
    frames, terms = _lines(FOLDER / "question_frames.txt"), domain_terms()
    around: dict[str, list[str]] = {"voor": [], "na": []}
    for line in _lines(FOLDER / "wrappers.txt"):
        place, _, words = line.partition("\t")
        around[place].append(words)
    questions: list[str] = []
    for index in range(count):
        term = terms[index % len(terms)]
        question = frames[rng.integers(len(frames))].replace("{}", term)
        if rng.random() < 0.45:
            question = f"{around['voor'][rng.integers(len(around['voor']))]} {question}"
        if rng.random() < 0.2:
            question = f"{question} {around['na'][rng.integers(len(around['na']))]}"
        questions.append(question)
    return questions
