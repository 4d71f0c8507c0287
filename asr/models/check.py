"""Does the engine load this model? Asked before a model takes its place."""

from __future__ import annotations

from pathlib import Path

from asr.engines.apart import LOADING_SECONDS, Ending, try_apart
from asr.errors import ModelInstallError

LOADED = "loaded"


def load_check(
    engine: str, folder: Path, what: str, *, timeout_seconds: float = LOADING_SECONDS
) -> str:
    """Load a model and let it hear a second of noise, in a process of its own.

    Args:
        engine: Name of the engine.
        folder: The model.
        what: The model's name, for messages.
        timeout_seconds: Longer is a failure.

    Returns:
        ``loaded``, or why it could not be tried: the engine's library is not installed.

    Raises:
        ModelInstallError: The engine refuses the model, crashes on it, or does not end.
    """
    trial = try_apart(engine, folder, timeout_seconds=timeout_seconds)
    if trial.ending is Ending.LOADED:
        return LOADED
    if trial.ending is Ending.UNAVAILABLE:
        return trial.why
    remedy = "it may be for another engine, or for another version of it"
    if trial.is_out_of_memory:
        remedy = "this machine may have too little memory for it"
    raise ModelInstallError(what, trial.sentence(engine).replace(str(folder), what), remedy)
