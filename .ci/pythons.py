"""Runs the tests that need no SIP stack on every other Python that this machine offers.

Usage::

    .venv/bin/python .ci/pythons.py [PYTEST-ARGUMENTS]

`.venv` has one Python; `make test` runs everything on it. For each other minor version from 3.11
on, the newest final release among those on the path, in `/usr/bin`, `/usr/local/bin` and
`~/.pyenv/versions` gets an environment of its own in `.cache/`, with the packages that
requirements.lock names. What is said at the end is what was run.

Exit codes: 0 everything passed, also when there is no other Python; 1 a test failed, or an
environment could not be made (named).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
OLDEST = (3, 11)
TESTS = ("tests/unit", "tests/property")
ASK = """
import json, os, sys, venv, ensurepip
print(json.dumps([sys.executable, sys.version_info[:3], sys.version_info.releaselevel]))
"""
INSTALL_SECONDS = 1200.0
TESTS_SECONDS = 3600.0

Version = tuple[int, int, int]


def candidates() -> Iterator[Path]:
    """Return what may be an interpreter."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin", "/usr/local/bin"]
    places = [Path(folder) for folder in folders if folder]
    places += Path.home().glob(".pyenv/versions/*/bin")
    for place in places:
        if place.is_dir():
            yield from place.glob("python3*")


def interpreters() -> dict[Version, str]:
    """Return the newest release of each minor version, from the oldest that we support on."""
    found: dict[tuple[int, int], tuple[Version, str]] = {}
    for program in sorted({c for c in candidates() if re.fullmatch(r"python3(\.\d+)?", c.name)}):
        try:
            told = subprocess.run(
                [program, "-c", ASK],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True,
            ).stdout  # fmt: skip
            executable, (major, minor, micro), level = json.loads(told)
        except (OSError, subprocess.SubprocessError, ValueError):
            continue  # a version manager's shim, or an interpreter without venv
        version = (major, minor, micro)
        best = found.get((major, minor))
        if version >= OLDEST and level == "final" and (best is None or best[0] < version):
            found[major, minor] = version, executable
    return dict(sorted(found.values()))


def environment(name: str, interpreter: str) -> Path:
    """Return an interpreter with the locked packages and this checkout; made when they changed.

    Raises:
        subprocess.SubprocessError: It could not be made; pip's last words are its ``output``.
    """
    folder = TOP / ".cache" / f"python-{name}"
    python = folder / "bin" / "python"
    lock = TOP / "requirements.lock"
    wanted = hashlib.sha256(lock.read_bytes() + interpreter.encode()).hexdigest()
    stamp = folder / "made-from"
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return python
    pip = [
        str(python),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
        "--no-compile",
    ]
    for command in (
        [interpreter, "-m", "venv", "--clear", str(folder)],
        [*pip, "--require-hashes", "--requirement", str(lock)],
        [*pip, "--no-deps", "--no-build-isolation", "--editable", str(TOP)],
    ):
        subprocess.run(
            command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=INSTALL_SECONDS, check=True,
        )  # fmt: skip
    stamp.write_text(wanted, encoding="utf-8")
    return python


def run_tests(python: Path, arguments: Sequence[str]) -> bool:
    """Run the tests, each line behind a mark; did all of them pass?"""
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    with subprocess.Popen(
        command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            # Skips are those of missing extras and of the SIP stack: make test has told them.
            if not line.startswith("SKIPPED"):
                print(f"  | {line}", end="", flush=True)
        return process.wait(TESTS_SECONDS) == 0


def main(arguments: Sequence[str]) -> int:
    """Return the exit code; see the module's text."""
    mine = sys.version_info[:2]
    passed: list[str] = []
    failed: list[str] = []
    for version, interpreter in interpreters().items():
        name = ".".join(map(str, version))
        if version[:2] == mine:
            continue
        print(f"pythons: {name}: making its environment", flush=True)
        try:
            python = environment(name, interpreter)
        except subprocess.SubprocessError as error:
            print(f"pythons: {name}: no environment: {error}\n{getattr(error, 'output', '')}")
            failed.append(name)
            continue
        right = run_tests(python, arguments or TESTS)
        (passed if right else failed).append(name)
    own = ".".join(map(str, sys.version_info[:3]))
    others = f"passed on {', '.join(passed)}" if passed else "passed on no other"
    print(f"pythons: {own} is make test's; {others}{'; FAILED on ' if failed else ''}", end="")
    print(", ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
