"""Reading and writing SIP text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.sip import message
from ivr.sip.message import TransferNotice


def sip(start: str, *headers: str, body: str = "") -> str:
    """A message as it is on the wire."""
    return "\r\n".join([start, *headers, "", body])


INVITE = sip(
    "INVITE sip:1700@192.0.2.1:5060;transport=udp SIP/2.0",
    "Via: SIP/2.0/UDP 192.0.2.7",
    'f: "Jan Peeters" <sip:0470123456@example.be;user=phone>;tag=1',
    "To: <sip:main@192.0.2.1>",
    "i: abc@192.0.2.7",
    "c: application/sdp",
    body="v=0\r\nm=audio 4000 RTP/AVP 96 8 101\r\na=rtpmap:96 opus/48000/2\r\n"
    "a=rtpmap:101 telephone-event/8000\r\nm=video 4002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n",
)


def test_invitation_is_read_with_compact_headers() -> None:
    """
    Line from the request URI, caller from From, codecs in the peer's order, without video.
    """
    read = message.read_invitation(INVITE)

    assert "1700" == read.line
    assert "0470123456" == read.caller
    assert "abc@192.0.2.7" == read.sip_call_id
    assert ("opus", "pcma") == read.codecs


def test_line_is_taken_from_to_where_the_request_uri_has_none() -> None:
    """
    Some trunks call the machine and name the number in To.
    """
    text = sip("INVITE sip:192.0.2.1 SIP/2.0", "To: <sip:1700@192.0.2.1>", "From: <sip:a@b>")

    assert "1700" == message.read_invitation(text).line


@pytest.mark.parametrize(
    ("uri", "user"),
    [
        ("sip:1700@a.be", "1700"),
        ("<sips:1700:secret@a.be>", "1700"),
        ("sip:%2B3227001700@a.be", "+3227001700"),
        ("tel:+3227001700;phone-context=be", "+3227001700"),
        ('"1700 <hulp>" <sip:12;phone-context=be@a.be>', "12"),
        ("sip:a.be", ""),
        ("", ""),
        ("<>", ""),
    ],
)
def test_user_part(uri: str, user: str) -> None:
    """
    Names, passwords and parameters are not the number.
    """
    assert user == message.user_part(uri)


ASSERTED = '"Jan" <sip:0470123456@carrier.be>, <tel:+32470123456>'


@pytest.mark.parametrize(
    ("trusts", "extra", "caller", "passed_on"),
    [
        (True, (), "0470123456", ASSERTED),
        (True, ("Privacy: none",), "0470123456", ASSERTED),
        (True, ("Privacy: id",), "", ""),
        (True, ("Privacy: header; ID",), "", ""),
        (False, (), "021234567", ""),
        (False, ("Privacy: id",), "021234567", ""),
    ],
)
def test_trusted_identity_counts_more_than_from(
    trusts: bool, extra: tuple[str, ...], caller: str, passed_on: str
) -> None:
    """
    Of a stranger it counts nothing; a caller who asks for privacy has no number for us.
    """
    text = sip(
        "INVITE sip:1700@a SIP/2.0",
        "From: <sip:021234567@exchange.be>;tag=1",
        f"P-Asserted-Identity: {ASSERTED}",
        *extra,
    )

    read = message.read_invitation(text, trusts_identity=trusts)

    assert (caller, passed_on) == (read.caller, read.asserted_identity)


def test_trusted_network_that_asserts_nothing_leaves_from() -> None:
    """
    As from an exchange of one's own.
    """
    text = sip("INVITE sip:1700@a SIP/2.0", "From: <sip:021234567@exchange.be>;tag=1")

    assert "021234567" == message.read_invitation(text, trusts_identity=True).caller


@pytest.mark.parametrize("name", ["anonymous", "Anonymous", "unavailable", ""])
def test_withheld_number_is_empty(name: str) -> None:
    """
    What a network writes for a withheld number is not a number.
    """
    text = sip("INVITE sip:1700@a SIP/2.0", f"From: <sip:{name}@anonymous.invalid>;tag=1")

    assert "" == message.read_invitation(text).caller


@pytest.mark.parametrize(
    ("media", "codecs"),
    [
        ("m=audio 4000 RTP/AVP 0 8 9", ("pcmu", "pcma", "g722")),
        ("m=audio 0 RTP/AVP 8", ()),
        ("m=video 4000 RTP/AVP 8", ()),
        ("m=audio 4000 RTP/AVP 3\r\na=rtpmap:3 GSM/8000", ("gsm",)),
        ("m=audio", ()),
    ],
)
def test_offered_codecs(media: str, codecs: tuple[str, ...]) -> None:
    """
    Static payload types need no rtpmap; port 0 and other media offer nothing.
    """
    text = sip("INVITE sip:a@b SIP/2.0", "Content-Type: application/sdp", body=f"v=0\r\n{media}")

    assert codecs == message.offered_codecs(text)


def test_common_codec() -> None:
    """
    An INVITE without offer leaves the choice to us.
    """
    assert message.have_codec_in_common(None, ("PCMA",))
    assert message.have_codec_in_common(("opus", "pcma"), ("PCMA",))
    assert not message.have_codec_in_common(("gsm",), ("PCMA", "opus"))
    assert not message.have_codec_in_common((), ("PCMA",))


@pytest.mark.parametrize(
    ("kind", "body", "digit"),
    [
        ("application/dtmf", "5", "5"),
        ("application/dtmf", " #\r\n", "#"),
        ("application/dtmf", "Signal= 7\r\nDuration=100", "7"),
        ("application/dtmf", "11", "#"),
        ("application/dtmf", "12", ""),
        ("application/dtmf", "", None),
        ("application/dtmf-relay", "Signal=5", "5"),
        ("application/dtmf-relay; charset=x", "Signal= *\r\nDuration= 160", "*"),
        ("Application/DTMF-Relay", "signal=9\r\nduration=160\r\n", "9"),
        ("application/dtmf-relay", "Duration=160\r\nSIGNAL = 10", "*"),
        ("application/dtmf-relay", "Signal=11\r\nDuration=250", "#"),
        ("application/dtmf-relay", "Signal=d", "D"),
        ("application/dtmf-relay", "Signal=12", ""),
        ("application/dtmf-relay", "Signal=16\r\nDuration=160", ""),
        ("application/dtmf-relay", "Signal=", ""),
        ("application/dtmf-relay", "Duration=160", ""),
        ("text/plain", "5", None),
    ],
)
def test_info_digit(kind: str, body: str, digit: str | None) -> None:
    """
    One key of either type, by its name or its event's number; another signal is no key.
    """
    assert digit == message.info_digit(
        sip("INFO sip:a SIP/2.0", f"Content-Type: {kind}", body=body)
    )


def notice(event: str, state: str, body: str) -> TransferNotice | None:
    """Read a NOTIFY."""
    return message.read_transfer_notice(
        sip("NOTIFY sip:a SIP/2.0", f"Event: {event}", f"Subscription-State: {state}", body=body)
    )


def test_transfer_notice() -> None:
    """
    Which REFER, what status, whether more will come.
    """
    assert TransferNotice(42, 200, True) == notice(
        "refer;id=42", "terminated;reason=noresource", "SIP/2.0 200 OK"
    )
    assert TransferNotice(None, 180, False) == notice("refer", "active;expires=60", "SIP/2.0 180 R")
    assert TransferNotice(None, None, False) == notice("refer", "active", "nonsense")
    assert notice("presence", "active", "SIP/2.0 200 OK") is None


@pytest.mark.parametrize(
    ("uri", "good"),
    [
        ("sip:711@127.0.0.1:5080", True),
        ("sips:groep@acd.example.be;transport=tls", True),
        ("sip:[::1]:5060", True),
        ("sip:acd.example.be", True),
        ("SIP:706@127.0.0.1", True),
        ("Sips:706@127.0.0.1", True),
        ("sip:701@my_pbx:5060", True),
        ("", False),
        ("711", False),
        ("sip:", False),
        ("sip:a@b@c", False),
        ("sip:a b@c", False),
        ("sip:a@c>\r\nEvil: 1", False),
        ("tel:1700", False),
    ],
)
def test_target(uri: str, good: bool) -> None:
    """
    Only a SIP address on one line can be called.
    """
    assert good == message.is_target(uri)


def test_refer_to_escapes_what_would_break_out() -> None:
    """
    A value cannot end the URI or add a header of its own.
    """
    assert "<sip:a@b?X-A=1%3E%0D%0Ab%26c%3Dd>".replace("%0D%0A", "%20") == message.refer_to(
        "sip:a@b", {"X-A": "1>\r\nb&c=d", "bad name": "x"}
    )
    assert "<sip:a@b>" == message.refer_to("sip:a@b", {})


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_message_is_too_strange(head: str, body: str) -> None:
    """
    What strangers send never raises.
    """
    text = f"{head}\r\nFrom: {head}\r\nContent-Type: application/sdp\r\nEvent: refer;{head}\r\n\r\n"
    for candidate in (head, text + body, text + "m=audio " + body):
        message.read_invitation(candidate)
        message.read_transfer_notice(candidate)
        message.info_digit(candidate)
        message.cseq_number(candidate)
        message.is_target(candidate)
        message.refer_to(head, {head: body})
