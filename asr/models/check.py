"""Does the engine load this model? Asked in a process of its own, which a native crash may end.

``python -m asr.models.check ENGINE FOLDER`` prints one JSON object as its last line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from asr.errors import ModelInstallError

LOADED = "loaded"
_SECONDS = 600.0
"""Reading gigabytes from a slow disk takes minutes."""


def load_check(engine: str, folder: Path, what: str, *, timeout_seconds: float = _SECONDS) -> str:
    """Load a model and give it half a second of silence.

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
    remedy = "it may be for another engine, or for another version of it"
    try:
        # -P: what happens to lie in the current folder must not be imported.
        done = subprocess.run(
            [sys.executable, "-P", "-m", "asr.models.check", engine, str(folder)],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_seconds, check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ModelInstallError(
            what, f"{engine} does not load it within {timeout_seconds:.0f} s", remedy
        ) from None
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        if name == "SIGKILL":
            remedy = "this machine may have too little memory for it"
        raise ModelInstallError(what, f"{engine} crashes on it ({name})", remedy)
    try:
        answer = json.loads(done.stdout.decode("utf-8", "replace").splitlines()[-1])
        outcome, words = str(answer["outcome"]), str(answer["words"])
    except (ValueError, IndexError, KeyError, TypeError):
        raise ModelInstallError(
            what, f"{engine} fails on it (exit code {done.returncode})", remedy
        ) from None
    if outcome == "failed":
        words = words.replace(str(folder), what)
        raise ModelInstallError(what, f"{engine} does not load it ({words})", remedy)
    return LOADED if outcome == "loaded" else words


def main(arguments: list[str]) -> int:
    """Load, transcribe silence, and say how it went."""
    import numpy as np

    from asr.engines import load_engine
    from asr.errors import AsrError, EngineUnavailableError
    from asr.transcribe import transcribe_pcm

    engine, folder = arguments
    try:
        loaded = load_engine(engine, Path(folder))
        transcribe_pcm(loaded, np.zeros(4000, np.int16))
        loaded.close()
        answer = ("loaded", loaded.model)
    except EngineUnavailableError as error:
        answer = ("unavailable", f"{error.reason}; {error.remedy}")
    except AsrError as error:
        answer = ("failed", str(error))
    print(json.dumps({"outcome": answer[0], "words": answer[1]}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
