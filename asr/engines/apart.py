"""Is this model safe to load? Tried in a process of its own, which a native crash may end.

vosk, sherpa-onnx and CTranslate2 trust their files: a model cut short, foreign or made for another
version may end the process that loads it, and with it every call. ``python -m asr.engines.apart``
is the process of its own; nothing else runs it.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique
from pathlib import Path

LOADING_SECONDS = 600.0
"""Reading gigabytes from a slow disk takes minutes."""
_LONGEST_REASON = 160
_GREEDY = "vosk"
"""Reserves whatever length a damaged file claims. Bounded by the machine's memory, that fails at
once, and the system does not end other processes for it."""


@unique
class Ending(Enum):
    """How a trial ended."""

    LOADED = "loaded"
    UNAVAILABLE = "unavailable"
    """The engine's library is not installed, so nothing was tried."""
    REFUSED = "refused"
    CRASHED = "crashed"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a model in a process of its own.

    Attributes:
        ending: How it ended.
        why: In printable words; empty when the model was loaded.
        signal_name: Of a crash, for example ``SIGSEGV``; else empty.
    """

    ending: Ending
    why: str = ""
    signal_name: str = ""

    def sentence(self, library: str) -> str:
        """Say what the library did with the model, for example ``vosk crashes on it (SIGSEGV)``."""
        match self.ending:
            case Ending.CRASHED | Ending.LATE:
                return f"{library} {self.why}"
            case Ending.REFUSED:
                return f"{library} does not load it ({self.why})"
        return self.why

    @property
    def is_out_of_memory(self) -> bool:
        """The system ended the process: as a rule for want of memory."""
        return self.signal_name == "SIGKILL"


def try_apart(
    engine: str,
    folder: Path,
    settings: Mapping[str, str | int] | None = None,
    *,
    timeout_seconds: float = LOADING_SECONDS,
) -> Trial:
    """Load a model and let it hear a second of noise, in another process.

    Args:
        engine: Name in :data:`asr.engines.ENGINES`.
        folder: The model.
        settings: For the engine's class.
        timeout_seconds: A trial that takes longer is ended.
    """
    order = {"engine": engine, "folder": str(folder), "settings": dict(settings or {})}
    try:
        # -P: what happens to lie in the current folder must not be imported.
        done = subprocess.run(
            [sys.executable, "-P", "-m", "asr.engines.apart", json.dumps(order)],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_seconds, check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Trial(Ending.LATE, f"does not load it within {timeout_seconds:.0f} s")
    told = done.stderr.decode("utf-8", "replace")
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return Trial(Ending.CRASHED, f"crashes on it ({name})", name)
    try:
        answer = json.loads(done.stdout.decode("utf-8", "replace").splitlines()[-1])
        ending, why = Ending(answer["ending"]), str(answer["why"])
    except (ValueError, IndexError, KeyError, TypeError):
        return Trial(Ending.REFUSED, _reason(told))
    if ending is Ending.REFUSED:
        why = _cause(told) or why
    return Trial(ending, why)


def _cause(stderr: str) -> str:
    """Return what a native library said went wrong before our error; empty when it said nothing."""
    if "MemoryError" in stderr or "bad_alloc" in stderr:
        return "it asks for more memory than there is"
    # A line of Kaldi's log: "ERROR (VoskAPI:Read():nnet-nnet.cc:587) What is wrong"
    found = re.search(r"^ERROR \([^\n]*?\) (.+)$", stderr, re.MULTILINE)
    return _printable(found.group(1))[:_LONGEST_REASON] if found else ""


def _reason(stderr: str) -> str:
    """Return why a process ended without an answer."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    return _cause(stderr) or _printable(last)[-_LONGEST_REASON:]


def _printable(text: str) -> str:
    return "".join(character for character in text.strip() if character.isprintable())


def main(arguments: list[str]) -> int:
    """Load the model that the order names, let it hear noise, and print how it went as JSON."""
    import numpy as np

    from asr.engines import load_for_trial
    from asr.errors import AsrError, EngineUnavailableError
    from asr.transcribe import transcribe_pcm

    order = json.loads(arguments[0])
    if order["engine"] == _GREEDY:
        octets = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        resource.setrlimit(resource.RLIMIT_AS, (octets, octets))
    noise = np.random.default_rng(1).normal(0, 3000, 8000).astype(np.int16)
    ending, why = Ending.LOADED, ""
    try:
        engine = load_for_trial(order["engine"], Path(order["folder"]), **order["settings"])
        for sound in (noise, noise[:200]):
            transcribe_pcm(engine, sound)
        engine.close()
    except EngineUnavailableError as error:
        ending, why = Ending.UNAVAILABLE, f"{error.reason}; {error.remedy}"
    except AsrError as error:
        # Without folder and remedy: who asked has those.
        ending, why = Ending.REFUSED, str(getattr(error, "reason", error))
    print(json.dumps({"ending": ending.value, "why": why}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
