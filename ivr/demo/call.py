"""``wegwijs call``: one test call to a running service, from outside it."""

from __future__ import annotations

import re
import socket
import sys
import time
from pathlib import Path
from typing import Final, TextIO

from ivr.demo.children import Children, ended_by_signals, require_pjsua2
from ivr.demo.demo import Progress, dead_airs_of, progress_on
from ivr.demo.director import ActKind, PromptDirector
from ivr.demo.errors import DemoError, DemoUsageError
from ivr.demo.render import report
from ivr.demo.replay import Pressed
from ivr.demo.speech import check_digits, write_question
from ivr.demo.story import Story
from ivr.demo.timeline import Evidence, tell

_CALLER: Final = "caller"
_CALL_SECONDS: Final = 180.0
_TALK_SECONDS: Final = 2.0
_SIP_PORT: Final = 5060
_URI: Final = re.compile(
    r"sip:(?:[^@\s<>\"]+@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>\d{1,5}))?"
    r"(?P<parameters>(?:;[^\s<>\";]+)*)"
)


def run_call(
    uri: str,
    *,
    audio: Path | None,
    say: str | None,
    digits: str | None,
    json_output: bool,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> int:
    """Call ``uri``, speak and press keys, and tell what a caller can know of it.

    Args:
        uri: ``sip:NUMBER@HOST:PORT``.
        audio: Recording of what the caller says.
        say: What the caller says.
        digits: Keys, one after each prompt that follows the question.
        json_output: One JSON object instead of the timeline.
        stdout: For the result.
        stderr: For progress, when it is a terminal, and for what went wrong.

    Returns:
        0 when the caller was transferred to somebody who answered, 1 when not, 2 for wrong usage.
    """
    out, errors = stdout or sys.stdout, stderr or sys.stderr
    return report(
        lambda: place_call(uri, say, audio, check_digits(digits), progress_on(errors)),
        json_output=json_output,
        stdout=out,
        stderr=errors,
    )


def place_call(
    uri: str, say: str | None, audio: Path | None, digits: str, progress: Progress
) -> Story:
    """Place one call; the caller's process is gone when this returns.

    Args:
        uri: ``sip:NUMBER@HOST:PORT``.
        say: What the caller says.
        audio: Recording of it, in place of ``say``.
        digits: Keys, one after each prompt that follows the question; empty for none.
        progress: Told what is being done.

    Raises:
        DemoUsageError: The address or the question cannot be used.
        DemoError: The caller broke.
    """
    require_pjsua2()
    bind = _local_address(uri)
    with ended_by_signals(), Children() as children:
        question = write_question(children.folder, say, audio)
        recording = children.folder / "call.wav"
        director = PromptDirector(speaks=question is not None, digits=digits)
        pressed: list[Pressed] = []
        progress("calling")
        options = ["--record", str(recording), "--talk-seconds", str(_TALK_SECONDS)]
        options += ["--max-seconds", str(_CALL_SECONDS - 20)]
        caller = children.start_caller(uri, *options, name=_CALLER, bind=bind)
        until = time.monotonic() + _CALL_SECONDS
        transferring = False
        while True:
            happening = children.next(until - time.monotonic())
            if happening is None:
                raise DemoError("the call did not end in time; look at the service's log")
            event = happening.event
            if event == "error":
                raise DemoError(f"the caller: {happening.fields.get('text', 'failed')}")
            if event == "gone":
                break
            transferring = transferring or event == "transferring"
            act = director.prompt_ended() if event == "prompt_ended" and not transferring else None
            if act is None:
                continue
            if act.kind is ActKind.SAY:
                caller.send(do="say", file=str(question))
            else:
                pressed.append(Pressed(time=time.time(), key=act.key))
                caller.send(do="digits", digits=act.key)
        if not any(h.event == "summary" for h in children.happenings):
            reason = caller.complaint() or "it gave no reason"
            raise DemoError(f"the caller could not call: {reason}")
        said = say if audio is None else f"recording {audio.name}"
        return tell(
            Evidence(
                said=said,
                happenings=children.happenings,
                pressed=pressed,
                dead_airs=dead_airs_of(recording),
                caller=_CALLER,
            )
        )


def _local_address(uri: str) -> str:
    """Our own address on the way to the service.

    Raises:
        DemoUsageError: The URI cannot be called.
    """
    found = _URI.fullmatch(uri)
    if found is None or int(found["port"] or _SIP_PORT) > 65535:
        raise DemoUsageError(f"{uri!r} cannot be called; write sip:NUMBER@HOST:PORT")
    if "transport=tls" in found["parameters"].lower():
        raise DemoUsageError("the test caller has no certificate; leave out ;transport=tls")
    host, port = found["host"].strip("[]"), int(found["port"] or _SIP_PORT)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # Sends nothing: the kernel only chooses the way.
            probe.connect(address)
            return str(probe.getsockname()[0])
    except OSError as error:
        raise DemoUsageError(
            f"{host} cannot be reached: {error.strerror}; check the name and the network"
        ) from None
