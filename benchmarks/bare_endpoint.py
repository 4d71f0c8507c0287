"""The alternatives of ``bench_call_capacity.py``: an endpoint that plays and captures, no more.

``--capture c`` records each call in C; ``--capture naive`` takes each frame into Python as one
would first write it: ``bytes`` and numpy for each call by itself. Prints ``ready`` with the port,
and ``count`` with the frames captured when asked by ``{"do": "count"}``.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pjsua2 as pj

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ivr.demo.agent import emit, read_commands
from ivr.sip.media import active_audio
from ivr.sip.owner import OwnerThread, destroy, guarded
from ivr.sip.runtime import Runtime
from ivr.sip.settings import SipSettings

_SILENCE_LEVEL = 5.0
"""Root mean square; no packets give 0, A-law's own silence 8."""


class NaivePort(pj.AudioMediaPort):
    """Takes each frame into Python: level and a decision whether it is speech."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = 0
        self.sounding_frames = 0
        self.speech_frames = 0
        self._floor = 60.0
        form = pj.MediaFormatAudio()
        form.init(pj.PJMEDIA_FORMAT_PCM, 8000, 1, 20_000, 16)
        self.createPort("naive", form)

    def onFrameReceived(self, frame: Any) -> None:
        """Take one frame. Media thread."""
        samples = np.frombuffer(bytes(frame.buf), dtype=np.int16).astype(np.float32)
        self.frames += 1
        if len(samples):
            level = float(np.sqrt(np.mean(samples**2)))
            self.sounding_frames += level > _SILENCE_LEVEL
            self._floor = min(self._floor * 1.002, max(1.0, level))
            self.speech_frames += level > 3 * self._floor


class BareCall(pj.Call):
    """Answers, plays the prompt in a loop, captures."""

    def __init__(self, endpoint: BareEndpoint, number: int) -> None:
        super().__init__(endpoint.runtime.account, number)
        self._endpoint = endpoint
        self._number = number
        self.player: Any = None
        self.capture: Any = None

    def onCallMediaState(self, prm: Any) -> None:
        """Connect prompt and capture once."""
        guarded(self._connect)

    def _connect(self) -> None:
        audio = active_audio(self)
        if audio is None or self.player is not None:
            return
        self.player = pj.AudioMediaPlayer()
        self.player.createPlayer(str(self._endpoint.prompt))
        self.player.startTransmit(audio.media)
        if self._endpoint.naive:
            self.capture = NaivePort()
        else:
            self.capture = pj.AudioMediaRecorder()
            self.capture.createRecorder(str(self._endpoint.folder / f"{self._number}.wav"))
        audio.media.startTransmit(self.capture)


class BareEndpoint:
    """All calls of this process."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.prompt: Path = options.prompt
        self.folder: Path = options.folder
        self.naive = options.capture == "naive"
        self.calls: list[BareCall] = []
        self.runtime = Runtime(
            SipSettings(
                udp_port=0,
                tcp_port=None,
                rtp_first_port=options.rtp_first,
                rtp_last_port=options.rtp_last,
                max_calls=options.calls,
            ),
            on_incoming=self._answer,
            before_close=self._close,
        )

    def _answer(self, number: int, invite: str) -> None:
        call = BareCall(self, number)
        self.calls.append(call)
        prm = pj.CallOpParam(True)
        prm.opt.audioCount = 1
        prm.opt.videoCount = prm.opt.textCount = 0
        prm.statusCode = pj.PJSIP_SC_OK
        call.answer(prm)

    def count(self) -> None:
        """Print what was captured so far."""
        ports = [call.capture for call in self.calls if self.naive and call.capture]
        emit(
            "count",
            frames=sum(port.frames for port in ports),
            sounding=sum(port.sounding_frames for port in ports),
            calls=sum(call.isActive() for call in self.calls),
        )

    def _close(self) -> None:
        for call in self.calls:
            guarded(partial(destroy, call.player))
            guarded(partial(destroy, call.capture))
        for call in self.calls:
            if call.isActive():
                guarded(partial(call.hangup, pj.CallOpParam()))
        self.runtime.wait_for_goodbyes(0.5)
        for call in self.calls:
            guarded(partial(destroy, call))


def main() -> None:
    """Serve until SIGTERM or the end of standard input."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--capture", choices=("c", "naive"), required=True)
    parser.add_argument("--prompt", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--rtp-first", type=int, required=True)
    parser.add_argument("--rtp-last", type=int, required=True)
    endpoint = BareEndpoint(parser.parse_args())
    owner = OwnerThread(endpoint.runtime, "bare")
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    owner.start()
    read_commands(lambda _: owner.submit(endpoint.count), at_end=done.set)
    emit("ready", port=endpoint.runtime.ports["udp"])
    done.wait()
    owner.stop(10)


if __name__ == "__main__":
    main()
