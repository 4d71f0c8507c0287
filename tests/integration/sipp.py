"""SIPp as caller, voorlichter or infoline: a SIP stack that is not ours.

Scenarios live in ``scenarios/``; SIPp's own ``uac`` and ``uas`` are used where they suffice.
"""

import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.integration.ports import free_port, free_range

WITHIN_SECONDS = 90.0
"""Generous: the machine may be busy."""
SCENARIOS = Path(__file__).resolve().parent / "scenarios"


class SippUnavailableError(Exception):
    """SIPp is not installed."""


class Sipp:
    """One SIPp process; a context manager that ends it.

    Args:
        folder: Where its logs go, usually ``tmp_path``.
        arguments: SIPp's own arguments, after the local address and port.
        name: Of its log files; one per process in a folder.
        port: Its SIP port; a free one when 0.
    """

    def __init__(self, folder: Path, *arguments: str, name: str, port: int = 0) -> None:
        self.port = port or free_port()
        self._folder = folder
        self._name = name
        self._output = folder / f"{name}.output"
        self._command = [
            "sipp", "-i", "127.0.0.1", "-p", str(self.port), "-mi", "127.0.0.1",
            "-mp", str(free_range(6)), "-nostdin",
            "-trace_err", "-error_file", str(folder / f"{name}.errors"),
            "-trace_msg", "-message_file", str(folder / f"{name}.messages"),
            *arguments,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self._messages_sent = 0

    @classmethod
    def voorlichter(cls, folder: Path, *, name: str = "voorlichter") -> Self:
        """Return one that answers every call and sends the caller's audio back."""
        return cls(folder, "-sn", "uas", "-rtp_echo", name=name)

    @classmethod
    def caller(cls, folder: Path, uri: str, *, name: str = "caller") -> Self:
        """Return one that calls ``uri`` once and stays until it is told to :meth:`hang_up`."""
        user, _, address = uri.removeprefix("sip:").partition("@")
        return cls(
            folder, address, "-sf", str(SCENARIOS / "caller.xml"), "-s", user, "-m", "1", name=name,
        )  # fmt: skip

    @classmethod
    def infoline(
        cls, folder: Path, *, port: int, target: str, thema: str, name: str = "infoline"
    ) -> Self:
        """Return one that answers, and transfers its caller to the SIP URI ``target``.

        It waits with that until it is told to :meth:`go_on`.
        """
        return cls(
            folder, "-sf", str(SCENARIOS / "infoline_refer.xml"),
            "-key", "target", target, "-key", "thema", thema, name=name, port=port,
        )  # fmt: skip

    @classmethod
    def talker(
        cls, folder: Path, uri: str, sound: Path, *, name: str, caller: str = "beller"
    ) -> Self:
        """Return one that calls ``uri`` and, told to :meth:`go_on`, speaks.

        It stays until it is hung up, or told to :meth:`hang_up`.

        Args:
            folder: Where its logs go.
            uri: Whom it calls.
            sound: Raw A-law of 8000 Hz.
            name: Of its log files; one per process in a folder.
            caller: Its number.
        """
        user, _, address = uri.removeprefix("sip:").partition("@")
        # SIPp fills no keywords into the name of a sound file.
        template = (SCENARIOS / "talker.xml").read_text("utf-8")
        scenario = folder / f"{name}.xml"
        scenario.write_text(template.replace("[sound]", str(sound)), encoding="utf-8")
        return cls(
            folder, address, "-sf", str(scenario), "-s", user, "-m", "1",
            "-key", "caller", caller, name=name,
        )  # fmt: skip

    def __enter__(self) -> Self:
        if shutil.which("sipp") is None:
            raise SippUnavailableError("SIPp is not installed: run make setup-tests")
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self._command],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def go_on(self) -> None:
        """Let a scenario over UDP that waits for a MESSAGE, which is for this alone, go on.

        Raises:
            RuntimeError: It is in no call.
        """
        found = re.search(r"^Call-ID: *(\S+)", self.messages(), re.MULTILINE | re.IGNORECASE)
        if found is None:
            raise RuntimeError(f"SIPp {self._name} is in no call")
        self._messages_sent += 1
        lines = (
            f"MESSAGE sip:127.0.0.1:{self.port} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK-go-on-{self._messages_sent}",
            "From: <sip:test@127.0.0.1>;tag=test",
            "To: <sip:test@127.0.0.1>",
            f"Call-ID: {found[1]}",
            f"CSeq: {self._messages_sent} MESSAGE",
            "Content-Length: 0",
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as test:
            test.sendto("\r\n".join((*lines, "", "")).encode(), ("127.0.0.1", self.port))

    def hang_up(self) -> None:
        """Let a :meth:`caller`, or a :meth:`talker` that speaks, say goodbye, and await its end.

        Raises:
            TimeoutError: It was not answered, or is not gone.
        """
        deadline = time.monotonic() + WITHIN_SECONDS
        waiting = threading.Event()
        while "\nACK " not in self.messages():
            # Before the answer there is no dialog to say it in.
            if time.monotonic() > deadline:
                raise TimeoutError(f"SIPp {self._name} was not answered: {self.errors()}")
            waiting.wait(0.02)
        self.go_on()
        self.wait(within_seconds=WITHIN_SECONDS)

    def kill(self) -> None:
        """End it at once, without a word to its peer."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=WITHIN_SECONDS)

    def wait(self, *, within_seconds: float) -> int:
        """Return SIPp's exit code: 0 when its scenario went as written.

        Raises:
            TimeoutError: It is still busy; the text holds what it complained of.
        """
        if self._process is None:
            raise RuntimeError("this SIPp was not started")
        try:
            return self._process.wait(timeout=within_seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"SIPp {self._name} is not done after {within_seconds:.0f} s: {self.errors()}"
            ) from None

    def check(self) -> None:
        """See that it has not failed, before more is waited for.

        Raises:
            RuntimeError: It has; the text holds what it complained of.
        """
        code = self._process.poll() if self._process is not None else None
        if code:
            raise RuntimeError(f"SIPp {self._name} ended with {code}: {self.errors()}")

    def errors(self) -> str:
        """Return what SIPp complained of."""
        files = (self._output, self._folder / f"{self._name}.errors")
        return "".join(file.read_text("utf-8", "replace") for file in files if file.exists())

    def messages(self) -> str:
        """Return every SIP message it sent and received."""
        file = self._folder / f"{self._name}.messages"
        return file.read_text("utf-8", "replace") if file.exists() else ""
