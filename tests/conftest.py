"""What holds for every test."""

from __future__ import annotations

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
