"""SIP written by hand: one question whose answer is read, and messages that no phone sends."""

from __future__ import annotations

import socket
import time

import numpy as np

from tests.integration.phone import WITHIN_SECONDS, Phone

_AGAIN_SECONDS = 2.0


def ask(
    phone: Phone,
    line: str,
    *,
    number: str = "0470123456",
    codec: int = 8,
    sound_at: str = "IP4 127.0.0.1",
) -> str:
    """The final answer to an INVITE, as text; it is acknowledged."""
    return _ask(phone, "INVITE", line, number, f"m=audio 40000 RTP/AVP {codec}", sound_at)


def options(phone: Phone) -> str:
    """The answer to OPTIONS, as text."""
    return _ask(phone, "OPTIONS", "1700", "dispatcher", "")


def _ask(
    phone: Phone, method: str, line: str, number: str, media: str, sound_at: str = "IP4 127.0.0.1"
) -> str:
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", f"c=IN {sound_at}", "t=0 0", media, ""]
    body = "\r\n".join(lines) if media else ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(_AGAIN_SECONDS)
        ours, name = peer.getsockname()[1], f"z9hG4bK{time.monotonic_ns()}"

        def message(verb: str, to_tag: str, text: str) -> bytes:
            head = (
                f"{verb} sip:{line}@127.0.0.1 SIP/2.0",
                f"Via: SIP/2.0/UDP 127.0.0.1:{ours};branch={name}",
                f"From: <sip:{number}@127.0.0.1>;tag={name}",
                f"To: <sip:{line}@127.0.0.1>{to_tag}",
                f"Call-ID: {name}",
                f"CSeq: 1 {verb}",
                f"Contact: <sip:{number}@127.0.0.1:{ours}>",
                "Max-Forwards: 70",
                *(["Content-Type: application/sdp"] if text else []),
                f"Content-Length: {len(text)}",
            )
            return ("\r\n".join((*head, "", "")) + text).encode()

        address = ("127.0.0.1", phone.sip_ports["udp"])
        answer = "SIP/2.0 100"
        deadline = time.monotonic() + WITHIN_SECONDS
        peer.sendto(message(method, "", body), address)
        while answer.startswith("SIP/2.0 1"):
            try:
                answer = peer.recv(4096).decode()
            except TimeoutError:
                # A phone that a busy machine holds up has no room for every datagram.
                assert time.monotonic() < deadline, f"no answer to {method}"
                peer.sendto(message(method, "", body), address)
        tag = next((line for line in answer.splitlines() if line.startswith("To:")), "")
        if method == "INVITE":
            peer.sendto(message("ACK", ";tag=" + tag.partition(";tag=")[2], ""), address)
        return answer


def torture(port: int) -> list[bytes]:
    """Messages in the manner of RFC 4475, and noise."""
    via = "Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK"
    rest = "From: <sip:0470111222@a>;tag=1\r\nTo: <sip:1700@b>\r\nCSeq: 1 INVITE\r\n"
    uri = f"sip:1700@127.0.0.1:{port}"
    texts = (
        # 3.1.2.1: a Via that cannot be read; 3.1.2.2: a negative length.
        f"INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.15;;,;,,\r\nCall-ID: a\r\n{rest}\r\n",
        f"INVITE {uri} SIP/2.0\r\n{via}b\r\nCall-ID: b\r\n{rest}Content-Length: -999\r\n\r\n",
        # 3.1.2.4: numbers out of range.
        f"REGISTER {uri} SIP/2.0\r\n{via}c\r\nCall-ID: c\r\nFrom: <sip:a@b>;tag=1\r\n"
        "To: <sip:a@b>\r\nCSeq: 36893488147419103232 REGISTER\r\n"
        "Max-Forwards: 300\r\nExpires: 10000000000000\r\n\r\n",
        # 3.1.2.6: an unterminated quotation; 3.1.2.16: an unknown version; 3.1.2.17: methods
        f'INVITE {uri} SIP/2.0\r\n{via}d\r\nCall-ID: d\r\nTo: "Mr J. User <sip:a@b>\r\n'
        "From: <sip:a@b>;tag=1\r\nCSeq: 1 INVITE\r\n\r\n",
        f"OPTIONS {uri} SIP/7.0\r\n{via}e\r\nCall-ID: e\r\n{rest}\r\n",
        f"OPTIONS {uri} SIP/2.0\r\n{via}f\r\nCall-ID: f\r\n{rest}Max-Forwards: 70\r\n\r\n",
        # 3.3.1: required fields are missing; 3.3.8: many Call-IDs; 3.3.2: an unknown scheme.
        f"INVITE {uri} SIP/2.0\r\nCSeq: 193942 INVITE\r\n{via}g\r\n\r\n",
        f"INVITE {uri} SIP/2.0\r\n{via}h\r\nCall-ID: h\r\nCall-ID: hh\r\n{rest}\r\n",
        f"OPTIONS nobodyKnowsThisScheme:x SIP/2.0\r\n{via}i\r\nCall-ID: i\r\n{rest}\r\n",
        # SDP that is none, huge headers, responses to nothing.
        f"INVITE {uri} SIP/2.0\r\n{via}j\r\nCall-ID: j\r\n{rest}Contact: <sip:a@127.0.0.1:9>\r\n"
        "Max-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: 9\r\n\r\nm=audio \0",
        f"INVITE {uri} SIP/2.0\r\n{via}k\r\nCall-ID: k\r\n{rest}X-Long: {'a' * 60_000}\r\n\r\n",
        f"SIP/2.0 200 OK\r\n{via}l\r\nCall-ID: l\r\n{rest}\r\n",
        "SIP/2.0 4294967301 better not break\r\n\r\n",
        f"INVITE {uri}",
        "\r\n\r\n\0\0\0\0",
    )
    rng = np.random.default_rng(4475)
    noise = [rng.bytes(int(size)) for size in rng.integers(1, 1500, 40)]
    return [text.encode("latin-1") for text in texts] + noise
