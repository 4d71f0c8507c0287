"""Speech engines with their models, and the classifier; they are loaded for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from intent.catalogue import Catalogue
from ivr.config.schema import Config
from ivr.files.home import Home
from ivr.learning.model_versions import model_registry
from ivr.service.findings.finding import Finding, Weight, mistakes
from ivr.service.model_in_use import ModelInUse
from ivr.service.speech_engines import deadline_problems, engine_problems


def check_engines(config: Config, home: Home, path: Path) -> Iterator[Finding]:
    """Engines and models that cannot be loaded, and settings of theirs that exclude each other."""
    yield from mistakes(engine_problems(config, home, path))
    second = config.recognition.second
    keeps = any(line.keep_recordings for line in config.lines.values())
    if second is not None and second.share_of_calls and not keeps:
        yield Finding(
            Weight.ADVICE,
            f"{path}: recognition.second.share_of_calls does nothing, because no line keeps its "
            "recordings",
        )


def check_deadlines(config: Config, path: Path) -> Iterator[Finding]:
    """Recognition that may take longer than a call waits for it."""
    return mistakes(deadline_problems(config, path))


def check_classifier(home: Home, catalogue: Catalogue) -> Iterator[Finding]:
    """Load the classifier in use.

    Raises:
        ModelNotLoadedError: It cannot be used.
    """
    ModelInUse(model_registry(home), catalogue)
    yield from ()
