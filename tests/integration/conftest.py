"""The contact centre and SIPp for whole-call tests; each skips with what is missing."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest

from tests.integration.asterisk import Asterisk, AsteriskUnavailableError, root_folder

StartAsterisk = Callable[..., Asterisk]


@pytest.fixture
def asterisk() -> Iterator[StartAsterisk]:
    """A function that starts a contact centre; it is stopped after the test.

    ``asterisk(infoline_port=…, voorlichters={"belastingen": port}, queue_seconds=…)``
    """
    try:
        root_folder()
    except AsteriskUnavailableError as error:
        pytest.skip(f"no real Asterisk: {error}")
    with ExitStack() as running:

        def start(
            *,
            infoline_port: int = 9,
            voorlichters: Mapping[str, int] | None = None,
            queue_seconds: int = 60,
        ) -> Asterisk:
            return running.enter_context(
                Asterisk(
                    infoline_port=infoline_port,
                    voorlichters=voorlichters,
                    queue_seconds=queue_seconds,
                )
            )

        yield start


@pytest.fixture
def sipp() -> None:
    """Skip the test where SIPp is not installed."""
    if shutil.which("sipp") is None:
        pytest.skip("SIPp is not installed: run make setup-tests")
