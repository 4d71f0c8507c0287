"""One thing that was found, and how bad it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path

from ivr.errors import ConfigError


@unique
class Weight(StrEnum):
    """How bad a finding is."""

    MISTAKE = "mistake"
    """The service would not start, or a call would go wrong."""
    ADVICE = "advice"
    """It works; an engineer should know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found."""

    weight: Weight
    message: str


def mistake(path: Path, key: str, value: object, problem: str, remedy: str) -> Finding:
    """A mistake in a key of the configuration file; ``value`` is not shown when None."""
    return Finding(Weight.MISTAKE, str(ConfigError(path, key, value, problem, remedy=remedy)))


def mistakes(problems: Iterable[ConfigError]) -> Iterator[Finding]:
    """Findings of what was found as errors."""
    return (Finding(Weight.MISTAKE, str(problem)) for problem in problems)
