"""The floor under coverage, `fail_under` in pyproject.toml: it only rises.

Usage::

    python .ci/floor.py --check      it is no lower than it ever was in this repository's history
    python .ci/floor.py PERCENT      says when this measured figure allows a higher one

Exit codes: 0 fine, 1 the floor was lowered, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

SETTINGS = "pyproject.toml"


def floor() -> int:
    """Return today's floor, in whole percent of lines and branches."""
    settings = tomllib.loads(Path(SETTINGS).read_text("utf-8"))
    return int(settings["tool"]["coverage"]["report"]["fail_under"])


def highest_before() -> int:
    """Return the highest floor that was ever committed; 0 without a history."""
    try:
        history = subprocess.run(
            ["git", "log", "--format=", "--patch", "-G^fail_under", "--", SETTINGS],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return 0
    return max(map(int, re.findall(r"^\+fail_under = (\d+)", history, re.M)), default=0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code; see the module's text."""
    parser = argparse.ArgumentParser(description="The floor under coverage only rises.")
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--check", action="store_true", help="was it lowered?")
    asked.add_argument("percent", nargs="?", type=float, help="what was measured")
    options = parser.parse_args(arguments)
    now = floor()
    if options.check:
        before = highest_before()
        if now < before:
            print(f"{SETTINGS}: the floor under coverage was {before} and is {now}; it only rises")
            return 1
        return 0
    print(f"coverage: {options.percent} % of lines and branches; the floor is {now} %")
    if options.percent >= now + 2:
        print(f"coverage: write fail_under = {int(options.percent) - 1} in {SETTINGS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
