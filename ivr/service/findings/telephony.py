"""SIP: its settings, its ports, and the targets that callers are handed over to."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from ivr.config.schema import Config
from ivr.config.sip import SipSection
from ivr.config.values import uri_place
from ivr.files.embedded import set_up_command
from ivr.files.home import Home
from ivr.service.findings.finding import Finding, Weight, mistake
from ivr.service.settings import sip_settings
from ivr.sip.message import is_target

_SIP_PORT = 5060
_SIPS_PORT = 5061
_IPV4 = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)


def check_settings(config: Config, path: Path) -> Iterator[Finding]:
    """Values of ``[sip]`` that cannot work together, and a SIP library that is not there."""
    for problem in sip_settings(config).problems():
        yield Finding(Weight.MISTAKE, f"{path}: {problem}")
    if find_spec("pjsua2") is None:
        yield Finding(
            Weight.ADVICE,
            "pjsua2 is not installed here: this machine can check, classify and transcribe, but "
            f"not take calls; to build it, run: {set_up_command()}",
        )


def check_ports(config: Config, path: Path, home: Home) -> Iterator[Finding]:
    """Ports that are given twice, and those that another program holds."""
    service = config.service
    addresses = {config.sip.bind_address, service.http_address}
    if len(addresses) == 1 or "0.0.0.0" in addresses:
        for name in ("tcp_port", "tls_port"):
            if service.http_port and service.http_port == getattr(config.sip, name):
                yield mistake(
                    path,
                    "service.http_port",
                    service.http_port,
                    f"equals sip.{name}",
                    "write another port for one of them",
                )
    # They may be in use by the very service that is checked.
    if home.is_in_use():
        return
    sip = config.sip
    ports = (
        ("sip.udp_port", sip.bind_address, sip.udp_port, socket.SOCK_DGRAM),
        ("sip.tcp_port", sip.bind_address, sip.tcp_port, socket.SOCK_STREAM),
        ("sip.tls_port", sip.bind_address, sip.tls_port, socket.SOCK_STREAM),
        ("service.http_port", service.http_address, service.http_port, socket.SOCK_STREAM),
    )
    for key, address, port, kind in ports:
        if port and (problem := _bind(address, port, kind)):
            yield mistake(
                path,
                key,
                port,
                f"cannot be used on {address} ({problem})",
                "stop what listens there, or choose another address or port",
            )


def check_targets(config: Config, path: Path) -> Iterator[Finding]:
    """Targets that nobody can be handed over to, and those that are ourselves.

    Of the latter, a caller would be asked the same question for ever.
    """
    sip = config.sip
    ports = {port for port in (sip.udp_port, sip.tcp_port, sip.tls_port) if port}
    for name, group in config.groups.items():
        for place, target in enumerate(group.targets, start=1):
            key = f"groups.{name}.targets[{place}].uri"
            if not is_target(target.uri):
                yield mistake(
                    path,
                    key,
                    target.uri,
                    "is no address that callers can be handed over to",
                    'write it plainly, without "?" and what follows it, for example '
                    '"sip:701@pbx.example.be"',
                )
                continue
            host, port = uri_place(target.uri)
            uri = target.uri.lower()
            is_tls = uri.startswith("sips:") or ";transport=tls" in uri
            usual = _SIPS_PORT if is_tls else _SIP_PORT
            if (int(port) if port else usual) in ports and _is_ours(host, config.sip):
                yield mistake(
                    path,
                    key,
                    target.uri,
                    "is this service itself: callers would go round in circles",
                    "give the address of the exchange where the group answers",
                )


def _is_ours(host: str, sip: SipSection) -> bool:
    """Whether we listen at this address or name (IPv4)."""
    if _as_address(host) in (_as_address(sip.bind_address), _as_address(sip.public_address or "")):
        return True
    if sip.bind_address != "0.0.0.0":
        return False
    # On every address: only those of this machine can be bound.
    return bool(_IPV4.fullmatch(_as_address(host))) and not _bind(
        _as_address(host), 0, socket.SOCK_DGRAM
    )


def _as_address(host: str) -> str:
    own = {"localhost", socket.gethostname().lower()}
    return "127.0.0.1" if host.lower() in own else host.lower()


def _bind(address: str, port: int, kind: socket.SocketKind) -> str:
    """Why a port cannot be bound, in the system's words; empty when it can."""
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except OSError as error:
        return error.strerror or "unusable"
    return ""
