"""One pjsua2 endpoint: transports, codecs, account, clock. Used on its owner's thread only."""

from __future__ import annotations

import errno
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import pjsua2 as pj
import structlog

from ivr.files.embedded import set_up_command
from ivr.ports.audio import SAMPLE_RATE_HZ
from ivr.sip import native
from ivr.sip.errors import LibraryError, PortInUseError
from ivr.sip.owner import destroy, guarded
from ivr.sip.settings import PORTS_PER_LEG, SipSettings, Srtp

_log = structlog.get_logger("wegwijs.sip")

# pjlib's error numbers: those of the system start here (pj/errno.h, PJ_ERRNO_START_SYS).
_SYSTEM_ERRORS_FROM: Final = 120_000
_SPARE_FILES: Final = 256
"""Open files beside sockets: database, recordings, models, HTTP."""
# PJSUA_DESTROY_NO_RX_MSG (pjsua-lib/pjsua.h).
_NO_WAIT: Final = 1
# PJSIP_EBUSY (pjsip/sip_errno.h).
_BUSY: Final = 171_001
_SWITCH_SECONDS: Final = 0.0005
_GOODBYE_POLL_MS: Final = 5
_REGISTRAR_POLL_MS: Final = 20
_SRTP: Final = {
    Srtp.OFF: pj.PJMEDIA_SRTP_DISABLED,
    Srtp.OPTIONAL: pj.PJMEDIA_SRTP_OPTIONAL,
    Srtp.MANDATORY: pj.PJMEDIA_SRTP_MANDATORY,
}


# The library's state is the process's; a second endpoint would abort it.
_IN_USE: Final = threading.Lock()


class _Endpoint(pj.Endpoint):
    def __init__(self, on_rejected: Callable[[str, int], None]) -> None:
        super().__init__()
        self._on_rejected = on_rejected

    def onRejectedIncomingCall(self, prm: Any) -> None:
        message, status = prm.rdata.wholeMsg, prm.statusCode
        guarded(lambda: self._on_rejected(message, status))


class _Account(pj.Account):
    def __init__(self, on_incoming: Callable[[int, str], None]) -> None:
        super().__init__()
        self._on_incoming = on_incoming
        self.registrar_answers = 0
        """Registrations that came to an end, well or not, and those that were taken back."""

    def onIncomingCall(self, prm: Any) -> None:
        number, message = prm.callId, prm.rdata.wholeMsg
        guarded(lambda: self._on_incoming(number, message))

    def onRegState(self, prm: Any) -> None:
        self.registrar_answers += 1
        if prm.code // 100 != 2:
            _log.error("registration_failed", status=prm.code)
        elif prm.expiration > 0:
            _log.info("registered", seconds=prm.expiration)
        else:
            _log.info("unregistered")

    def onInstantMessage(self, prm: Any) -> None:
        """Take no text messages: nobody would read them."""


class Runtime:
    """The endpoint of this process.

    Args:
        settings: Checked by :meth:`open`.
        on_incoming: Called with pjsua's call number and the INVITE.
        on_rejected: Called with the INVITE and the status, when pjsua refused it by itself.
        retry_after_seconds: For callers whom we cannot take for a reason of ours.
        before_close: Ends what is left before the endpoint goes.

    Raises:
        LibraryError: This pjsua2 is not the one that Wegwijs builds.
    """

    def __init__(
        self,
        settings: SipSettings,
        *,
        on_incoming: Callable[[int, str], None],
        on_rejected: Callable[[str, int], None] = lambda message, status: None,
        retry_after_seconds: int = 30,
        before_close: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.account: Any = None
        self.silence: Any = None
        """A source without sound: whom it feeds gets RTP all the time."""
        self.ports: dict[str, int] = {}
        """Port that each transport listens on: keys ``udp``, ``tcp``, ``tls``."""
        self._on_incoming = on_incoming
        self._on_rejected = on_rejected
        self._before_close = before_close
        self.retry_after_seconds = retry_after_seconds
        self.helpers = native.Helpers()
        self._options_retry_after_seconds: int | None = None
        self._endpoint: Any = None
        self._holds_library = False

    def open(self) -> None:
        """Start the library and open the transports.

        Raises:
            TelephonyError: A setting cannot work, a port is taken, or the library fails.
        """
        self.settings.check()
        _allow_open_files(self.settings.max_legs * PORTS_PER_LEG + _SPARE_FILES)
        if not _IN_USE.acquire(blocking=False):
            raise LibraryError(
                "this process runs a telephony already and pjsua2 allows one; stop that one first"
            )
        self._holds_library = True
        self.helpers.silence_log()
        # The media thread enters Python for each leg's frame, and waits this long for every
        # thread that computes: 60 legs at the default of 5 ms lose their clock beside one.
        sys.setswitchinterval(min(_SWITCH_SECONDS, sys.getswitchinterval()))
        try:
            self._start_library()
            self._open_transports()
            self._endpoint.libStart()
            self._endpoint.audDevManager().setNullDev()
            self.silence = pj.ToneGenerator()
            self.silence.createToneGenerator(SAMPLE_RATE_HZ, 1)
            self._choose_codecs()
            self._start_helpers()
            self.account = _Account(self._incoming)
            self.account.create(self._account_config(), True)
        except pj.Error as error:
            raise LibraryError(
                f"pjsua2 did not start (error {error.status} in {error.title}); "
                f"to build it anew, run: {set_up_command()}"
            ) from None

    def _incoming(self, number: int, invite: str) -> None:
        self.helpers.invite_status()
        self._on_incoming(number, invite)

    def _rejected(self, invite: str, status: int) -> None:
        self._on_rejected(invite, self.helpers.invite_status(status))

    def set_options_retry_after(self, seconds: int | None) -> None:
        """Tell who asks by OPTIONS whether calls are welcome. Any thread.

        Args:
            seconds: For Retry-After of the 503 that OPTIONS gets; None lets it get 200.
        """
        self._options_retry_after_seconds = seconds
        if self._holds_library:
            self.helpers.set_options_retry_after(seconds)

    def poll(self, wait_ms: int) -> None:
        """Handle SIP, waiting up to ``wait_ms`` for some."""
        self._endpoint.libHandleEvents(wait_ms)

    def wait_for_goodbyes(self, seconds: float) -> None:
        """Let the peers answer what ends their calls, for at most ``seconds``."""
        until = time.monotonic() + seconds
        while self.helpers.calls() and time.monotonic() < until:
            self.poll(_GOODBYE_POLL_MS)

    def leave_registrar(self, seconds: float) -> None:
        """Take our registration back, for at most ``seconds``.

        A registration that is under way is waited for first: the library cannot end it, and the
        registrar would keep sending calls to a service that is gone.
        """
        account, trunk = self.account, self.settings.trunk
        if account is None or trunk is None or trunk.registrar is None:
            return
        until = time.monotonic() + seconds
        answers, asked = account.registrar_answers, False
        while time.monotonic() < until:
            if asked and account.registrar_answers != answers:
                return
            if not asked:
                answers = account.registrar_answers
                try:
                    account.setRegistration(False)
                    asked = True
                except pj.Error as error:
                    if error.status != _BUSY:
                        return  # the registrar never took us
            self.poll(_REGISTRAR_POLL_MS)
        # It keeps us until we expire there.
        _log.warning("registrar_silent_at_end")

    def close(self) -> None:
        """End the endpoint; safe after a failed :meth:`open`."""
        if not self._holds_library:
            return
        self._holds_library = False
        try:
            self._close()
        finally:
            _IN_USE.release()

    def _close(self) -> None:
        if self._endpoint is None:
            return
        guarded(self._before_close)
        account, endpoint, silence = self.account, self._endpoint, self.silence
        self.account = self._endpoint = self.silence = None
        destroy(silence)
        if account is not None:
            guarded(account.shutdown)
            destroy(account)
        # What the library would wait a second for was waited for before: see before_close.
        guarded(lambda: endpoint.libDestroy(_NO_WAIT))
        destroy(endpoint)

    def _start_library(self) -> None:
        settings = self.settings
        endpoint = self._endpoint = _Endpoint(self._rejected)
        endpoint.libCreate()
        config = pj.EpConfig()
        config.uaConfig.maxCalls = settings.max_legs
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.userAgent = settings.user_agent
        for server in settings.name_servers:
            config.uaConfig.nameserver.append(server)
        config.logConfig.level = config.logConfig.consoleLevel = 0
        config.logConfig.msgLogging = 0
        media = config.medConfig
        media.clockRate = media.sndClockRate = SAMPLE_RATE_HZ
        media.channelCount = 1
        media.audioFramePtime = media.ptime = 20
        media.noVad = True
        media.ecTailLen = 0
        # A leg, its frame port and two players (one fading out), and a ringing tone each.
        media.maxMediaPorts = 5 * settings.max_legs + 8
        # The clock must not stop between calls.
        media.sndAutoCloseTime = -1
        endpoint.libInit(config)
        if (calls := self.helpers.call_places()) < settings.max_legs:
            raise LibraryError(
                f"pjsua2 was built for {calls} legs; service.max_calls = {settings.max_calls} "
                f"needs {settings.max_legs}; lower it, or raise PJSUA_MAX_CALLS in "
                f"sip_config/pjsua2/config_site.h and run: {set_up_command()}"
            )

    def _start_helpers(self) -> None:
        error = self.helpers.start(retry_after_seconds=self.retry_after_seconds)
        if error:
            raise LibraryError(
                f"the helpers in pjsua2 did not start (pjsip error {error}); to build it anew, "
                f"run: {set_up_command()}"
            )
        self.helpers.set_options_retry_after(self._options_retry_after_seconds)

    def _open_transports(self) -> None:
        settings = self.settings
        for name, kind, port in (
            ("udp", pj.PJSIP_TRANSPORT_UDP, settings.udp_port),
            ("tcp", pj.PJSIP_TRANSPORT_TCP, settings.tcp_port),
            ("tls", pj.PJSIP_TRANSPORT_TLS, settings.tls_port),
        ):
            if port is None:
                continue
            config = pj.TransportConfig()
            config.port = port
            config.boundAddress = settings.bind_address
            if settings.public_address is not None:
                config.publicAddress = settings.public_address
            if name == "tls" and settings.tls is not None:
                config.tlsConfig.proto = pj.PJ_SSL_SOCK_PROTO_TLS1_2 | pj.PJ_SSL_SOCK_PROTO_TLS1_3
                config.tlsConfig.certFile = str(settings.tls.certificate)
                config.tlsConfig.privKeyFile = str(settings.tls.key)
                if settings.tls.authorities is not None:
                    config.tlsConfig.CaListFile = str(settings.tls.authorities)
                config.tlsConfig.verifyServer = settings.tls.verify_peer
                config.tlsConfig.verifyClient = settings.tls.require_client_certificate
                config.tlsConfig.requireClientCert = settings.tls.require_client_certificate
            try:
                number = self._endpoint.transportCreate(kind, config)
            except pj.Error as error:
                raise _port_error(settings.bind_address, port, name, error.status) from None
            local = self._endpoint.transportGetInfo(number).localName
            self.ports[name] = int(local.rpartition(":")[2])

    def _choose_codecs(self) -> None:
        wanted = self.settings.library_codecs
        for codec in self._endpoint.codecEnum2():
            rank = next((n for n, want in enumerate(wanted) if codec.codecId.startswith(want)), -1)
            # 0 switches a codec off; 255 is the library's own highest.
            self._endpoint.codecSetPriority(codec.codecId, 254 - rank if rank >= 0 else 0)

    def _account_config(self) -> Any:
        settings = self.settings
        config = pj.AccountConfig()
        trunk = settings.trunk
        host = settings.public_address or settings.bind_address
        config.idUri = (trunk and trunk.identity) or f"sip:wegwijs@{host}"
        config.callConfig.timerUse = (
            pj.PJSUA_SIP_TIMER_OPTIONAL if settings.session_timers else pj.PJSUA_SIP_TIMER_INACTIVE
        )
        config.callConfig.timerSessExpiresSec = settings.session_expires_seconds
        media = config.mediaConfig
        media.srtpUse = _SRTP[settings.srtp]
        media.srtpSecureSignaling = 1 if settings.srtp is Srtp.MANDATORY else 0
        # A peer that answers with several codecs is asked for one: a stream decodes one only.
        media.lockCodecEnabled = True
        first = settings.rtp_first_port + settings.rtp_first_port % 2
        media.transportConfig.port = first
        # The last RTP port leaves room for its RTCP port.
        media.transportConfig.portRange = settings.rtp_last_port - first - 1
        media.transportConfig.boundAddress = settings.bind_address
        if settings.public_address is not None:
            media.transportConfig.publicAddress = settings.public_address
        if trunk is not None:
            if trunk.proxy:
                config.sipConfig.proxies.append(trunk.proxy)
            if trunk.user is not None:
                config.sipConfig.authCreds.append(
                    pj.AuthCredInfo("digest", "*", trunk.user, 0, trunk.password or "")
                )
            if trunk.registrar:
                config.regConfig.registrarUri = trunk.registrar
        return config


def _allow_open_files(needed: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise LibraryError(
            f"this process may open {hard} files and needs {needed} for its calls; raise "
            "LimitNOFILE (systemd) or ulimit -n, or lower service.max_calls"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _port_error(address: str, port: int, name: str, status: int) -> Exception:
    where = f"{address}:{port}/{name}"
    number = status - _SYSTEM_ERRORS_FROM
    if number == errno.EADDRINUSE:
        return PortInUseError(
            f"{where} is in use by another program; stop that one (find it with "
            f"'ss -lp sport = :{port}'), or choose another sip.{name}_port"
        )
    if number == errno.EADDRNOTAVAIL:
        return LibraryError(f"{where} is not an address of this machine; correct sip.bind_address")
    if number == errno.EACCES:
        return LibraryError(f"{where} needs more rights; choose a sip.{name}_port from 1024 up")
    reason = os.strerror(number) if 0 < number < 200 else f"pjsip error {status}"
    return LibraryError(f"{where} cannot be opened ({reason}); check the sip settings")
