"""Runs the tests, and once more, each in a process of its own, those that failed.

Usage::

    python .ci/repeat.py [--list FILE] -- .venv/bin/pytest [ARGUMENTS]
    python .ci/repeat.py [--list FILE] --check

A test that passes when it is repeated is printed as ``unstable: ID`` and added to the list (where
that can be written), which ``--check`` wants to be empty. A failure that repeats, a test file that
cannot be imported, and a run that broke are failures. The last line is pytest's closing line, with
what repeating changed in it.

Exit codes: 0 nothing failed twice (or the list is empty), 1 something did (or it is not), 2 wrong
usage.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

LIST = Path(__file__).with_name("unstable.txt")
MOST = 10
"""More failures than this are no chance, and repeating them would take long."""
ALL_SECONDS = 4 * 3600.0
REPEAT_SECONDS = 1800.0
TESTS_FAILED = 1
"""pytest's exit code for that; other codes are a run that broke."""
CLOSING = re.compile(r"^(?:=+ )?(\d+ \w+.*) in ([\d.]+s(?: \([\d:]+\))?)(?: =+)?$")


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of pytest came to."""

    code: int
    counts: dict[str, int]
    """Of its closing line: passed, failed, skipped, ..."""
    took: str
    """As pytest wrote it, ``1012.34s (0:16:52)``; empty when it never came to its closing line."""


def run(command: Sequence[str], *, indent: str = "", seconds: float) -> Run:
    """Run pytest and pass its output on, each line behind ``indent``; end it after ``seconds``."""
    counts: dict[str, int] = {}
    took = ""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        limit = threading.Timer(seconds, process.kill)
        limit.daemon = True
        limit.start()
        assert process.stdout is not None
        for line in process.stdout:
            print(indent + line, end="", flush=True)
            if match := CLOSING.match(line.rstrip()):
                counts = {word: int(n) for n, word in re.findall(r"(\d+) (\w+)", match[1])}
                took = match[2]
        code = process.wait()
        limit.cancel()
    return Run(code, counts, took)


def failed_tests(cache: Path) -> list[str]:
    """Return the ids that pytest's cache names as failed; empty when it came to none."""
    try:
        found = json.loads((cache / "v/cache/lastfailed").read_text("utf-8"))
    except FileNotFoundError:
        return []
    return sorted(found)


def listed(file: Path) -> list[str]:
    """Return the ids on the list; comments and empty lines are none."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [line for line in lines if line.strip() and not line.startswith("#")]


def remember(file: Path, unstable: Sequence[str]) -> None:
    """Add ids to the list, unless this checkout may not be written."""
    known = listed(file)
    new = [test for test in unstable if test not in known]
    if not new:
        return
    try:
        with file.open("a", encoding="utf-8") as out:
            out.writelines(f"{test}\n" for test in new)
    except OSError as error:
        print(f"unstable: {file} cannot be written ({error.strerror}); the names stand above")


def closing_line(first: Run, unstable: int, failures: int) -> str:
    """Return pytest's closing line as it is after repeating."""
    counts = {"failed": failures, **first.counts, "unstable": unstable}
    counts["failed"] = failures
    counts.pop("error", None)
    counts.pop("errors", None)
    told = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
    return f" {told} in {first.took} ".center(80, "=")


def run_tests(command: Sequence[str], file: Path) -> int:
    """Run everything, repeat what failed, and tell; returns the exit code."""
    seed: list[str] = []
    if find_spec("pytest_randomly") and "no:randomly" not in command:
        seed = [f"--randomly-seed={secrets.randbelow(2**32)}"]
    with tempfile.TemporaryDirectory(prefix="wegwijs-tests-") as folder:
        cache = ["-o", f"cache_dir={folder}"]
        first = run([*command, *cache, *seed], seconds=ALL_SECONDS)
        if first.code == 0:
            return 0
        failed = failed_tests(Path(folder))
    if first.code != TESTS_FAILED or not failed:
        print(f"tests: the run itself broke (exit {first.code}); nothing is repeated")
        return 1
    if len(failed) > MOST:
        print(f"tests: {len(failed)} failures are no chance; none is repeated")
        return 1
    unstable: list[str] = []
    failures: list[str] = []
    for name in failed:
        print(f"\ntests: once more, alone: {name}", flush=True)
        with tempfile.TemporaryDirectory(prefix="wegwijs-tests-") as folder:
            again = run(
                [sys.executable, "-m", "pytest", "-o", f"cache_dir={folder}", *seed, name],
                indent="  | ",
                seconds=REPEAT_SECONDS,
            )
        passed = again.code == 0 and again.counts.get("passed", 0) > 0
        (unstable if passed else failures).append(name)
    print()
    for name in failures:
        print(f"failed twice: {name}")
    for name in unstable:
        print(f"unstable: {name}")
    remember(file, unstable)
    print(closing_line(first, len(unstable), len(failures)))
    return 1 if failures else 0


def check(file: Path) -> int:
    """Return 1, and say so, when the list names a test."""
    names = listed(file)
    for name in names:
        print(f"unstable: {name}")
    if names:
        print(f"{file}: mend these tests, then take their lines out")
    return 1 if names else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code; see the module's text."""
    parser = argparse.ArgumentParser(description="Run the tests; repeat once those that failed.")
    parser.add_argument("--list", type=Path, default=LIST, metavar="FILE", help="unstable tests")
    parser.add_argument("--check", action="store_true", help="only: is the list empty?")
    parser.add_argument("command", nargs="*", metavar="COMMAND", help="after --: pytest, as a list")
    options = parser.parse_args(arguments)
    if options.check == bool(options.command):
        parser.error("give either --check or -- and a command")
    return check(options.list) if options.check else run_tests(options.command, options.list)


if __name__ == "__main__":
    sys.exit(main())
