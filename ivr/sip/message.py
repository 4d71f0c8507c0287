"""Reading and writing the few pieces of SIP text that pjsua2 hands over raw. No I/O.

Everything here takes what a stranger sent: nothing raises, unknown is empty or None.

Sources: RFC 3261 (SIP), RFC 3264 (offer and answer), RFC 3515 (REFER), RFC 2976 (INFO), RFC 3323
and 3325 (privacy and asserted identity).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote

_COMPACT: Final = {
    "call-id": "i",
    "content-type": "c",
    "event": "o",
    "from": "f",
    "subject": "s",
    "to": "t",
}
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_URI: Final = re.compile(r"<([^<>]*)>|((?:sips?|tel):[^\s,<>]+)", re.IGNORECASE)
_USER: Final = re.compile(r"sips?:([^@?]*)@|tel:([^;?]+)", re.IGNORECASE)
_TARGET: Final = re.compile(
    r"sips?:(?:[A-Za-z0-9%+_.!~*'()&=$,;?/:-]+@)?"
    # An underscore is no letter of RFC 3261's host names, but containers have such names.
    r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?(?:;[A-Za-z0-9=._~%-]+)*",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_STATUS_LINE: Final = re.compile(r"SIP/2\.0\s+([1-6]\d\d)", re.IGNORECASE)
_INFO_KEYS: Final = {key: key for key in "0123456789*#ABCD"} | {"10": "*", "11": "#"}
"""Gateways that write the event's number of RFC 4733 send 10 and 11."""
_INFO_KINDS: Final = frozenset({"application/dtmf", "application/dtmf-relay"})
# RFC 3551, table 4: payload types that need no rtpmap.
_STATIC_PAYLOADS: Final = {"0": "pcmu", "8": "pcma", "9": "g722"}
_PRIVACY: Final = frozenset({"id", "user", "header"})
_WITHHELD: Final = frozenset({"", "anonymous", "unavailable", "restricted", "unknown", "private"})


def header(message: str, name: str) -> str | None:
    """The first header called ``name``, its compact form included, unfolded."""
    short = _COMPACT.get(name.lower())
    names = re.escape(name) + (f"|{short}" if short else "")
    head = message.partition("\r\n\r\n")[0]
    found = re.search(
        rf"^(?:{names})[ \t]*:[ \t]*((?:[^\r\n]|\r\n[ \t])*)", head, re.IGNORECASE | re.MULTILINE
    )
    return None if found is None else re.sub(r"\r\n[ \t]+", " ", found[1]).strip()


def body(message: str) -> str:
    """What follows the headers."""
    return message.partition("\r\n\r\n")[2]


def user_part(uri: str) -> str:
    """The user part of the first URI in ``uri``, unquoted; empty when it has none.

    >>> user_part('"Jan" <sip:1700@example.be;user=phone>;tag=1')
    '1700'
    """
    found = _URI.search(_QUOTED.sub("", uri))
    user = _USER.match((found[1] or found[2] or "").strip()) if found else None
    if user is None:
        return ""
    # Parameters of a telephone number and a password do not belong to it.
    return unquote(user[1] or user[2] or "").partition(";")[0].partition(":")[0]


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an INVITE says before anybody answers it; who calls is personal data."""

    line: str
    caller: str
    sip_call_id: str
    codecs: tuple[str, ...] | None
    """Names of the offered audio codecs in lower case; None without an offer."""
    asserted_identity: str = field(default="", repr=False)
    """The trusted header, for who is called on the caller's behalf; empty without one, and for a
    caller who asked for privacy."""


def read_invitation(message: str, *, trusts_identity: bool = False) -> Invitation:
    """Read the INVITE in ``message``.

    Args:
        message: Its text.
        trusts_identity: Whether the network that sent it knows who calls, so that
            P-Asserted-Identity counts and not From.
    """
    request_uri = message.partition("\r\n")[0].partition(" ")[2].rpartition(" ")[0]
    asserted = (header(message, "P-Asserted-Identity") or "") if trusts_identity else ""
    caller = user_part(asserted or header(message, "From") or "")
    if trusts_identity and _asks_for_privacy(message):
        asserted = caller = ""
    return Invitation(
        line=user_part(request_uri) or user_part(header(message, "To") or ""),
        caller="" if caller.lower() in _WITHHELD else caller,
        sip_call_id=header(message, "Call-ID") or "",
        codecs=offered_codecs(message),
        asserted_identity=asserted,
    )


def _asks_for_privacy(message: str) -> bool:
    wanted = {part.strip().lower() for part in (header(message, "Privacy") or "").split(";")}
    return not wanted.isdisjoint(_PRIVACY)


def offered_codecs(message: str) -> tuple[str, ...] | None:
    """Audio codecs in the message's SDP, lower case, most wanted first; None without SDP."""
    if "application/sdp" not in (header(message, "Content-Type") or "").lower() and (
        "\r\nm=" not in message
    ):
        return None
    names: dict[str, str] = {}
    order: list[str] = []
    in_audio = False
    for line in re.split(r"\r?\n", body(message)):
        if line.startswith("m="):
            fields = line[2:].split()
            # Port 0 refuses the stream.
            in_audio = len(fields) > 3 and fields[0] == "audio" and not fields[1].startswith("0")
            if in_audio:
                order += fields[3:]
        elif in_audio and (mapped := re.match(r"a=rtpmap:\s*(\d+)\s+([^/\s]+)", line)):
            names[mapped[1]] = mapped[2].lower()
    codecs = [names.get(payload, _STATIC_PAYLOADS.get(payload, "")) for payload in order]
    return tuple(codec for codec in codecs if codec and codec != "telephone-event")


def have_codec_in_common(offered: Sequence[str] | None, ours: Sequence[str]) -> bool:
    """Whether a call can have sound; an INVITE without offer leaves the choice to us."""
    return offered is None or not {codec.lower() for codec in ours}.isdisjoint(offered)


def info_digit(message: str) -> str | None:
    """The key in an INFO request of type ``application/dtmf`` or ``application/dtmf-relay``.

    Returns:
        One of 0-9, ``*``, ``#``, A-D; empty when it tells of no such key, a hook flash for
        example; None for every other request, and for one without a body.
    """
    kind = (header(message, "Content-Type") or "").partition(";")[0].strip().lower()
    text = body(message).strip().upper()
    if kind not in _INFO_KINDS or not text:
        return None
    # Some peers send the one type's body under the other.
    if signal := re.search(r"^[ \t]*SIGNAL[ \t]*=[ \t]*(\S+)", text, re.MULTILINE):
        text = signal[1]
    return _INFO_KEYS.get(text, "")


def asks_for_life(method: str, message: str) -> bool:
    """Whether a request inside a dialog only asks if we are there; the library would answer 500.

    Session border controllers and exchanges send OPTIONS, or INFO without a body (RFC 2976
    section 2.2), and may end a call whose keep-alive fails.
    """
    return method == "OPTIONS" or (method == "INFO" and not body(message).strip())


@dataclass(frozen=True, slots=True)
class TransferNotice:
    """A NOTIFY about a REFER."""

    refer_cseq: int | None
    """CSeq number of the REFER it is about, where the peer says so."""
    status: int | None
    """SIP status of the call to the target; None when the body is not readable."""
    terminated: bool


def read_transfer_notice(message: str) -> TransferNotice | None:
    """Read the NOTIFY in ``message``; None when it is about something else."""
    event = [part.strip() for part in (header(message, "Event") or "").split(";")]
    if event[0].lower() != "refer":
        return None
    cseq = None
    for parameter in event[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "id" and value.strip().isdecimal():
            cseq = int(value)
    state = (header(message, "Subscription-State") or "").partition(";")[0].strip().lower()
    status = _STATUS_LINE.match(body(message).lstrip())
    return TransferNotice(cseq, int(status[1]) if status else None, state == "terminated")


def cseq_number(message: str) -> int | None:
    """The number in CSeq."""
    number = (header(message, "CSeq") or "").partition(" ")[0]
    return int(number) if number.isdecimal() else None


def is_target(uri: str) -> bool:
    """Whether ``uri`` is a SIP URI that a caller can be handed over to."""
    return _TARGET.fullmatch(uri.strip()) is not None


def safe_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers that can stand in a message: proper names, and values of one line."""
    return {
        name: re.sub(r"[\x00-\x1f\x7f]+", " ", value).strip()
        for name, value in headers.items()
        if _TOKEN.fullmatch(name)
    }


def refer_to(target: str, headers: Mapping[str, str]) -> str:
    """The Refer-To value that makes the peer put ``headers`` into its INVITE to ``target``.

    >>> refer_to("sip:711@127.0.0.1", {"X-Wegwijs-Thema": "bouwen wonen"})
    '<sip:711@127.0.0.1?X-Wegwijs-Thema=bouwen%20wonen>'

    Source: RFC 3261 section 19.1.1, headers in a URI; section 25.1 for what needs no escape.
    """
    fields = "&".join(
        f"{quote(name, safe='[]/?:+$')}={quote(value, safe='[]/?:+$')}"
        for name, value in safe_headers(headers).items()
    )
    return f"<{target.strip()}{'?' + fields if fields else ''}>"
