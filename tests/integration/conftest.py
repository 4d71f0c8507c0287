"""The contact centre and SIPp for whole-call tests; each skips with what is missing."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest

from asr.errors import AsrError
from asr.model_files.files import embedded_model_dir
from tests.integration.asterisk import Asterisk, AsteriskUnavailableError, root_folder
from tests.integration.callers import Centre
from tests.sip.agents import Agent

StartAsterisk = Callable[..., Asterisk]


@pytest.fixture
def asterisk() -> Iterator[StartAsterisk]:
    """A function that starts a contact centre; it is stopped after the test.

    ``asterisk(infoline_port=…, voorlichters={"belastingen": port}, queue_seconds=…,
    silence_seconds=…)``
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
            silence_seconds: int | None = 120,
        ) -> Asterisk:
            return running.enter_context(
                Asterisk(
                    infoline_port=infoline_port,
                    voorlichters=voorlichters,
                    queue_seconds=queue_seconds,
                    silence_seconds=silence_seconds,
                )
            )

        yield start


@pytest.fixture
def sipp() -> None:
    """Skip the test where SIPp is not installed."""
    if shutil.which("sipp") is None:
        pytest.skip("SIPp is not installed: run make setup-tests")


@pytest.fixture(scope="module")
def service_can_run() -> None:
    """Skip where a caller of ours cannot speak to a phone of ours."""
    pytest.importorskip("pjsua2", reason="pjsua2 is not built: run make setup")
    for program in ("sipp", "espeak-ng"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: run make setup-tests")
    try:
        embedded_model_dir()
    except AsrError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def centre() -> Iterator[Centre]:
    """A contact centre whose groups do what their names say."""
    groups = ("algemeen", "answer", "busy=busy", "decline=decline", "ring=ring")
    options = [option for group in groups for option in ("--group", group)]
    with Agent("contact_centre_agent", *options, "--ring-seconds", "0.1") as agent:
        yield Centre(agent, agent.until("ready")["ports"]["udp"])
