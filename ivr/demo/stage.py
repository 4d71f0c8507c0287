"""A service and a contact centre on loopback, in a folder of their own, for one or more calls."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from intent.catalogue import Catalogue, load_catalogue
from intent.errors import IntentError
from ivr.config.loading import load_config
from ivr.config.schema import Config
from ivr.demo.children import ADDRESS, Children
from ivr.demo.errors import DemoError
from ivr.demo.processes import Child
from ivr.files.embedded import embedded_dir
from ivr.files.home import Home

LINE: Final = "1700"
CENTRE: Final = "contact centre"
PHONE: Final = "phone"
_CALLS_MOST: Final = 16
_PORTS_EACH: Final = 200
_PORT_TRIES: Final = 50
_RING_SECONDS: Final = 0.5
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
    phone_command: Sequence[str] = (sys.executable, "-m", "ivr", "phone")
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the phone's."""


class Stage(Children):
    """Makes the configuration and starts service and contact centre; see :class:`Children`.

    Args:
        settings: What differs from the defaults.
        home: Home folder of the service; a temporary one when None.
    """

    def __init__(self, settings: StageSettings | None = None, home: Path | None = None) -> None:
        super().__init__()
        self.settings = settings or StageSettings()
        self.http_port = 0
        self.phone_pid = 0
        self.sip_port = 0
        self.home = Home(home if home is not None else self.folder / "home")
        self.config_path = self.folder / "wegwijs.toml"
        self.config = Config()
        self.catalogue = _catalogue()
        self.general = self.config.general
        self.groups = tuple(dict.fromkeys([*(g.slug for g in self.catalogue.groups), self.general]))

    @property
    def uri(self) -> str:
        """Where the service answers."""
        return f"sip:{LINE}@{ADDRESS}:{self.sip_port}"

    def start_all(self, meanwhile: Callable[[], None] = lambda: None) -> Child:
        """Start contact centre and service side by side; returns the service, ready.

        Args:
            meanwhile: Called once while both start.

        Raises:
            DemoError: One of them does not start.
        """
        centre, phone = self.begin_centre(), self.begin_phone()
        meanwhile()
        self.wait_ready(centre)
        self.await_phone(phone)
        return phone

    def begin_centre(self) -> Child:
        """Write the configuration and start the contact centre, without waiting for it."""
        port = _free_port()
        self._write_config(port)
        command = [sys.executable, "-m", "ivr.demo.contact_centre_agent", "--bind", ADDRESS]
        command += ["--ring-seconds", str(_RING_SECONDS), "--talk-seconds", str(_TALK_SECONDS)]
        command += ["--port", str(port)]
        for group in self.groups:
            behaviour = self.settings.behaviours.get(group, "answer")
            command += ["--group", f"{group}={behaviour}"]
        return self.start(CENTRE, command)

    def begin_phone(self) -> Child:
        """Start the service, or start it again, without waiting for it."""
        command = [*self.settings.phone_command, "--config", str(self.config_path)]
        command += ["--home", str(self.home.path)]
        phone = self.start(PHONE, command, self.settings.environment)
        self.phone_pid = phone.pid
        return phone

    def await_phone(self, phone: Child) -> None:
        """Wait until the service takes calls.

        Raises:
            DemoError: It does not start.
        """
        ready = self.wait_ready(phone)
        self.http_port = int(ready.fields["http_port"])
        self.sip_port = int(ready.fields["sip_ports"]["udp"])

    def _write_config(self, centre_port: int) -> None:
        # Processes of one machine get ports apart, below the kernel's ephemeral ones.
        first = 16_000 + os.getpid() % 70 * _PORTS_EACH
        tables: dict[str, dict[str, object]] = {
            "service": {"http_address": ADDRESS, "http_port": 0, "max_calls": _CALLS_MOST},
            "sip": {
                "bind_address": ADDRESS,
                "udp_port": 0,
                "tcp_port": False,
                "rtp_ports": f"{first}-{first + _PORTS_EACH - 1}",
            },
        }
        tables['lines."*"'] = {}
        for name, values in self.settings.tables.items():
            tables.setdefault(name, {}).update(values)
        lines = []
        for name, values in tables.items():
            lines += [f"[{name}]", *(f"{key} = {json.dumps(v)}" for key, v in values.items()), ""]
        for group in self.groups:
            uri = json.dumps(f"sip:{group}@{ADDRESS}:{centre_port}")
            lines += [f"[[groups.{json.dumps(group)}.targets]]", f"uri = {uri}"]
            lines.append(f"wait_seconds = {self.settings.wait_seconds}")
        self.config_path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.config = load_config(self.config_path)


def _catalogue() -> Catalogue:
    try:
        return load_catalogue(embedded_dir("training_data"))
    except IntentError as error:
        raise DemoError(f"the embedded catalogue cannot be used: {error}") from None


def _free_port() -> int:
    """A port that is free for UDP and for TCP, since the contact centre takes both.

    Raises:
        DemoError: None was found.
    """
    for _ in range(_PORT_TRIES):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        ):
            udp.bind((ADDRESS, 0))
            port = int(udp.getsockname()[1])
            try:
                tcp.bind((ADDRESS, port))
            except OSError:
                continue
            return port
    raise DemoError("no port is free for the contact centre; end some other programs")
