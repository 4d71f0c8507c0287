"""The engines by name. A library is probed, not imported, until its engine is asked for."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, cast

from asr.errors import EngineUnavailableError
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
    """

    package: str
    module: str
    factory: str
    extra: str
    is_embedded: bool = False
    settings: frozenset[str] = frozenset()


ENGINES: dict[str, EngineEntry] = {
    "vosk": EngineEntry("vosk", "asr.engines.vosk_recogniser", "VoskEngine", "", is_embedded=True),
    "whisper": EngineEntry(
        "faster_whisper",
        "asr.engines.whisper_recogniser",
        "WhisperEngine",
        "whisper",
        settings=frozenset({"device", "threads", "workers"}),
    ),
    "sherpa": EngineEntry(
        "sherpa_onnx",
        "asr.engines.sherpa_recogniser",
        "SherpaEngine",
        "sherpa",
        settings=frozenset({"threads"}),
    ),
}
DEFAULT_ENGINE = "vosk"


def available_engines() -> tuple[str, ...]:
    """Return the names of the engines whose library is installed."""
    return tuple(name for name, entry in ENGINES.items() if find_spec(entry.package) is not None)


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
        ModelMissingError: There is no model in the folder.
        ModelDamagedError: The model is not whole.
    """
    entry = ENGINES.get(name)
    if entry is None:
        known = ", ".join(sorted(ENGINES))
        raise EngineUnavailableError(name, "there is no such engine", f"choose one of: {known}")
    for setting in sorted(settings.keys() - entry.settings):
        known = ", ".join(sorted(entry.settings)) or "none"
        raise EngineUnavailableError(name, f"has no setting {setting!r}", f"its settings: {known}")
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
    return cast(Engine, factory(model_dir, **settings))
