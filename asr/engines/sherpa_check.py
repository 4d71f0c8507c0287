"""Does sherpa-onnx survive this model? Asked in a process of its own, before callers depend on it.

sherpa-onnx ends the process when metadata are missing or tokens do not fit, so a model that is not
what it seems would take the phone service with it.
``python -m asr.engines.sherpa_check FOLDER THREADS``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from asr.engines.sherpa_models import REMEDY
from asr.errors import AsrError, ModelDamagedError

_SECONDS = 180.0
"""Reading gigabytes from a slow disk takes a minute or two."""
_LONGEST_REASON = 160


def check_in_child(folder: Path, threads: int, *, timeout_seconds: float = _SECONDS) -> None:
    """Load a model and let it read a second of sound, in another process.

    Args:
        folder: The model.
        threads: Processor threads.
        timeout_seconds: Longer is a failure.

    Raises:
        ModelDamagedError: sherpa-onnx refuses the model, crashes on it, or does not end.
    """
    try:
        done = subprocess.run(
            # -P: what happens to lie in the current folder must not be imported.
            [sys.executable, "-P", "-m", "asr.engines.sherpa_check", str(folder), str(threads)],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_seconds, check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ModelDamagedError(
            folder, f"sherpa-onnx does not load it within {timeout_seconds:.0f} s", REMEDY
        ) from None
    if done.returncode:
        raise ModelDamagedError(
            folder, f"sherpa-onnx cannot use it ({_reason(done.stderr)})", REMEDY
        )


def _reason(stderr: bytes) -> str:
    """Return the last line that the other process wrote, in printable characters."""
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    last = lines[-1].strip() if lines else "it said nothing"
    return "".join(character for character in last if character.isprintable())[-_LONGEST_REASON:]


def main(arguments: list[str]) -> int:
    """Load the model and let it read quiet and noise; the exit code tells how it went."""
    import numpy as np

    from asr.engines.sherpa_recogniser import SherpaEngine
    from asr.transcribe import transcribe_pcm

    noise = np.random.default_rng(1).normal(0, 3000, 8000).astype(np.int16)
    try:
        engine = SherpaEngine(Path(arguments[0]), threads=int(arguments[1]), check=False)
        for sound in (noise, noise[:200]):
            transcribe_pcm(engine, sound)
        engine.close()
    except AsrError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
