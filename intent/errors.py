"""The error tree of ``intent``.

::

    IntentError                 code "intent"
    ├── CatalogueError          code "catalogue"      catalogue.toml or products cannot be used
    ├── TrainingDataError       code "training_data"  a labelled TSV cannot be used
    └── ModelError              code "model"          a stored model cannot be used

Every message names the file, the key or line, the value and a remedy, and never the words of a
caller.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class IntentError(Exception):
    """Base of every error of this package; ``code`` is for programs."""

    code: ClassVar[str] = "intent"


class CatalogueError(IntentError):
    """The catalogue cannot be used.

    Args:
        file: The file that is wrong.
        where: A key such as ``themas[3].slug`` or ``line 12``.
        value: What was found there.
        problem: What is wrong with it, as the end of a sentence.
        remedy: What to write instead.
    """

    code: ClassVar[str] = "catalogue"

    def __init__(self, file: Path, where: str, value: object, problem: str, *, remedy: str) -> None:
        super().__init__(f"{file}: {where}: {_short(value)} {problem}; {remedy}")
        self.file = file
        self.where = where
        self.value = value
        self.remedy = remedy


class TrainingDataError(IntentError):
    """A labelled file cannot be used.

    Args:
        file: The file that is wrong.
        line: 1-based line, the header being line 1; 0 when the whole file is meant.
        problem: What is wrong, without the text of an utterance.
        remedy: What to do about it.
    """

    code: ClassVar[str] = "training_data"

    def __init__(self, file: Path, line: int, problem: str, *, remedy: str) -> None:
        place = f"{file}:{line}" if line else str(file)
        super().__init__(f"{place}: {problem}; {remedy}")
        self.file = file
        self.line = line
        self.remedy = remedy


class ModelError(IntentError):
    """A stored model is missing, damaged or of another format version.

    Args:
        path: The folder or file of the model.
        reason: ``missing``, ``damaged``, ``unreadable``, ``version``, ``unknown``, or ``extra``: a
            library of an extra is not installed.
        problem: What is wrong.
        remedy: What to do about it.
    """

    code: ClassVar[str] = "model"

    def __init__(self, path: Path, reason: str, problem: str, *, remedy: str) -> None:
        super().__init__(f"{path}: {problem}; {remedy}")
        self.path = path
        self.reason = reason
        self.remedy = remedy


def _short(value: object) -> str:
    """Quote ``value`` in at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
