"""Check that requirements.lock and requirements-tests.lock still answer pyproject.toml.

Needs no network: it compares names, so that a dependency that was added without `make lock` is
caught. Exit codes: 0 the locks are complete, 1 something is missing or contradictory (named).
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def names(requirements: list[str]) -> set[str]:
    """Return normalised project names: lower case, single hyphens."""
    found = (re.match(r"[A-Za-z0-9._-]+", line) for line in requirements)
    return {re.sub(r"[-_.]+", "-", match.group().lower()) for match in found if match}


TESTS_EXTRAS = ("asr-training", "embeddings", "sherpa", "whisper")
NEVER_LOCKED = {"torch"}
"""Its build depends on the machine: see torch_choice.py."""


def versions(lock: str) -> dict[str, set[str]]:
    """Return the versions that a lock names; several where they differ by Python version."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock, re.M):
        found.setdefault(name, set()).add(version)
    return found


def faults() -> Iterator[str]:
    """Compare, and yield what is wrong."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    locks = {
        "requirements.lock": project["dependencies"] + extras["dev"],
        "requirements-tests.lock": [line for extra in TESTS_EXTRAS for line in extras[extra]],
    }
    locked = {file: versions((TOP / file).read_text("utf-8")) for file in locks}
    for file, wanted in locks.items():
        missing = names(wanted) - names(list(locked[file])) - NEVER_LOCKED
        if missing:
            yield f"{file} lacks {', '.join(sorted(missing))}: run make lock"
        if re.search(r"https?://|file:", (TOP / file).read_text("utf-8")):
            yield f"{file} names an address; where packages come from is the machine's own"
    base, rest = locked.values()
    for name in sorted(base.keys() & rest.keys()):
        if base[name] != rest[name]:
            yield f"the two locks differ on {name}: run make lock"


def main() -> int:
    """Say what is wrong."""
    found = list(faults())
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
