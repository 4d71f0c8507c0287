"""Runs the tests under settings that change rounding and speed, one after the other.

Usage::

    .venv/bin/python .ci/otherwise.py [--only NAME] [PYTEST-ARGUMENTS]

What a test decides may depend neither on the last bits of a sum nor on the processor's speed.
``old``: every library does its arithmetic as for a processor without AVX. ``one-thread``: sums are
made in one thread, by code for another processor. ``busy``: all on one core, beside a program that
never stops.

Exit codes: 0 everything passed under each setting, 1 something did not (named), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

ALL_SECONDS = 4 * 3600.0
BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    pass\n"
"""Ends with the program that started it, whatever becomes of that."""


def numpy_extensions() -> str:
    """Return what numpy would use of this processor, as its variable to leave that out wants it."""
    told = subprocess.run(
        [sys.executable, "-c", "import numpy; numpy.show_runtime()"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    found = re.search(r"'found': \[(.*?)\]", told, re.DOTALL)
    return " ".join(re.findall(r"'(\w+)'", found[1])) if found else ""


def variables() -> Mapping[str, Mapping[str, str]]:
    """Return the environment of each setting; a library that a machine lacks ignores its own."""
    return {
        "old": {
            "OPENBLAS_CORETYPE": "Nehalem",
            "NPY_DISABLE_CPU_FEATURES": numpy_extensions(),
            "ATEN_CPU_CAPABILITY": "default",
            "MKL_CBWR": "COMPATIBLE",
            "CT2_FORCE_CPU_ISA": "GENERIC",
        },
        "one-thread": {
            "OPENBLAS_CORETYPE": "Haswell",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "ATEN_CPU_CAPABILITY": "avx2",
        },
        "busy": {},
    }


@contextmanager
def one_busy_core() -> Iterator[None]:
    """Keep this process and its children to one core, which another process never leaves."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        with subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.DEVNULL) as busy:
            try:
                yield
            finally:
                busy.kill()
    finally:
        os.sched_setaffinity(0, cores)


def run(name: str, setting: Mapping[str, str], arguments: Sequence[str]) -> bool:
    """Run the tests under one setting; were all of them right?"""
    print(f"\ntests, {name}: {' '.join(f'{k}={v!r}' for k, v in setting.items())}", flush=True)
    command = [sys.executable, "-m", "pytest", *arguments]
    done = subprocess.run(
        command, env={**os.environ, **setting}, stdin=subprocess.DEVNULL, timeout=ALL_SECONDS,
        check=False,
    )  # fmt: skip
    return done.returncode == 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code; see the module's text."""
    settings = variables()
    parser = argparse.ArgumentParser(description="Run the tests under other settings.")
    parser.add_argument("--only", choices=settings, help="one setting instead of all")
    options, rest = parser.parse_known_args(arguments)
    failed = []
    for name in [options.only] if options.only else settings:
        if name == "busy":
            with one_busy_core():
                passed = run(name, settings[name], rest)
        else:
            passed = run(name, settings[name], rest)
        if not passed:
            failed.append(name)
    for name in failed:
        print(f"tests: failed under {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
