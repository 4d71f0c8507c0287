"""``wegwijs check``: every mistake before a call finds it, each with its remedy."""

from __future__ import annotations

from pathlib import Path

from ivr.files.embedded import example_config
from ivr.files.home import Home
from ivr.service.findings.check import check
from ivr.service.findings.finding import Weight


def run_check(config: Path | None, home: Path) -> int:
    """Print what is wrong with a configuration, one finding a line, and a verdict last.

    Args:
        config: The file; the example that Wegwijs carries when None.
        home: Where the service would keep its state.

    Returns:
        1 when there is a mistake, 0 when there is none; advice alone is no mistake.

    Raises:
        EmbeddedDataError: The installation is incomplete.
    """
    path = config if config is not None else example_config()
    found = check(path, Home(home))
    for finding in found:
        print(f"{finding.weight.value}: {finding.message}")
    mistakes = sum(finding.weight is Weight.MISTAKE for finding in found)
    if mistakes:
        print(f"{path}: {mistakes} mistake{'s' if mistakes > 1 else ''}")
        return 1
    print(f"{path}: no mistakes")
    return 0
