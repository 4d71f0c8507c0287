"""Check that the pjsua2 which this interpreter imports can do what Wegwijs needs.

Codecs and transports are looked for; each helper is tried out by a peer on loopback that sends
what it is for. Prints one line and exits 0, or names what is missing and exits 1.
"""

from __future__ import annotations

import ctypes
import re
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

try:
    import pjsua2 as pj
except ImportError as problem:
    sys.exit(f"pjsua2 cannot be imported: {problem}")

NEEDED_CODECS = ("PCMA/8000", "PCMU/8000", "G722/16000", "opus/48000")
CALLS = 512
HELPERS = Path(__file__).resolve().parent / "helpers/wegwijs_pjsip.h"

WITHIN_SECONDS = 20.0
"""Bound of each wait; what is waited for comes in milliseconds."""
INVITE_RETRY_SECONDS = 7
OPTIONS_RETRY_SECONDS = 23


class NothingCameError(Exception):
    """What a helper is to make happen did not."""


def missing() -> list[str]:
    """Return what this build lacks; empty when it is complete."""
    helpers = ctypes.CDLL(pj._pjsua2.__file__)
    if problem := version_problem(helpers):
        return [problem]
    lacks: list[str] = []
    helpers.wegwijs_silence_log()
    endpoint = Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.maxCalls = CALLS
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.logConfig.level = 0
    config.logConfig.consoleLevel = 0
    try:
        endpoint.libInit(config)
        places = helpers.wegwijs_call_places()
        if places != CALLS:
            lacks.append(f"calls: {places} of {CALLS}")
        endpoint.audDevManager().setNullDev()
        codecs = [codec.codecId for codec in endpoint.codecEnum2()]
        lacks += [f"codec {want}" for want in NEEDED_CODECS if not _has(codecs, want)]
        ports = {}
        for name, kind in (
            ("UDP", pj.PJSIP_TRANSPORT_UDP),
            ("TCP", pj.PJSIP_TRANSPORT_TCP),
            ("TLS", pj.PJSIP_TRANSPORT_TLS),
        ):
            transport = pj.TransportConfig()
            transport.boundAddress = "127.0.0.1"
            transport.port = 0
            try:
                number = endpoint.transportCreate(kind, transport)
                address = endpoint.transportGetInfo(number).localName
                ports[name] = int(address.rpartition(":")[2])
            except pj.Error as error:
                lacks.append(f"{name} transport ({error.reason})")
        if "UDP" in ports:
            endpoint.libStart()
            with Peer(endpoint, ports["UDP"]) as peer:
                lacks += HelperChecks(helpers, endpoint, peer).failures()
    finally:
        endpoint.libDestroy()
    return lacks


def _has(codecs: list[str], want: str) -> bool:
    return any(codec.startswith(want) for codec in codecs)


def version_problem(helpers: Any) -> str:
    """Return what is wrong with the version of the helpers; empty when they are ours."""
    found = re.search(r"^#define WEGWIJS_HELPERS_VERSION (\d+)$", HELPERS.read_text("utf-8"), re.M)
    wanted = int(found[1]) if found else 0
    try:
        version = int(helpers.wegwijs_helpers_version())
    except AttributeError:
        return "helpers: they were not linked into the wheel"
    return "" if version == wanted else f"helpers of version {wanted} (they are {version})"


class Endpoint(pj.Endpoint):  # type: ignore[misc]
    """Keeps the status of the call that the library refused last."""

    refused = 0

    def onRejectedIncomingCall(self, prm: Any) -> None:
        """A call was refused before any account saw it."""
        self.refused = prm.statusCode


class Account(pj.Account):  # type: ignore[misc]
    """Takes each call.

    Args:
        checks: Keep the call.
        helpers: Told that it was taken, and tried out by it.
    """

    def __init__(self, checks: HelperChecks, helpers: Any) -> None:
        super().__init__()
        self._checks = checks
        self._helpers = helpers

    def onIncomingCall(self, prm: Any) -> None:
        """Answer with 200."""
        self._helpers.wegwijs_invite_status(0)
        call = self._checks.call = Call(self, prm.callId, self._helpers)
        answer = pj.CallOpParam(True)
        answer.statusCode = 200
        call.answer(answer)


class Call(pj.Call):  # type: ignore[misc]
    """Uses the helpers as ivr/sip does."""

    def __init__(self, account: Account, number: int, helpers: Any) -> None:
        super().__init__(account, number)
        self._helpers = helpers
        self.refer_statuses: list[tuple[int, int]] = []
        """What the library was shown of a REFER, and what is true."""

    def onCallTsxState(self, prm: Any) -> None:
        """Guard REFER, answer OPTIONS."""
        event = prm.e.body.tsxState
        transaction = event.tsx
        handle = ctypes.c_void_p(int(transaction.pjTransaction))
        if transaction.method == "REFER":
            if transaction.state == pj.PJSIP_TSX_STATE_CALLING:
                self._helpers.wegwijs_guard_refer(handle)
            elif transaction.statusCode >= 200:
                true = self._helpers.wegwijs_refer_status(handle)
                self.refer_statuses.append((transaction.statusCode, true))
        elif transaction.method == "OPTIONS" and event.type == pj.PJSIP_EVENT_RX_MSG:
            received = ctypes.c_void_p(int(event.src.rdata.pjRxData))
            self._helpers.wegwijs_answer(received, handle, 200)


class Peer:
    """A caller: a UDP socket and just enough SIP.

    Args:
        endpoint: Turned while an answer is waited for.
        port: UDP port that the endpoint listens on.
    """

    def __init__(self, endpoint: Any, port: int) -> None:
        self._endpoint = endpoint
        self._target = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self._port = self._socket.getsockname()[1]
        self._cseq = 0

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def request(self, method: str, *, call: str, to_tag: str = "", body: str = "") -> None:
        """Send a request of dialog ``call``; ACK has the number of the request before."""
        self._cseq += method != "ACK"
        kind = "Content-Type: application/sdp\r\n" if body else ""
        tag = f";tag={to_tag}" if to_tag else ""
        here = f"127.0.0.1:{self._port}"
        self._send(
            f"{method} sip:1700@127.0.0.1:{self._target[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{call}{method}{self._cseq}\r\n"
            f"From: <sip:peer@{here}>;tag={call}\r\n"
            f"To: <sip:1700@127.0.0.1>{tag}\r\n"
            f"Call-ID: {call}\r\nCSeq: {self._cseq} {method}\r\n"
            f"Contact: <sip:peer@{here}>\r\nMax-Forwards: 70\r\n"
            f"{kind}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def reply(self, request: str, status: str) -> None:
        """Answer ``request``, which lies in a dialog."""
        kept = [
            line
            for line in request.split("\r\n")
            if line.partition(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")
        ]
        self._send("\r\n".join([f"SIP/2.0 {status}", *kept, "Content-Length: 0", "", ""]))

    def invite(self, call: str) -> None:
        """Send an INVITE that offers PCMA."""
        self.request(
            "INVITE",
            call=call,
            body="v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            "m=audio 9 RTP/AVP 8\r\n",
        )

    def hear(self, *beginnings: str) -> str:
        """Return the next message with one of these beginnings.

        Raises:
            NothingCameError: None came in time.
        """
        heard: list[str] = []

        def took() -> bool:
            try:
                heard.append(self._socket.recv(65_536).decode())
            except BlockingIOError:
                return False
            return heard[-1].startswith(beginnings)

        self.turn(took, f"{' or '.join(beginnings)} did not come")
        return heard[-1]

    def hear_answer(self, method: str) -> str:
        """Return the next final answer to ``method``."""
        while True:
            answer = self.hear(*(f"SIP/2.0 {digit}" for digit in "23456"))
            if re.search(rf"^CSeq: {self._cseq} {method}\r$", answer, re.M):
                return answer

    def turn(self, until: Callable[[], bool], otherwise: str) -> None:
        """Keep the endpoint turning.

        Raises:
            NothingCameError: ``until`` did not come true in time; its text is ``otherwise``.
        """
        deadline = time.monotonic() + WITHIN_SECONDS
        while not until():
            if time.monotonic() > deadline:
                raise NothingCameError(otherwise)
            self._endpoint.libHandleEvents(5)

    def _send(self, message: str) -> None:
        self._socket.sendto(message.encode(), self._target)


class HelperChecks:
    """Each helper, by what it makes happen."""

    def __init__(self, helpers: Any, endpoint: Endpoint, peer: Peer) -> None:
        self._c = helpers
        self._endpoint = endpoint
        self._peer = peer
        self._account: Account | None = None
        self.call: Call | None = None

    def failures(self) -> list[str]:
        """Return what does not work; later checks stand on earlier ones."""
        # The only port for sound, and taken for now.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            try:
                status = self._c.wegwijs_start(INVITE_RETRY_SECONDS)
                if status:
                    raise NothingCameError(f"wegwijs_start: pjsip error {status}")
                self._account = self._open_account(taken.getsockname()[1])
                self._check_options()
                self._check_refusal()
                taken.close()
                tag = self._check_answer()
                self._check_refer(tag)
            except NothingCameError as failure:
                return [f"helpers: {failure}"]
            finally:
                self._close()
        return []

    def _check_options(self) -> None:
        for seconds, expected in ((-1, "200"), (OPTIONS_RETRY_SECONDS, "503"), (-1, "200")):
            self._c.wegwijs_set_options_retry_after(seconds)
            self._peer.request("OPTIONS", call="options")
            answer = self._peer.hear_answer("OPTIONS")
            told = f"\r\nRetry-After: {OPTIONS_RETRY_SECONDS}\r\n" in answer
            if not answer.startswith(f"SIP/2.0 {expected} ") or told != (seconds >= 0):
                raise NothingCameError(f"OPTIONS is not answered with {expected}")

    def _check_refusal(self) -> None:
        self._peer.invite("refused")
        answer = self._peer.hear_answer("INVITE")
        self._peer.request("ACK", call="refused", to_tag=_to_tag(answer))
        told = f"\r\nRetry-After: {INVITE_RETRY_SECONDS}\r\n" in answer
        if not answer.startswith("SIP/2.0 503 Service Unavailable\r\n") or not told:
            raise NothingCameError("a call without ports for its sound gets no 503")
        status = self._c.wegwijs_invite_status(self._endpoint.refused)
        if (self._endpoint.refused, status) != (500, 503):
            raise NothingCameError("the status of a refused call is not told")

    def _check_answer(self) -> str:
        self._peer.invite("call")
        answer = self._peer.hear_answer("INVITE")
        tag = _to_tag(answer)
        self._peer.request("ACK", call="call", to_tag=tag)
        if not answer.startswith("SIP/2.0 200 ") or self._c.wegwijs_calls() != 1:
            raise NothingCameError("a call is not taken")
        self._check_alive(tag)
        return tag

    def _check_alive(self, tag: str) -> None:
        self._peer.request("OPTIONS", call="call", to_tag=tag)
        if not self._peer.hear_answer("OPTIONS").startswith("SIP/2.0 200 "):
            raise NothingCameError("OPTIONS inside a call is not answered")

    def _check_refer(self, tag: str) -> None:
        call = self.call
        assert call is not None
        call.xfer("<sip:group@127.0.0.1>", pj.CallOpParam())
        refer = self._peer.hear("REFER ")
        self._peer.reply(refer, "481 Call/Transaction Does Not Exist")
        self._peer.turn(lambda: bool(call.refer_statuses), "no end of a REFER is told")
        if call.refer_statuses[0] != (480, 481):
            raise NothingCameError("a REFER's true status is not told")
        # Unguarded, the library hangs up now.
        self._check_alive(tag)
        if not call.isActive():
            raise NothingCameError("a lost REFER ends its call")

    def _open_account(self, port: int) -> Account:
        config = pj.AccountConfig()
        config.idUri = "sip:wegwijs@127.0.0.1"
        config.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
        config.mediaConfig.transportConfig.port = port
        config.mediaConfig.transportConfig.portRange = 1
        account = Account(self, self._c)
        account.create(config, True)
        return account

    def _close(self) -> None:
        if self.call is not None and self.call.isActive():
            self.call.hangup(pj.CallOpParam())
        # Destroyed while the library that they belong to lives.
        self.call = None
        if self._account is not None:
            self._account.shutdown()
        self._account = None


def _to_tag(answer: str) -> str:
    found = re.search(r"^To:.*;tag=([^;\r]+)", answer, re.M)
    return found[1] if found else ""


def main() -> int:
    """Run the check and say the outcome."""
    if lacks := missing():
        print(f"pjsua2 lacks: {', '.join(lacks)}", file=sys.stderr)
        return 1
    print(f"pjsua2 is complete: {', '.join(NEEDED_CODECS)}; UDP, TCP, TLS; {CALLS} calls; helpers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
