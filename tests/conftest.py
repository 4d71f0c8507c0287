"""What holds for every test."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples everywhere, and no clock in them: a busy machine must not fail a test.
settings.register_profile(
    "wegwijs",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("wegwijs")

REAL_PROCESSES = {Path(__file__).parent / name for name in ("integration", "sip")}
BUSY_SECONDS = 900
"""For a test among real processes. Its own waits are bounded and say what did not happen; this
only ends what hangs in a place without one."""


def pytest_configure() -> None:
    """Hear Ctrl-C, and let programs under test hear it: a job in the background does not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests with real processes the time that a busy machine needs."""
    for item in items:
        if item.get_closest_marker("timeout") is None and REAL_PROCESSES & {*item.path.parents}:
            item.add_marker(pytest.mark.timeout(BUSY_SECONDS))
