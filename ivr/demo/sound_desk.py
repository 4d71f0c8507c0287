"""What a caller says and hears, frame by frame on one clock, and the recording of both."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path
from typing import Any, Final

import numpy as np
import pjsua2 as pj
import soundfile
from numpy.typing import NDArray

from ivr.audio.frames import FRAME_SAMPLES, FRAME_SECONDS
from ivr.ports.audio import SAMPLE_RATE_HZ

HEARD_LEVEL: Final = 120.0
"""Mean absolute sample from which a frame counts as sound."""
_SILENCE: Final = bytes(2 * FRAME_SAMPLES)


class SoundDesk(pj.AudioMediaPort):
    """Speaks queued frames, keeps what was said and heard.

    In one tick of the bridge's clock it is first asked for a frame, then given one, so that
    both channels run on the same clock, also while no call is connected. One call a process:
    here Python may work in the media thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ticks = 0
        """Frames heard since the start: the clock."""
        self.last_sound_tick = -1
        self.sound_ticks = 0
        """Frames with sound since :meth:`forget_sound`."""
        self._to_say: deque[bytes] = deque()
        self._saying = _SILENCE
        self._said: list[bytes] = []
        self._heard: list[bytes] = []
        self._lock = threading.Lock()
        form = pj.MediaFormatAudio()
        form.init(pj.PJMEDIA_FORMAT_PCM, SAMPLE_RATE_HZ, 1, 20_000, 16)
        self.createPort("desk", form)

    @property
    def seconds(self) -> float:
        """The clock: length of the recording so far."""
        return self.ticks * FRAME_SECONDS

    @property
    def speaking(self) -> bool:
        """Whether something queued is still being said."""
        return bool(self._to_say)

    @property
    def silent_seconds(self) -> float:
        """How long nothing has been heard."""
        return (self.ticks - 1 - self.last_sound_tick) * FRAME_SECONDS

    def say(self, frames: list[bytes]) -> None:
        """Queue frames of 20 ms."""
        self._to_say.extend(frames)

    def forget_sound(self) -> None:
        """Forget what was heard, for the question whether a prompt came."""
        self.sound_ticks = 0

    def onFrameRequested(self, frame: Any) -> None:
        """Give the next frame. Media thread."""
        try:
            self._saying = self._to_say.popleft()
        except IndexError:
            self._saying = _SILENCE
        frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO
        frame.buf.assign_from_bytes(self._saying)

    def onFrameReceived(self, frame: Any) -> None:
        """Take a frame. Media thread."""
        heard = bytes(frame.buf) if frame.size == len(_SILENCE) else _SILENCE
        said, self._saying = self._saying, _SILENCE
        with self._lock:
            self._said.append(said)
            self._heard.append(heard)
        if float(np.abs(np.frombuffer(heard, "<i2").astype(np.int32)).mean()) >= HEARD_LEVEL:
            self.last_sound_tick = self.ticks
            self.sound_ticks += 1
        self.ticks += 1

    def recording(self) -> NDArray[np.int16]:
        """What was said (left) and heard (right), shape ``(n, 2)``."""
        with self._lock:
            said, heard = b"".join(self._said), b"".join(self._heard)
        return np.stack([np.frombuffer(said, "<i2"), np.frombuffer(heard, "<i2")], axis=1)

    def write(self, path: Path) -> None:
        """Write the recording as a stereo WAV.

        Raises:
            OSError: The folder is missing or the disk is full.
        """
        try:
            soundfile.write(path, self.recording(), SAMPLE_RATE_HZ, subtype="PCM_16", format="WAV")
        except (soundfile.SoundFileError, RuntimeError):
            raise OSError(f"{path} cannot be written; give a file in a writable folder") from None
