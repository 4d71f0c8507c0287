"""Check that requirements.lock still answers pyproject.toml.

Needs no network: it compares names, so that a dependency that was added without `make lock` is
caught. Exit codes: 0 the lock is complete, 1 something is missing (named).
"""

import re
import sys
import tomllib
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def names(requirements: list[str]) -> set[str]:
    """Return normalised project names: lower case, single hyphens."""
    found = (re.match(r"[A-Za-z0-9._-]+", line) for line in requirements)
    return {re.sub(r"[-_.]+", "-", match.group().lower()) for match in found if match}


def main() -> int:
    """Compare, and say what is missing."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = names(project["dependencies"] + project["optional-dependencies"]["dev"])
    lock = (TOP / "requirements.lock").read_text("utf-8")
    missing = wanted - names(re.findall(r"^\S+==\S+", lock, re.M))
    if missing:
        print(f"requirements.lock lacks {', '.join(sorted(missing))}: run make lock")
        return 1
    if re.search(r"https?://|file:", lock):
        print("requirements.lock names an address; where packages come from is the machine's own")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
