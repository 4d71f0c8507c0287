"""A contact centre: answers for voorlichter groups, each the user part of a SIP address.

Usage::

    python -m ivr.demo.contact_centre_agent --group belastingen --group energie=busy

A group ``answer``s after ``--ring-seconds`` (the default), is ``busy`` (486), ``decline``s (603)
or ``ring``s for ever; other user parts get 404. Events on standard output: ``ready`` with the
ports; ``call`` with the group and the headers that begin with ``X-``; ``answered``;
``ended`` with status and seconds; ``error``. Commands on standard input: ``{"do": "stop"}``,
``{"do": "hang_up", "call": N}``, ``{"do": "behave", "group": …, "as": …}``. The end of standard
input ends the agent.

Exit codes: 0 stopped, 1 it could not start, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from enum import StrEnum, unique
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pjsua2 as pj
import soundfile

from ivr.demo import agent
from ivr.errors import TelephonyError
from ivr.ports.audio import SAMPLE_RATE_HZ
from ivr.sip import message
from ivr.sip.media import active_audio, destroy_call_later
from ivr.sip.owner import OwnerThread, destroy, guarded
from ivr.sip.runtime import Runtime


@unique
class Behaviour(StrEnum):
    """What a group does with a call."""

    ANSWER = "answer"
    BUSY = "busy"
    DECLINE = "decline"
    RING = "ring"


_REFUSALS = {Behaviour.BUSY: 486, Behaviour.DECLINE: 603}


class _Call(pj.Call):
    def __init__(self, centre: ContactCentre, number: int, key: int, group: str) -> None:
        super().__init__(centre.runtime.account, number)
        self.centre: ContactCentre | None = centre
        self.key = key
        self.group = group
        self.answered_at: float | None = None
        self.voice: Any = None

    def onCallState(self, prm: Any) -> None:
        if self.centre is not None:
            guarded(partial(self.centre.on_state, self))

    def onCallMediaState(self, prm: Any) -> None:
        if self.centre is not None:
            guarded(partial(self.centre.on_media, self))


class ContactCentre:
    """All calls of this process. Runs on its owner's thread."""

    def __init__(
        self, options: argparse.Namespace, groups: dict[str, Behaviour], voice: Path
    ) -> None:
        self.options = options
        self.runtime = Runtime(
            agent.sip_settings(options, max_calls=50),
            on_incoming=self._on_incoming,
            before_close=self._let_go,
        )
        self.owner = OwnerThread(self.runtime, "contact-centre")
        self.stop = threading.Event()
        self._groups = groups
        self._voice = voice
        self._calls: dict[int, _Call] = {}
        self._count = 0

    def do(self, command: dict[str, Any]) -> None:
        """Obey a command of standard input."""
        match command:
            case {"do": "stop"}:
                self.stop.set()
            case {"do": "hang_up", "call": int(key)}:
                if (call := self._calls.get(key)) is not None:
                    guarded(partial(call.hangup, pj.CallOpParam()))
            case {"do": "behave", "group": str(group), "as": str(word)} if word in set(Behaviour):
                self._groups[group] = Behaviour(word)
            case _:
                agent.emit("error", text="unknown command; do is stop, hang_up or behave")

    def on_state(self, call: _Call) -> None:
        """A call changed state."""
        info = call.getInfo()
        if info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            call.answered_at = time.monotonic()
            agent.emit("answered", call=call.key, group=call.group)
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._calls.pop(call.key, None)
            seconds = 0.0 if call.answered_at is None else time.monotonic() - call.answered_at
            agent.emit(
                "ended",
                call=call.key,
                group=call.group,
                status=info.lastStatusCode,
                seconds=round(seconds, 3),
            )
            call.centre = None
            if call.voice is not None:
                self.owner.destroy_later(call.voice)
                call.voice = None
            destroy_call_later(self.owner, call)

    def on_media(self, call: _Call) -> None:
        """A call's audio came or changed: let the voorlichter speak."""
        audio = active_audio(call)
        if audio is None:
            return
        guarded(partial(self.runtime.silence.startTransmit, audio.media))
        if call.voice is None:
            call.voice = pj.AudioMediaPlayer()
            call.voice.createPlayer(str(self._voice), pj.PJMEDIA_FILE_NO_LOOP)
        guarded(partial(call.voice.startTransmit, audio.media))

    def _on_incoming(self, number: int, invite: str) -> None:
        self._count += 1
        group = message.read_invitation(invite).line
        call = _Call(self, number, self._count, group)
        self._calls[call.key] = call
        behaviour = self._groups.get(group)
        agent.emit(
            "call",
            call=call.key,
            group=group,
            behaviour=None if behaviour is None else str(behaviour),
            headers=dict(re.findall(r"^(X-[^:\s]+)[ \t]*:[ \t]*([^\r\n]*)", invite, re.M)),
        )
        if behaviour is None or behaviour in _REFUSALS:
            prm = pj.CallOpParam()
            prm.statusCode = 404 if behaviour is None else _REFUSALS[behaviour]
            guarded(partial(call.hangup, prm))
            return
        self._respond(call.key, pj.PJSIP_SC_RINGING)
        if behaviour is Behaviour.ANSWER:
            self.owner.call_later(
                self.options.ring_seconds, partial(self._respond, call.key, pj.PJSIP_SC_OK)
            )

    def _respond(self, key: int, status: int) -> None:
        call = self._calls.get(key)
        if call is None:
            return
        prm = pj.CallOpParam(True)
        prm.opt.audioCount = 1
        prm.opt.videoCount = prm.opt.textCount = 0
        prm.statusCode = status
        guarded(partial(call.answer, prm))
        if status == pj.PJSIP_SC_OK and self.options.talk_seconds is not None:
            self.owner.call_later(
                self.options.talk_seconds, partial(self.do, {"do": "hang_up", "call": key})
            )

    def _let_go(self) -> None:
        for call in list(self._calls.values()):
            guarded(partial(call.hangup, pj.CallOpParam()))
        self.runtime.wait_for_goodbyes(0.5)
        self.owner.destroy_due()
        for call in self._calls.values():
            destroy(call)


def _parse_group(text: str) -> tuple[str, Behaviour]:
    name, _, word = text.partition("=")
    if not name or (word and word not in set(Behaviour)):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a group; write NAME or NAME={'|'.join(Behaviour)}"
        )
    return name, Behaviour(word or Behaviour.ANSWER)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ivr.demo.contact_centre_agent", description="Answer for voorlichter groups."
    )
    parser.add_argument(
        "--group", action="append", required=True, type=_parse_group, metavar="NAME[=BEHAVIOUR]"
    )
    parser.add_argument("--ring-seconds", type=float, default=1.0)
    parser.add_argument("--talk-seconds", type=float, help="hang up so long after the answer")
    parser.add_argument("--voice", type=Path, metavar="WAV", help="what a voorlichter says")
    agent.add_sip_options(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Return an exit code; see the module's text."""
    parser = _parser()
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="wegwijs-") as folder:
        voice = Path(folder) / "voice.wav"
        try:
            speech = (
                # Three rising notes.
                np.concatenate([agent.tones((hz,), 0.15) for hz in (440.0, 554.0, 659.0)])
                if options.voice is None
                else agent.load_speech(options.voice)
            )
        except ValueError as error:
            parser.error(str(error))
        soundfile.write(voice, speech, SAMPLE_RATE_HZ, subtype="PCM_16")
        centre = ContactCentre(options, dict(options.group), voice)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: centre.stop.set())
        try:
            centre.owner.start()
        except (TelephonyError, TimeoutError) as error:
            agent.emit("error", text=str(error))
            return 1
        agent.emit("ready", address=options.bind, ports=centre.runtime.ports)
        agent.read_commands(
            lambda command: centre.owner.submit(partial(centre.do, command)), centre.stop.set
        )
        # With a timeout, so that signals are handled in between.
        while not centre.stop.wait(0.5):
            pass
        centre.owner.stop(10)
    return 0


if __name__ == "__main__":
    sys.exit(main())
