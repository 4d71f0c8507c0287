"""Why a demonstration or a test call could not be done."""

from __future__ import annotations

from ivr.errors import WegwijsError


class DemoError(WegwijsError):
    """Something that the demo needs is missing, or broke on the way; names the remedy."""

    code = "demo"


class DemoUsageError(DemoError):
    """What was asked for cannot be asked for."""

    code = "demo_usage"
