"""``[sip]``, ``[sip.tls]`` and ``[sip.trunk]``: transports, media and the carrier."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ivr.config.values import IpAddress, MaybePort, Positive, Section, SipUri, Whole, YesNo


class TlsSection(Section):
    """``[sip.tls]``: PEM files."""

    certificate: Path
    """File of the certificate that we show to peers, with those that vouch for it, in PEM form."""
    key: Path
    """File of the certificate's private key, in PEM form and without a passphrase."""
    authorities: Path | None = None
    """File of the authorities that may sign peers' certificates; the system's own list when
    absent."""
    verify_peer: YesNo = True
    """Whether a server that we call must show a certificate that one of the authorities signed."""
    require_client_certificate: YesNo = False
    """Whether a peer that calls us must show such a certificate too."""


class TrunkSection(Section):
    """``[sip.trunk]``: the carrier or PBX, when it is more than an address that calls us."""

    proxy: SipUri | None = None
    """SIP URI of the proxy through which all our own calls go; straight to their targets when
    absent."""
    registrar: SipUri | None = None
    """SIP URI to register with, so that calls are sent to us; nothing is registered when absent."""
    identity: SipUri | None = None
    """SIP URI by which the carrier knows us; our own address when absent."""
    user: str | None = None
    """User name that answers the carrier when it asks for a password."""
    password: str | None = Field(default=None, repr=False)
    """Password that belongs to the user name; it is never shown."""


class SipSection(Section):
    """``[sip]``: transports, media and the trunk."""

    bind_address: str = "127.0.0.1"
    """Our own address to listen on for SIP and sound; "0.0.0.0", which is every address of the
    machine, must be asked for."""
    udp_port: MaybePort = 5060
    """Port for SIP over UDP; 0 takes any free one, and false leaves UDP out."""
    tcp_port: MaybePort = 5060
    """Port for SIP over TCP; 0 takes any free one, and false leaves TCP out."""
    tls_port: MaybePort = None
    """Port for SIP over TLS, which needs the files of [sip.tls]; 0 takes any free one, and false
    leaves TLS out."""
    tls: TlsSection | None = None
    """Files for SIP over TLS."""
    srtp: Literal["off", "optional", "mandatory"] = "off"
    """Whether sound is encrypted: "off" never, "optional" when the peer offers it, "mandatory"
    always, which refuses all other calls with 488 and needs a tls_port."""
    public_address: str | None = None
    """Address that peers must send to, where it is not the bind_address (behind NAT)."""
    rtp_ports: Annotated[str, Field(pattern=r"^\d+-\d+$")] = "20000-20999"
    """First and last UDP port for sound: two ports a leg, and a bridged call has two legs."""
    codecs: tuple[str, ...] = ("PCMA", "PCMU", "G722", "opus")
    """Codecs that we accept, the preferred one first."""
    media_lost_seconds: Positive = 8.0
    """How long nothing at all may come from a caller's telephone, no sound and no report on it,
    before the call counts as lost."""
    session_timers: YesNo = True
    """Whether peers are asked from time to time if the call still stands (RFC 4028), so that one
    that vanished is noticed although nobody hangs up."""
    session_expires_seconds: Whole = Field(default=1800, ge=90, le=86_400)
    """How long a call stands without such a question being answered."""
    name_servers: tuple[IpAddress, ...] = ()
    """Addresses of the DNS servers that find targets by name; a slow system resolver would hold
    up all signalling."""
    trust_asserted_identity: YesNo = False
    """Whether the carrier's P-Asserted-Identity names the caller (RFC 3325), and goes along with
    bridged calls."""
    trunk: TrunkSection | None = None
    """The carrier, when it wants a registration or a proxy."""
    blocked_callers: tuple[str, ...] = ()
    """Numbers whose calls are refused with 603; a star at the end, as in "+32900*", stands for
    any rest."""
