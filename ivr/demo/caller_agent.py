"""A caller: places one call, listens, speaks, presses keys, follows a transfer, records.

Usage::

    python -m ivr.demo.caller_agent --to sip:1700@127.0.0.1:5060 --step say:question.wav \
        --step digits:1 --record call.wav

Events on standard output: ``ringing``, ``answered``, ``prompt_ended``, ``saying``, ``said``,
``pressed``, ``transferring``, ``transferred``, ``connected``, ``transfer_failed``, ``hung_up``,
``error``, and last ``summary`` with ``answered``, ``status``, ``dead_air_ms`` and ``recording``.
``at`` is on the recording's clock, in seconds. Commands on standard input: ``{"do": "hang_up"}``,
``{"do": "say", "file": …}``, ``{"do": "digits", "digits": …}``. SIGTERM and SIGINT hang up.

Exit codes: 0 the call was answered and ended, 1 it was not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pjsua2 as pj
from numpy.typing import NDArray

from ivr.audio.dtmf import COLUMN_HZ, KEYS, ROW_HZ
from ivr.demo import agent
from ivr.demo.dead_air import dead_airs
from ivr.demo.script import Step, StepKind, parse_step
from ivr.demo.sound_desk import SoundDesk
from ivr.errors import TelephonyError
from ivr.ports.audio import SAMPLE_RATE_HZ
from ivr.sip.media import active_audio, destroy_call_later
from ivr.sip.owner import OwnerThread, guarded
from ivr.sip.runtime import Runtime

_TURN_SECONDS: Final = 0.02
_PROMPT_SOUND_SECONDS: Final = 0.2
"""Less sound than this is no prompt."""
_OLD_CALL_SECONDS: Final = 5.0
"""How long a transferred caller leaves the first call to its other end to hang up."""
_GOODBYE_SECONDS: Final = 2.0
"""How long the other side may take to answer the end of a call that is broken off."""
_KEY_SECONDS: Final = 0.12
_KEY_GAP_SECONDS: Final = 0.1


class _Call(pj.Call):
    def __init__(self, caller: Caller, name: str) -> None:
        super().__init__(caller.runtime.account)
        self.caller: Caller | None = caller
        self.name = name
        self.audio: Any = None

    def onCallState(self, prm: Any) -> None:
        if self.caller is not None:
            guarded(partial(self.caller.on_state, self))

    def onCallMediaState(self, prm: Any) -> None:
        if self.caller is not None:
            guarded(partial(self.caller.on_media, self))

    def onCallTransferRequest(self, prm: Any) -> None:
        if self.caller is not None:
            guarded(partial(self.caller.on_transfer_request, prm))


class Caller:
    """The one call of this process and what is done in it. Runs on its owner's thread."""

    def __init__(self, options: argparse.Namespace, steps: Sequence[Step]) -> None:
        self.options = options
        self.runtime = Runtime(
            agent.sip_settings(options, max_calls=2),
            on_incoming=self._refuse,
            before_close=self._let_go,
        )
        self.owner = OwnerThread(self.runtime, "caller")
        self.done = threading.Event()
        self.answered = False
        self.status = 0
        self.recording: NDArray[np.int16] = np.zeros((0, 2), dtype=np.int16)
        self._steps = deque(steps)
        self._desk: SoundDesk | None = None
        self._call: _Call | None = None
        self._first: _Call | None = None
        self._answered_at = 0.0
        self._saying = False
        self._hang_up_at: float | None = None

    def start(self) -> None:
        """Place the call; it goes on from here by itself."""
        self._desk = SoundDesk()
        self._call = self._first = _Call(self, "first")
        prm = pj.CallOpParam(True)
        prm.opt.audioCount = 1
        prm.opt.videoCount = prm.opt.textCount = 0
        if self.options.from_user:
            prm.txOption.localUri = f"sip:{self.options.from_user}@{self.options.bind}"
        try:
            self._call.makeCall(self.options.to, prm)
        except pj.Error:
            agent.emit("error", text="the address cannot be called; give sip:NUMBER@HOST:PORT")
            self._finish(400)
            return
        self.owner.call_later(self.options.max_seconds, partial(self.hang_up, "max_seconds"))
        self._turn()

    def hang_up(self, why: str) -> None:
        """End the call that is on."""
        if self._call is None:
            return
        agent.emit("hanging_up", at=self._at(), why=why)
        for call in {self._call, self._first} - {None}:
            if call is not None and call.isActive():
                guarded(partial(call.hangup, pj.CallOpParam()))

    def break_off(self) -> None:
        """Hang up and end, also when the other side does not answer."""
        self.hang_up("signal")
        self.owner.call_later(_GOODBYE_SECONDS, partial(self._finish, pj.PJSIP_SC_OK))

    def do(self, command: dict[str, Any]) -> None:
        """Obey a command of standard input."""
        match command.get("do"):
            case "hang_up":
                self.hang_up("command")
            case "say":
                self._act(Step(StepKind.SAY, str(command.get("file", ""))))
            case "digits":
                self._act(Step(StepKind.DIGITS, str(command.get("digits", ""))))
            case _:
                agent.emit("error", text="unknown command; do is hang_up, say or digits")

    # Called by pjsua2.

    def on_state(self, call: _Call) -> None:
        """A call changed state."""
        info = call.getInfo()
        match info.state:
            case pj.PJSIP_INV_STATE_EARLY:
                agent.emit("ringing", at=self._at(), call=call.name, status=info.lastStatusCode)
            case pj.PJSIP_INV_STATE_CONFIRMED if call is self._first:
                self.answered, self._answered_at = True, self._at()
                agent.emit("answered", at=self._at())
                if self.options.hang_up_after is not None:
                    self._hang_up_at = self._at() + self.options.hang_up_after
            case pj.PJSIP_INV_STATE_CONFIRMED:
                agent.emit("transferred", at=self._at())
                if self.options.talk_seconds is not None:
                    self._hang_up_at = self._at() + self.options.talk_seconds
                self.owner.call_later(_OLD_CALL_SECONDS, self._drop_first)
            case pj.PJSIP_INV_STATE_DISCONNECTED:
                self._on_ended(call, info.lastStatusCode)

    def on_media(self, call: _Call) -> None:
        """A call's audio came, changed or went."""
        audio = active_audio(call)
        call.audio = None if audio is None else audio.media
        if call is not self._call or self._desk is None or call.audio is None:
            return
        if self._first is not None and call is not self._first and self._first.audio is not None:
            first = self._first.audio
            guarded(partial(first.stopTransmit, self._desk))
            guarded(partial(self._desk.stopTransmit, first))
        guarded(partial(call.audio.startTransmit, self._desk))
        guarded(partial(self._desk.startTransmit, call.audio))

    def on_transfer_request(self, prm: Any) -> None:
        """The service asks us to call somebody else."""
        if self.options.refuse_transfer:
            prm.statusCode = self.options.refuse_transfer
            return
        agent.emit("transferring", at=self._at(), target=prm.dstUri.strip("<>").partition("?")[0])
        self._call = _Call(self, "transferred")
        prm.newCall = self._call
        prm.statusCode = pj.PJSIP_SC_ACCEPTED

    # The rest.

    def _on_ended(self, call: _Call, status: int) -> None:
        call.audio = None
        agent.emit("hung_up", at=self._at(), call=call.name, status=status)
        if call is self._first:
            self.status = status
            self._first = None
            self._destroy_later(call)
            if self._call is call:
                self._finish(status)
        elif call is self._call:
            self._call = self._first
            self._destroy_later(call)
            if self._call is None:
                self._finish(status)
            else:
                # The first call is still ours: the transfer failed.
                agent.emit("transfer_failed", at=self._at(), status=status)
                guarded(partial(self.on_media, self._call))

    def _drop_first(self) -> None:
        if self._first is not None and self._first.isActive():
            first = self._first
            guarded(partial(first.hangup, pj.CallOpParam()))

    def _destroy_later(self, call: _Call) -> None:
        call.caller = None
        destroy_call_later(self.owner, call)

    def _finish(self, status: int) -> None:
        if self.done.is_set():
            return
        self.status = self.status or status
        self._call = None
        if self._desk is not None:
            self.recording = self._desk.recording()
            if self.options.record is not None:
                try:
                    self._desk.write(self.options.record)
                except OSError as error:
                    agent.emit("error", text=str(error))
        self.done.set()

    def _let_go(self) -> None:
        for call in {self._call, self._first} - {None}:
            if call is not None and call.isActive():
                guarded(partial(call.hangup, pj.CallOpParam()))
        desk, self._desk = self._desk, None
        if desk is not None:
            self.owner.destroy_later(desk)
        self.runtime.wait_for_goodbyes(0.5)
        self.owner.destroy_due()

    def _refuse(self, number: int, invite: str) -> None:
        call = pj.Call(self.runtime.account, number)
        prm = pj.CallOpParam()
        prm.statusCode = pj.PJSIP_SC_BUSY_HERE
        guarded(partial(call.hangup, prm))
        destroy_call_later(self.owner, call)

    def _at(self) -> float:
        return 0.0 if self._desk is None else round(self._desk.seconds, 3)

    def _turn(self) -> None:
        """Fifty times a second: is a step due, is the prompt over."""
        desk = self._desk
        if self._call is None or desk is None:
            return
        self.owner.call_later(_TURN_SECONDS, self._turn)
        if not self.answered:
            return
        if self._hang_up_at is not None and self._at() >= self._hang_up_at:
            self._hang_up_at = None
            self.hang_up("planned")
            return
        if self._saying:
            if not desk.speaking:
                self._saying = False
                agent.emit("said", at=self._at())
                desk.forget_sound()
            return
        step = self._steps[0] if self._steps else None
        if step is not None and step.at_seconds is not None:
            if self._at() - self._answered_at >= step.at_seconds:
                self._act(self._steps.popleft())
            return
        heard_enough = desk.sound_ticks * 0.02 >= _PROMPT_SOUND_SECONDS
        if heard_enough and desk.silent_seconds >= self.options.pause_ms / 1000:
            agent.emit("prompt_ended", at=round(self._at() - desk.silent_seconds, 3))
            desk.forget_sound()
            if step is not None:
                self._act(self._steps.popleft())

    def _act(self, step: Step) -> None:
        desk = self._desk
        if desk is None:
            return
        match step.kind:
            case StepKind.SAY:
                try:
                    speech = agent.load_speech(Path(step.value))
                except ValueError as error:
                    agent.emit("error", text=str(error))
                    return
                agent.emit("saying", at=self._at(), seconds=len(speech) / SAMPLE_RATE_HZ)
                self._saying = True
                desk.say(agent.frames_of(speech))
            case StepKind.DIGITS:
                self._press(step.value.upper(), desk)
            case StepKind.HANG_UP:
                self.hang_up("step")

    def _press(self, digits: str, desk: SoundDesk) -> None:
        call = self._call
        if call is None:
            return
        agent.emit("pressed", at=self._at(), count=len(digits))
        desk.forget_sound()
        if self.options.dtmf == "inband":
            for digit in digits:
                desk.say(agent.frames_of(_key_tones(digit)))
                desk.say(agent.frames_of(agent.tones((), _KEY_GAP_SECONDS)))
            return
        prm = pj.CallSendDtmfParam()
        prm.digits = digits
        info = self.options.dtmf == "info"
        prm.method = pj.PJSUA_DTMF_METHOD_SIP_INFO if info else pj.PJSUA_DTMF_METHOD_RFC2833
        guarded(partial(call.sendDtmf, prm))


def _key_tones(digit: str) -> NDArray[np.int16]:
    row = next(number for number, keys in enumerate(KEYS) if digit in keys)
    column = KEYS[row].index(digit)
    return agent.tones((ROW_HZ[row], COLUMN_HZ[column]), _KEY_SECONDS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ivr.demo.caller_agent", description="Place one call to a SIP address."
    )
    parser.add_argument("--to", required=True, metavar="SIP_URI")
    parser.add_argument("--from-user", default="", metavar="NUMBER")
    parser.add_argument(
        "--step",
        action="append",
        default=[],
        metavar="STEP",
        help="say:FILE, digits:KEYS or hangup, after the next prompt or @SECONDS after the answer",
    )
    parser.add_argument("--dtmf", choices=("rfc4733", "info", "inband"), default="rfc4733")
    parser.add_argument("--pause-ms", type=float, default=700.0, help="silence that ends a prompt")
    parser.add_argument("--hang-up-after", type=float, metavar="SECONDS", help="after the answer")
    parser.add_argument("--talk-seconds", type=float, help="hang up so long after a transfer")
    parser.add_argument("--refuse-transfer", type=int, metavar="STATUS")
    parser.add_argument("--max-seconds", type=float, default=120.0)
    parser.add_argument("--record", type=Path, metavar="WAV")
    agent.add_sip_options(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Return an exit code; see the module's text."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        steps = [parse_step(step) for step in options.step]
        for step in steps:
            if step.kind is StepKind.SAY:
                agent.load_speech(Path(step.value))
    except ValueError as error:
        parser.error(str(error))
    caller = Caller(options, steps)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: caller.owner.submit(caller.break_off))
    try:
        caller.owner.start()
    except (TelephonyError, TimeoutError) as error:
        agent.emit("error", text=str(error))
        return 1
    agent.emit("ready")
    caller.owner.submit(caller.start)
    agent.read_commands(lambda command: caller.owner.submit(partial(caller.do, command)))
    caller.done.wait(options.max_seconds + 10)
    caller.owner.stop(10)
    waits = dead_airs(caller.recording[:, 0], caller.recording[:, 1])
    agent.emit(
        "summary",
        answered=caller.answered,
        status=caller.status,
        seconds=round(len(caller.recording) / SAMPLE_RATE_HZ, 3),
        dead_air_ms=[wait.ms for wait in waits],
        last_word_at=[wait.last_word_seconds for wait in waits],
        recording=None if options.record is None else str(options.record),
    )
    return 0 if caller.answered else 1


if __name__ == "__main__":
    sys.exit(main())
