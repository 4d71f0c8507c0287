"""A voice for texts that nobody recorded: the port, and espeak-ng behind it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from ivr.errors import PromptError

REMEDY = "install it (apt-get install espeak-ng), or record the prompt yourself"


class Speaker(Protocol):
    """Text in, speech out."""

    @property
    def identity(self) -> str:
        """Names voice and settings; speech of another identity is not taken from a cache."""

    def speak(self, text: str) -> tuple[NDArray[np.float32], int]:
        """Say ``text``.

        Returns:
            Samples, mono, full scale -1..1, shape ``(n,)``; and their rate in Hz.

        Raises:
            PromptError: The voice is missing or broken; the message does not quote the text.
        """


class EspeakNg:
    """espeak-ng as a program; found on the path when it is first used.

    Args:
        voice: A voice and variant of espeak-ng.
        words_per_minute: espeak's own count; 80..450.
        pitch: 0..99.
        timeout_seconds: For one text.
        program: Name or path of the program.
    """

    def __init__(
        self,
        voice: str = "nl+belinda",
        *,
        words_per_minute: int = 155,
        pitch: int = 50,
        timeout_seconds: float = 20.0,
        program: str = "espeak-ng",
    ) -> None:
        self._voice = voice
        self._words_per_minute = words_per_minute
        self._pitch = pitch
        self._timeout_seconds = timeout_seconds
        self._program = program

    @property
    def identity(self) -> str:
        """Names voice and settings."""
        return f"espeak-ng {self._voice} {self._words_per_minute} {self._pitch}"

    def speak(self, text: str) -> tuple[NDArray[np.float32], int]:
        """Say ``text``; see :class:`Speaker`.

        Raises:
            PromptError: espeak-ng is missing, too slow, or has no such voice.
        """
        program = shutil.which(self._program)
        if program is None:
            raise PromptError(f"{self._program} is not on this machine; {REMEDY}")
        with tempfile.TemporaryDirectory(prefix="wegwijs-voice-") as folder:
            path = Path(folder) / "speech.wav"
            command = [program, "-v", self._voice, "-s", str(self._words_per_minute)]
            command += ["-p", str(self._pitch), "-g", "1", "-b", "1", "--stdin", "-w", str(path)]
            try:
                # By standard input: arguments can be read by every user of the machine.
                done = subprocess.run(
                    command,
                    input=text.encode("utf-8", "replace"),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=self._timeout_seconds,
                    check=False,
                )
                samples, rate_hz = soundfile.read(path, dtype="float32")
            except subprocess.TimeoutExpired:
                raise PromptError(
                    f"{self._program} took more than {self._timeout_seconds:g} s; "
                    "try again, or record the prompt yourself"
                ) from None
            except (OSError, soundfile.LibsndfileError):
                raise PromptError(
                    f"{self._program} with voice {self._voice!r} made no sound; check that it "
                    f"has this voice (espeak-ng --voices=nl), or {REMEDY}"
                ) from None
        if done.returncode != 0 or len(samples) == 0:
            raise PromptError(
                f"{self._program} with voice {self._voice!r} failed with exit status "
                f"{done.returncode}; {REMEDY}"
            )
        return samples, int(rate_hz)
