"""SIPp scenarios, put together from steps; a step is the text of an XML element."""

from __future__ import annotations

from pathlib import Path

PCMA = ("8", "a=rtpmap:8 PCMA/8000")
PCMU = ("0", "a=rtpmap:0 PCMU/8000")
G722 = ("9", "a=rtpmap:9 G722/8000")
OPUS = ("96", "a=rtpmap:96 opus/48000/2")
GSM = ("3", "a=rtpmap:3 GSM/8000")

_VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]"
_FROM = "From: <sip:0470123456@[local_ip]:[local_port]>;tag=[pid]s[call_number]"
_CONTACT = "Contact: <sip:0470123456@[local_ip]:[local_port];transport=[transport]>"


def sdp(*codecs: tuple[str, str], direction: str = "sendrecv", session: int = 1) -> str:
    """An offer or answer; the key ``rtp`` is the port."""
    payloads = " ".join(payload for payload, _ in codecs)
    lines = [
        "v=0",
        f"o=peer 1 {session} IN IP4 [local_ip]",
        "s=-",
        "c=IN IP4 [media_ip]",
        "t=0 0",
        f"m=audio [rtp] RTP/AVP {payloads} 101",
        *(line for _, line in codecs),
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        f"a={direction}",
    ]
    return "\n".join(lines)


def send(text: str, *, body: str = "", kind: str = "application/sdp") -> str:
    """Send a message of which ``text`` is start line and headers."""
    content = [f"Content-Type: {kind}"] if body else []
    lines = [*text.strip().splitlines(), *content, "Content-Length: [len]", "", body, ""]
    return '<send retrans="500"><![CDATA[\n' + "\n".join(lines) + "\n]]></send>"


def invite(*, body: str = "", extra: str = "") -> str:
    """The first INVITE, to the user part given by ``-s``."""
    return send(
        f"""INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
{_VIA}
{_FROM}
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
{_CONTACT}
Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, REFER, NOTIFY, INFO
Max-Forwards: 70
{extra}""",
        body=body,
    )


def ack(cseq: int = 1, *, body: str = "") -> str:
    """Acknowledge an accepted INVITE."""
    return inside("ACK", cseq, body=body).replace('<send retrans="500">', "<send>")


def ack_refusal() -> str:
    """Acknowledge a refused INVITE."""
    return send(
        f"""ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
{_FROM}
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70"""
    ).replace('<send retrans="500">', "<send>")


def cancel() -> str:
    """Cancel the first INVITE."""
    return send(
        f"""CANCEL sip:[service]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
{_FROM}
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 CANCEL
Max-Forwards: 70"""
    )


def inside(
    method: str, cseq: int, *, extra: str = "", body: str = "", kind: str = "application/sdp"
) -> str:
    """Send a request inside the dialog."""
    return send(
        f"""{method} [next_url] SIP/2.0
{_VIA}
[routes]
{_FROM}
To: [$to]
Call-ID: [call_id]
CSeq: {cseq} {method}
{_CONTACT}
Max-Forwards: 70
{extra}""",
        body=body,
        kind=kind,
    )


def notify(cseq: int, status: int, *, state: str = "active", event: str = "refer") -> str:
    """Tell the news of a transfer."""
    return inside(
        "NOTIFY",
        cseq,
        extra=f"Event: {event}\nSubscription-State: {state}",
        body=f"SIP/2.0 {status} News",
        kind="message/sipfrag",
    )


def reply(status: int, *, extra: str = "", body: str = "", first: bool = False) -> str:
    """Answer the request that came last; ``first`` when it is to open a dialog."""
    text = send(
        f"""SIP/2.0 {status} Reply
[last_Via:]
[last_From:]
[last_To:]{";tag=[pid]t[call_number]" if first else ""}
[last_Call-ID:]
[last_CSeq:]
{_CONTACT}
{extra}""",
        body=body,
    )
    return text.replace('<send retrans="500">', "<send>")


def get(status: int, *, optional: bool = False, check: str = "") -> str:
    """Wait for a response; with ``check``, its text must match that expression."""
    if optional:
        return f'<recv response="{status}" optional="true"/>'
    actions = (
        '<ereg regexp=".*" search_in="hdr" header="To:" check_it="true" assign_to="to"/>'
        if status == 200
        else ""
    )
    if check:
        actions += f'<ereg regexp="{check}" search_in="msg" check_it="true" assign_to="junk"/>'
    return f'<recv response="{status}" rrs="true"><action>{actions}</action></recv>'


def accepted(*, body: str = "") -> list[str]:
    """From the answer's wait to the ACK."""
    return [
        *(get(status, optional=True) for status in (100, 180, 183)),
        get(200),
        ack(body=body),
    ]


def plain(status: int = 200) -> str:
    """Wait for the response to a request inside the dialog."""
    return f'<recv response="{status}"/>'


def wait_for(method: str, *, check: str = "") -> str:
    """Wait for a request; with ``check``, its text must match that expression."""
    actions = ""
    if method == "INVITE":
        for name, field in (("to", "To:"), ("from", "From:")):
            actions += (
                f'<ereg regexp=".*" search_in="hdr" header="{field}" check_it="true" '
                f'assign_to="{name}"/>'
            )
    if check:
        actions += f'<ereg regexp="{check}" search_in="msg" check_it="true" assign_to="junk"/>'
    return f'<recv request="{method}" rrs="true"><action>{actions}</action></recv>'


def pause(ms: int) -> str:
    """Do nothing for a while."""
    return f'<pause milliseconds="{ms}"/>'


def told_to_go_on() -> list[str]:
    """Wait until the test says so, by :meth:`tests.integration.sipp.Sipp.go_on`.

    Whoever asks meanwhile whether the call stands hears yes. Once in a scenario.
    """
    return [
        '<label id="wait"/>',
        '<recv request="OPTIONS" optional="true" next="asked"/>',
        '<recv request="MESSAGE" next="told"/>',
        '<label id="asked"/>',
        reply(200).replace("<send>", '<send next="wait">'),
        '<label id="told"/>',
    ]


def bye(cseq: int = 9) -> list[str]:
    """Hang up."""
    return [inside("BYE", cseq), plain()]


def be_hung_up() -> list[str]:
    """Wait for the other side to hang up."""
    return [wait_for("BYE"), reply(200)]


def send_bye_as_target() -> str:
    """Hang up a call that we were asked into."""
    return send(
        f"""BYE [next_url] SIP/2.0
{_VIA}
From: [$to];tag=[pid]t[call_number]
To: [$from]
Call-ID: [call_id]
CSeq: 9 BYE
Max-Forwards: 70"""
    )


def write(folder: Path, name: str, *steps: str | list[str]) -> Path:
    """Write a scenario file and return it."""
    flat = [text for step in steps for text in ([step] if isinstance(step, str) else step)]
    text = "\n".join(flat)
    # SIPp wants every variable used twice, or named here.
    names = ",".join(name for name in ("to", "from", "junk") if f'assign_to="{name}"' in text)
    reference = f'<Reference variables="{names}"/>' if names else ""
    file = folder / f"{name}.xml"
    file.write_text(
        f'<?xml version="1.0"?>\n<scenario name="{name}">\n{text}\n{reference}\n</scenario>\n',
        "utf-8",
    )
    return file
