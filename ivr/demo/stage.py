"""A service and a contact centre on loopback, in a folder of their own, for one or more calls."""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final

from intent.catalogue import Catalogue
from ivr.app import catalogue_of
from ivr.config import Config, load_config
from ivr.demo.errors import DemoError
from ivr.demo.processes import Child, Happening
from ivr.home import Home

ADDRESS: Final = "127.0.0.1"
LINE: Final = "1700"
CENTRE: Final = "contact centre"
PHONE: Final = "phone"
_PORTS_EACH: Final = 200
_START_SECONDS: Final = 60.0
"""A loaded machine may take so long to load the models."""
_RING_SECONDS: Final = 1.0
_TALK_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings:
    """What may differ from one demonstration to the next."""

    behaviours: Mapping[str, str] = field(default_factory=dict)
    """What a voorlichter group does when it is not to answer: ``busy``, ``decline``, ``ring``."""
    tables: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """More configuration: table, key, value."""
    wait_seconds: float = 8.0
    """How long a group may let a caller wait before the next one is tried."""
    phone_command: Sequence[str] = (sys.executable, "-m", "ivr.cli", "phone")
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the phone's."""


class Stage:
    """Makes the folder and the configuration, starts the processes, ends them all.

    Use it as a context: whatever happens inside, every process is gone afterwards and the
    folder is removed.

    Args:
        settings: What differs from the defaults.
        home: Home folder of the service; a temporary one when None.
    """

    def __init__(self, settings: StageSettings | None = None, home: Path | None = None) -> None:
        self.settings = settings or StageSettings()
        self.happenings: list[Happening] = []
        """Everything that was heard, in order."""
        self.http_port = 0
        self.sip_port = 0
        self._queue: queue.Queue[Happening] = queue.Queue()
        self._children: list[Child] = []
        self.folder = Path(tempfile.mkdtemp(prefix="wegwijs-demo-"))
        self.home = Home(home if home is not None else self.folder / "home")
        self.config_path = self.folder / "wegwijs.toml"
        self.config = Config()
        self.catalogue: Catalogue = catalogue_of(self.config)
        self.general = self.config.general
        self.groups = tuple(dict.fromkeys([*(g.slug for g in self.catalogue.groups), self.general]))

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in reversed(self._children):
            child.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def uri(self) -> str:
        """Where the service answers."""
        return f"sip:{LINE}@{ADDRESS}:{self.sip_port}"

    def start_centre(self) -> Child:
        """Start the contact centre and write the configuration that names its groups.

        Raises:
            DemoError: It does not start.
        """
        command = [sys.executable, "-m", "ivr.demo.contact_centre_agent", "--bind", ADDRESS]
        command += ["--ring-seconds", str(_RING_SECONDS), "--talk-seconds", str(_TALK_SECONDS)]
        for group in self.groups:
            behaviour = self.settings.behaviours.get(group, "answer")
            command += ["--group", f"{group}={behaviour}"]
        centre = self.start(CENTRE, command)
        ready = self.wait_ready(centre)
        self._write_config(int(ready.fields["ports"]["udp"]))
        return centre

    def start_phone(self) -> Child:
        """Start the service, or start it again, and wait until it takes calls.

        Raises:
            DemoError: It does not start.
        """
        phone = self.begin_phone()
        self.await_phone(phone)
        return phone

    def begin_phone(self) -> Child:
        """Start the service without waiting for it."""
        command = [*self.settings.phone_command, "--config", str(self.config_path)]
        command += ["--home", str(self.home.path)]
        return self.start(PHONE, command, self.settings.environment)

    def await_phone(self, phone: Child) -> None:
        """Wait until the service takes calls.

        Raises:
            DemoError: It does not start.
        """
        ready = self.wait_ready(phone)
        self.http_port = int(ready.fields["http_port"])
        self.sip_port = int(ready.fields["sip_ports"]["udp"])

    def start_caller(self, to: str, *options: str, name: str = "caller") -> Child:
        """Start a caller that dials ``to`` at once."""
        command = [sys.executable, "-m", "ivr.demo.caller_agent", "--to", to, "--bind", ADDRESS]
        return self.start(name, [*command, *options])

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> Child:
        """Start one more process.

        Raises:
            DemoError: The program cannot be started.
        """
        try:
            child = Child(name, command, self._queue, environment or {})
        except OSError as error:
            raise DemoError(
                f"the {name} cannot be started: {error.strerror}; check the installation with "
                "'make setup'"
            ) from None
        self._children.append(child)
        return child

    def next(self, seconds: float) -> Happening | None:
        """The next thing that happens; None when nothing does for so long."""
        try:
            happening = self._queue.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return None
        self.happenings.append(happening)
        return happening

    def wait_for(self, wanted: Callable[[Happening], bool], seconds: float, what: str) -> Happening:
        """Wait for something that has not happened yet.

        Raises:
            DemoError: It does not happen in time.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            happening = self.next(left)
            if happening is not None and wanted(happening):
                return happening
        raise DemoError(
            f"{what} did not happen within {seconds:.0f} s; try again on a calmer machine"
        )

    def wait_ready(self, child: Child) -> Happening:
        """Wait until a child that was just started is ready.

        Raises:
            DemoError: It ends, or takes too long.
        """

        def ready_or_gone(happening: Happening) -> bool:
            return happening.source == child.name and happening.event in ("ready", "gone", "error")

        happening = self.wait_for(ready_or_gone, _START_SECONDS, f"the start of the {child.name}")
        while happening.event != "ready" or "level" in happening.fields:
            if happening.event != "ready":
                text = str(happening.fields.get("text", "")) or child.complaint()
                raise DemoError(f"the {child.name} did not start: {text or 'it gave no reason'}")
            happening = self.wait_for(
                ready_or_gone, _START_SECONDS, f"the start of the {child.name}"
            )
        return happening

    def _write_config(self, centre_port: int) -> None:
        # Processes of one machine get ports apart, below the kernel's ephemeral ones.
        first = 16_000 + os.getpid() % 70 * _PORTS_EACH
        tables: dict[str, dict[str, object]] = {
            "service": {"http_address": ADDRESS, "http_port": 0, "max_calls": 8},
            "sip": {
                "bind_address": ADDRESS,
                "udp_port": 0,
                "tcp_port": False,
                "rtp_ports": f"{first}-{first + _PORTS_EACH - 1}",
            },
        }
        for name, values in self.settings.tables.items():
            tables.setdefault(name, {}).update(values)
        lines = []
        for name, values in tables.items():
            lines += [f"[{name}]", *(f"{key} = {json.dumps(v)}" for key, v in values.items()), ""]
        lines.append('[lines."*"]')
        for group in self.groups:
            uri = json.dumps(f"sip:{group}@{ADDRESS}:{centre_port}")
            lines += [f"[[groups.{json.dumps(group)}.targets]]", f"uri = {uri}"]
            lines.append(f"wait_seconds = {self.settings.wait_seconds}")
        self.config_path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.config = load_config(self.config_path)


def require_pjsua2() -> None:
    """Refuse to go on without the SIP library.

    Raises:
        DemoError: It is not installed.
    """
    if importlib.util.find_spec("pjsua2") is None:
        raise DemoError("pjsua2 is not installed, and calls need it; run 'make setup'")
