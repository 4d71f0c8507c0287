"""The engines by name. A library is probed, not imported, until its engine is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, cast

from asr.errors import EngineUnavailableError, ModelMissingError
from asr.models.files import embedded_model_dir
from asr.recogniser import Engine


class EngineEntry(NamedTuple):
    """How to find an engine.

    Attributes:
        package: Top-level module that must be installed.
        module: Our adapter.
        factory: The engine class in it; takes the model folder.
        extra: What to install: ``pip install wegwijs[extra]``; empty when always installed.
        is_embedded: Wegwijs carries a model for it; of the others a folder must be named.
        settings: Names of the settings that :func:`load_engine` passes on to the factory.
        is_tried_apart: It loads an unknown model in a process of its own first, unless told not to
            by ``check=False``.
        marks: Patterns of files; each of its models has one of them, and no other engine's has.
    """

    package: str
    module: str
    factory: str
    extra: str
    is_embedded: bool = False
    settings: frozenset[str] = frozenset()
    is_tried_apart: bool = False
    marks: tuple[str, ...] = ()


ENGINES: dict[str, EngineEntry] = {
    "vosk": EngineEntry(
        "vosk",
        "asr.engines.vosk_recogniser",
        "VoskEngine",
        "",
        is_embedded=True,
        is_tried_apart=True,
        marks=("am/final.mdl", "final.mdl"),
    ),
    "whisper": EngineEntry(
        "faster_whisper",
        "asr.engines.whisper_recogniser",
        "WhisperEngine",
        "whisper",
        settings=frozenset({"device", "threads", "workers"}),
        marks=("model.bin",),
    ),
    "sherpa": EngineEntry(
        "sherpa_onnx",
        "asr.engines.sherpa_recogniser",
        "SherpaEngine",
        "sherpa",
        settings=frozenset({"threads"}),
        is_tried_apart=True,
        marks=("*.onnx",),
    ),
}
DEFAULT_ENGINE = "vosk"


def available_engines() -> tuple[str, ...]:
    """Return the names of the engines whose library is installed."""
    return tuple(name for name, entry in ENGINES.items() if find_spec(entry.package) is not None)


def _check_kind(name: str, folder: Path) -> None:
    """Refuse a folder that holds a model of other engines only."""
    kinds = [
        other
        for other, entry in ENGINES.items()
        if any(path.is_file() for mark in entry.marks for path in folder.glob(mark))
    ]
    if kinds and name not in kinds:
        raise ModelMissingError(
            folder,
            f'write --engine {kinds[0]}, or in the configuration: engine = "{kinds[0]}"',
            f"this is a model for {kinds[0]}, not for {name}",
        )


def load_engine(
    name: str = DEFAULT_ENGINE, model_dir: Path | None = None, **settings: str | int
) -> Engine:
    """Load an engine with a model.

    Args:
        name: One of :data:`ENGINES`.
        model_dir: The model folder; None for the embedded Dutch 8 kHz model.
        settings: Of this engine, for example ``threads`` or ``device``.

    Raises:
        EngineUnavailableError: No such engine, its library is not installed, it has no such
            setting, or it needs a model folder and none is named.
        ModelMissingError: There is no model in the folder, or one for another engine.
        ModelDamagedError: The model is not whole.
    """
    return _load(name, model_dir, settings, is_trial=False)


def load_for_trial(name: str, model_dir: Path, **settings: str | int) -> Engine:
    """Load an engine in the process that an unknown model is tried in (:mod:`asr.engines.apart`).

    Args and errors are those of :func:`load_engine`.
    """
    return _load(name, model_dir, settings, is_trial=True)


def _load(
    name: str, model_dir: Path | None, settings: Mapping[str, str | int], *, is_trial: bool
) -> Engine:
    entry = ENGINES.get(name)
    if entry is None:
        known = ", ".join(sorted(ENGINES))
        raise EngineUnavailableError(name, "there is no such engine", f"choose one of: {known}")
    for setting in sorted(settings.keys() - entry.settings):
        known = ", ".join(sorted(entry.settings)) or "none"
        raise EngineUnavailableError(name, f"has no setting {setting!r}", f"its settings: {known}")
    if model_dir is not None:
        _check_kind(name, model_dir)
    if find_spec(entry.package) is None:
        wheel = f"wegwijs[{entry.extra}]" if entry.extra else "wegwijs"
        raise EngineUnavailableError(
            name, f"the library {entry.package} is not installed", f"run: pip install '{wheel}'"
        )
    if model_dir is None:
        if not entry.is_embedded:
            raise EngineUnavailableError(
                name,
                "Wegwijs carries no model for it",
                "install one with: wegwijs models install NAME, and name its folder",
            )
        model_dir = embedded_model_dir()
    factory = getattr(import_module(entry.module), entry.factory)
    unchecked = {"check": False} if is_trial and entry.is_tried_apart else {}
    return cast(Engine, factory(model_dir, **settings, **unchecked))
