"""The caller's question as a sound file: spoken by espeak-ng, or a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr.errors import AudioUnreadableError
from ivr.demo.errors import DemoError, DemoUsageError
from ivr.errors import PromptError
from ivr.ports.audio import SAMPLE_RATE_HZ
from ivr.prompts.tts import EspeakNg

QUESTION: Final = "Hallo, ik wil een studietoelage aanvragen voor mijn dochter."
"""What the demo's caller asks when nothing else was said."""
_LONGEST_TEXT: Final = 500
_LONGEST_SECONDS: Final = 60.0
_KEYS: Final = frozenset("0123456789*#")
# Another voice than the prompts'; the recogniser was trained on it no more than on others.
_VOICE: Final = EspeakNg("nl+f2", words_per_minute=150, pitch=45)


def check_digits(digits: str | None) -> str:
    """Return the keys to press; empty for none.

    Raises:
        DemoUsageError: Something is no key.
    """
    if digits is not None and not (digits and _KEYS.issuperset(digits)):
        raise DemoUsageError("--digits takes keys of a telephone: 0-9, * and #; for example 2")
    return digits or ""


def check_question(say: str | None, audio: Path | None) -> None:
    """Refuse what can never be said.

    Raises:
        DemoUsageError: It is too much or nothing.
    """
    if say is not None and audio is not None:
        raise DemoUsageError("--say and --audio exclude each other; give one of them")
    if say is not None and not say.strip():
        raise DemoUsageError("--say is empty; give a question, or leave it out")
    if say is not None and len(say) > _LONGEST_TEXT:
        raise DemoUsageError(f"--say takes at most {_LONGEST_TEXT} characters")
    if audio is not None:
        _recorded(audio)


def write_question(folder: Path, say: str | None, audio: Path | None) -> Path | None:
    """Write what the caller says as a WAV of 8000 Hz.

    Args:
        folder: Gets the file.
        say: The text.
        audio: A recording, in place of the text.

    Returns:
        The file; None when nothing is said.

    Raises:
        DemoUsageError: The text or the recording cannot be used.
        DemoError: The voice is missing.
    """
    check_question(say, audio)
    path = folder / "question.wav"
    if audio is not None:
        _write(path, _recorded(audio))
    elif say is not None:
        _write(path, _spoken(folder, say))
    else:
        return None
    return path


def _spoken(folder: Path, say: str) -> NDArray[np.int16]:
    try:
        samples, rate_hz = _VOICE.speak(say)
    except PromptError as error:
        raise DemoError(
            f"the caller cannot speak: {str(error).partition('; ')[0]}; install espeak-ng "
            "(apt-get install espeak-ng), or give a recording with --audio FILE"
        ) from None
    spoken = folder / "spoken.wav"
    soundfile.write(spoken, samples, rate_hz, subtype="PCM_16")
    # At the telephone's rate already, so that the caller need not compute while it calls.
    return _recorded(spoken)


def _recorded(audio: Path) -> NDArray[np.int16]:
    # Here, because resampling needs a library that takes a second to load.
    from asr.audio_files import read_speech

    try:
        samples = read_speech(audio)
    except AudioUnreadableError as error:
        raise DemoUsageError(str(error)) from None
    if len(samples) > _LONGEST_SECONDS * SAMPLE_RATE_HZ:
        raise DemoUsageError(
            f"{audio} is longer than {_LONGEST_SECONDS:.0f} s; a caller's turn is shorter: cut it"
        )
    return samples


def _write(path: Path, samples: NDArray[np.int16]) -> None:
    soundfile.write(path, samples, SAMPLE_RATE_HZ, subtype="PCM_16")
