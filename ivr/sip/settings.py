"""What the SIP side must know to start, and the checks that need no socket."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

from ivr.files.embedded import set_up_command
from ivr.sip.errors import SettingsError, TlsFilesError

PORTS_PER_LEG: Final = 2
"""RTP and RTCP."""
SPARE_LEGS: Final = 16
"""Legs above ``max_calls``, so that a call too many is still answered with our 503."""
LIBRARY_CALLS: Final = 512
"""``PJSUA_MAX_CALLS`` in sip_config/pjsua2/config_site.h; the start checks the real figure."""

_CODECS: Final = {
    "pcma": "PCMA/8000",
    "pcmu": "PCMU/8000",
    "g722": "G722/16000",
    "opus": "opus/48000",
}
_PORT_MAX: Final = 65535
_ADDRESS: Final = re.compile(r"[0-9A-Za-z_-]{1,63}(?:\.[0-9A-Za-z_-]{1,63})*\.?")
_LONGEST_SESSION_SECONDS: Final = 86_400


@unique
class Srtp(StrEnum):
    """Whether speech is encrypted on the wire."""

    OFF = "off"
    OPTIONAL = "optional"
    """Encrypted when the peer offers it."""
    MANDATORY = "mandatory"
    """Calls without encryption are refused with 488. Needs TLS, which carries the keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files of the TLS transport."""

    certificate: Path
    key: Path
    authorities: Path | None = None
    """Who may sign a peer's certificate; the system's own list when absent."""
    verify_peer: bool = True
    """Whether servers that we call must show a certificate of ``authorities``."""
    require_client_certificate: bool = False

    def problems(self) -> Iterator[TlsFilesError]:
        """Load the files once; everything that is wrong with them."""
        files = {"certificate": self.certificate, "key": self.key, "authorities": self.authorities}
        missing = [
            (what, path) for what, path in files.items() if path is not None and not path.is_file()
        ]
        for what, path in missing:
            yield TlsFilesError(
                f"sip.tls.{what} = {str(path)!r} is not a file; give the path of a PEM file"
            )
        absent = {what for what, _ in missing}
        if absent.isdisjoint({"certificate", "key"}) and (problem := self._pair_problem()):
            yield TlsFilesError(
                f"sip.tls: {self.certificate} and {self.key} cannot be used ({problem}); give a "
                "PEM certificate with its own key, without a passphrase"
            )
        if self.authorities is not None and "authorities" not in absent:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(self.authorities)
            except OSError as error:
                yield TlsFilesError(
                    f"sip.tls.authorities = {str(self.authorities)!r} cannot be used "
                    f"({_reason(error)}); give a file of PEM certificates"
                )

    def _pair_problem(self) -> str:
        asked = False

        def passphrase() -> str:
            # A key with a passphrase would otherwise ask for it on the terminal.
            nonlocal asked
            asked = True
            return ""

        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                self.certificate, self.key, password=passphrase
            )
        except OSError as error:
            if asked:
                return "the key has a passphrase"
            for path, what in ((self.certificate, b"CERTIFICATE"), (self.key, b"PRIVATE KEY")):
                try:
                    if what not in path.read_bytes():
                        return f"{path} holds no {what.decode().lower()}"
                except OSError as unreadable:
                    return f"{path}: {unreadable.strerror}"
            return _reason(error)
        return ""


def _reason(error: OSError) -> str:
    return getattr(error, "reason", None) or error.strerror or "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """The connection to a carrier or PBX, when it is more than an address that calls us."""

    proxy: str | None = None
    """SIP URI through which we place calls, for example ``sip:pbx.example.be;lr``."""
    registrar: str | None = None
    """SIP URI to register with; no registration when absent."""
    identity: str | None = None
    """SIP URI that we are known by there."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SipSettings:
    """All settings of the SIP side. Nothing listens beyond this machine unless asked."""

    bind_address: str = "127.0.0.1"
    udp_port: int | None = 5060
    """0 lets the system choose; None leaves the transport out."""
    tcp_port: int | None = 5060
    tls_port: int | None = None
    tls: TlsFiles | None = None
    srtp: Srtp = Srtp.OFF
    public_address: str | None = None
    """Address that peers must use, when it is not ``bind_address`` (NAT)."""
    rtp_first_port: int = 20000
    rtp_last_port: int = 20999
    codecs: tuple[str, ...] = ("PCMA", "PCMU", "G722", "opus")
    """Best first."""
    max_calls: int = 200
    """Callers at once. A bridge takes a second leg, which is counted for."""
    media_lost_seconds: float = 8.0
    """Silence of RTP and RTCP after which a caller counts as lost. Peers that send nothing
    while their speaker is silent still send RTCP every 5 seconds."""
    ask_seconds: float = 15.0
    """A leg without sound, or sent on, is asked so often whether it is still there."""
    session_timers: bool = True
    """RFC 4028: a dead peer is noticed although nobody hangs up."""
    session_expires_seconds: int = 1800
    trust_asserted_identity: bool = False
    """Whether P-Asserted-Identity names the caller (RFC 3325), and is passed on to the targets of
    bridged calls. Only for a carrier or exchange that lets no stranger write it."""
    trunk: Trunk | None = None
    name_servers: tuple[str, ...] = ()
    """DNS servers to ask for targets by name, SRV records included, while calls go on. Without
    them the system is asked, and a slow answer holds up every call's signalling."""
    user_agent: str = "Wegwijs"

    @property
    def max_legs(self) -> int:
        """Legs that the library must hold: each caller bridged, and some to refuse."""
        return 2 * self.max_calls + SPARE_LEGS

    @property
    def library_codecs(self) -> tuple[str, ...]:
        """The codecs as pjsua2 names them, best first."""
        return tuple(_CODECS[codec.lower()] for codec in self.codecs)

    @property
    def rtp_ports(self) -> int:
        """Ports in the RTP range."""
        return self.rtp_last_port - self.rtp_first_port + 1

    def check(self) -> None:
        """Find a value that cannot work, before anything is opened.

        Raises:
            SettingsError: A value is out of range or contradicts another.
            TlsFilesError: The TLS files cannot be used.
        """
        for problem in self.problems():
            raise problem

    def problems(self) -> Iterator[SettingsError | TlsFilesError]:
        """Everything that cannot work, the TLS files included."""
        yield from self._check_addresses()
        yield from self._check_transports()
        if self.tls is not None:
            yield from self.tls.problems()
        yield from self._check_trunk()
        yield from self._check_codecs()
        if self.max_calls < 1 or self.max_legs > LIBRARY_CALLS:
            most = (LIBRARY_CALLS - SPARE_LEGS) // 2
            yield SettingsError(
                "max_calls",
                self.max_calls,
                f"is not between 1 and {most}",
                remedy=f"take at most {most} and run more phone nodes, or raise PJSUA_MAX_CALLS "
                f"in sip_config/pjsua2/config_site.h and run: {set_up_command()}",
                section="service",
            )
        yield from self._check_rtp_range()
        if self.media_lost_seconds <= 0:
            yield SettingsError(
                "media_lost_seconds",
                self.media_lost_seconds,
                "is not a positive number of seconds",
                remedy="write for example 8",
            )
        if not 90 <= self.session_expires_seconds <= _LONGEST_SESSION_SECONDS:
            yield SettingsError(
                "session_expires_seconds",
                self.session_expires_seconds,
                "is less than the 90 that RFC 4028 allows, or longer than a day",
                remedy="write for example 1800",
            )

    def _check_trunk(self) -> Iterator[SettingsError]:
        if self.trunk is not None and self.trunk.password is not None and not self.trunk.user:
            yield SettingsError(
                "trunk.user",
                self.trunk.user,
                "leaves the password of nobody",
                remedy="give the name that the password belongs to, or leave both out",
            )

    def _check_addresses(self) -> Iterator[SettingsError]:
        for key, value in (
            ("bind_address", self.bind_address),
            ("public_address", self.public_address),
            *(("name_servers", server) for server in self.name_servers),
        ):
            if value is not None and not _ADDRESS.fullmatch(value):
                yield SettingsError(
                    key,
                    value,
                    "is not an IPv4 address or host name",
                    remedy="write for example 127.0.0.1",
                )

    def _check_transports(self) -> Iterator[SettingsError]:
        ports = {"udp_port": self.udp_port, "tcp_port": self.tcp_port, "tls_port": self.tls_port}
        for key, port in ports.items():
            if port is not None and not 0 <= port <= _PORT_MAX:
                yield SettingsError(
                    key, port, "is not a port", remedy=f"write a number from 1 to {_PORT_MAX}"
                )
        if all(port is None for port in ports.values()):
            yield SettingsError(
                "udp_port",
                None,
                "and the other transports are all off",
                remedy="give at least one of udp_port, tcp_port and tls_port",
            )
        if self.tls_port is not None:
            if self.tls is None:
                yield SettingsError(
                    "tls_port",
                    self.tls_port,
                    "needs a certificate",
                    remedy="give tls.certificate and tls.key, or leave tls_port out",
                )
            if self.tls_port and self.tls_port == self.tcp_port:
                yield SettingsError(
                    "tls_port", self.tls_port, "equals tcp_port", remedy="write for example 5061"
                )
        elif self.srtp is Srtp.MANDATORY:
            yield SettingsError(
                "srtp",
                str(self.srtp),
                "needs tls_port: the keys travel in the signalling",
                remedy="give tls_port, tls.certificate and tls.key",
            )

    def _check_codecs(self) -> Iterator[SettingsError]:
        for codec in self.codecs:
            if codec.lower() not in _CODECS:
                yield SettingsError(
                    "codecs", codec, "is unknown", remedy="choose from PCMA, PCMU, G722, opus"
                )
        if not self.codecs:
            yield SettingsError("codecs", [], "is empty", remedy="write for example [PCMA, PCMU]")

    def _check_rtp_range(self) -> Iterator[SettingsError]:
        shown = f"{self.rtp_first_port}-{self.rtp_last_port}"
        if not 1024 <= self.rtp_first_port <= self.rtp_last_port <= _PORT_MAX:
            yield SettingsError(
                "rtp_ports",
                shown,
                "is not a range of ports",
                remedy="write for example 20000-20999",
            )
            return
        needed = self.max_legs * PORTS_PER_LEG
        # RTP takes the even port of a pair.
        first = self.rtp_first_port + self.rtp_first_port % 2
        pairs = (self.rtp_last_port - first + 1) // PORTS_PER_LEG
        if pairs < self.max_legs:
            yield SettingsError(
                "rtp_ports",
                shown,
                f"holds {pairs} legs; {self.max_calls} calls, each of them bridged, and "
                f"{SPARE_LEGS} to refuse are {self.max_legs} legs of {PORTS_PER_LEG} ports",
                remedy=f"widen the range to {needed} ports, for example "
                f"{first}-{first + needed - 1}, or lower max_calls",
            )
