"""The speech engines that the configuration names: found, loaded, and what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from asr.engines import ENGINES, load_engine
from asr.errors import AsrError
from asr.model_files.files import embedded_model_dir
from asr.models.store import ResolvedModel, resolve_model
from asr.recogniser import SpeechEngine
from ivr.config.recognition import RecognitionSection, SecondSection
from ivr.config.schema import Config
from ivr.errors import ConfigError
from ivr.files.home import Home

_MODELS = "wegwijs models shows which there are"


def find_model(
    section: RecognitionSection | SecondSection, home: Home, path: Path | None
) -> ResolvedModel:
    """Find the model that a section names.

    A name is that of an installed model, or else of a folder beside the configuration file.

    Args:
        section: ``[recognition]`` or ``[recognition.second]``.
        home: Has the installed models, unless ``WEGWIJS_MODELS`` names another folder.
        path: Of the configuration file.

    Raises:
        ConfigError: There is no such model, or the engine is not the one that reads it.
    """
    key, model = _key(section), section.model
    installed = Path(os.environ.get("WEGWIJS_MODELS") or home.recognisers)
    if model is not None and "/" not in model and not (installed / model.casefold()).is_dir():
        beside = (path.parent if path is not None else Path.cwd()) / model
        model = str(beside) if beside.is_dir() else model
    try:
        found = resolve_model(model, installed)
    except AsrError as error:
        raise ConfigError(
            path, f"{key}.model", section.model, f"cannot be used: {error}", remedy=_MODELS
        ) from None
    if found.engine is not None and found.engine != section.engine:
        raise ConfigError(
            path,
            f"{key}.engine",
            section.engine,
            f"does not read the model {section.model}",
            remedy=f'write engine = "{found.engine}"',
        )
    return found


def load_recogniser(
    section: RecognitionSection | SecondSection, home: Home, path: Path | None
) -> SpeechEngine:
    """Load one engine with its model.

    Args:
        section: ``[recognition]`` or ``[recognition.second]``.
        home: Has the installed models.
        path: Of the configuration file, for messages.

    Raises:
        ConfigError: It cannot be used.
    """
    found = find_model(section, home, path)
    wanted = {"device": section.device, "threads": section.threads}
    settings = {name: value for name, value in wanted.items() if value is not None}
    entry = ENGINES.get(section.engine)
    if entry is not None and "workers" in entry.settings:
        # The background's thread must not make a caller wait for the engine's only place.
        settings["workers"] = section.workers + isinstance(section, SecondSection)
    try:
        return load_engine(section.engine, found.directory, **settings)
    except AsrError as error:
        raise ConfigError(
            path, _key(section), None, f"cannot be used: {error}", remedy=_MODELS
        ) from None


def engine_problems(config: Config, home: Home, path: Path | None) -> Iterator[ConfigError]:
    """Find out what is wrong with ``[recognition]`` and its engines; they are loaded for it.

    Args:
        config: Each value by itself is right.
        home: Has the installed models.
        path: Of the configuration file, for messages.
    """
    first, second = config.recognition, config.recognition.second
    for section in (first, second):
        if section is not None:
            try:
                load_recogniser(section, home, path).close()
            except ConfigError as error:
                yield error
    if second is None:
        return
    if _is_same(first, second, home, path):
        yield ConfigError(
            path,
            "recognition.second.model",
            second.model,
            "is the model of the first engine: it would hear the same once more",
            remedy="name another model or engine, or take [recognition.second] out",
        )
    if not second.unsure_below and not second.share_of_calls:
        yield ConfigError(
            path,
            "recognition.second.unsure_below",
            second.unsure_below,
            "and share_of_calls leave the second engine nothing to do",
            remedy="write for example 0.6, or take [recognition.second] out",
        )
    if second.deadline_seconds is not None and second.deadline_seconds > first.deadline_seconds:
        yield ConfigError(
            path,
            "recognition.second.deadline_seconds",
            second.deadline_seconds,
            f"is longer than the caller waits (recognition.deadline_seconds, "
            f"{first.deadline_seconds:g})",
            remedy=f"write at most {first.deadline_seconds:g}, or leave it out",
        )


def deadline_problems(config: Config, path: Path | None) -> Iterator[ConfigError]:
    """Find out whether recognition may take longer than a call waits for it.

    Args:
        config: Each value by itself is right.
        path: Of the configuration file, for messages.
    """
    deadline, deciding = config.recognition.deadline_seconds, config.timers.deciding_seconds
    if deadline >= deciding:
        yield ConfigError(
            path,
            "recognition.deadline_seconds",
            deadline,
            f"is not shorter than a call waits (timers.deciding_seconds, {deciding:g}): a late "
            "caller would get the menu instead of the last stable words",
            remedy=f"write less than {deciding:g}, or lengthen timers.deciding_seconds",
        )


def _is_same(
    first: RecognitionSection, second: SecondSection, home: Home, path: Path | None
) -> bool:
    if first.engine != second.engine:
        return False
    try:
        folders = [find_model(section, home, path).directory for section in (first, second)]
        one, other = ((folder or embedded_model_dir()).resolve() for folder in folders)
    except (ConfigError, AsrError):
        return False
    return one == other


def _key(section: RecognitionSection | SecondSection) -> str:
    return "recognition.second" if isinstance(section, SecondSection) else "recognition"
