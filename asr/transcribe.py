"""Files to text: what stands behind ``wegwijs transcribe``."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.audio_files import read_speech
from asr.recogniser import SpeechEngine, Transcript, Word

RATE_HZ = 8000
PACKET_SAMPLES = 160
"""20 ms: files go through the engine as a call does."""


@dataclass(frozen=True, slots=True)
class FileTranscript:
    """One file, recognised.

    Attributes:
        file: Path as given.
        text: What was understood.
        confidence: 0..1.
        words: With times in seconds from the start of the file.
        audio_seconds: Length of the recording.
        seconds: Time that recognition took, reading included.
    """

    file: str
    text: str = field(repr=False)
    confidence: float
    words: tuple[Word, ...] = field(repr=False)
    audio_seconds: float
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return the object that ``wegwijs transcribe --json`` prints."""
        return {
            "file": self.file,
            "text": self.text,
            "confidence": round(self.confidence, 4),
            "words": [
                {
                    "text": word.text,
                    "start_seconds": round(word.start_seconds, 3),
                    "end_seconds": round(word.end_seconds, 3),
                    "confidence": round(word.confidence, 4),
                }
                for word in self.words
            ],
            "audio_seconds": round(self.audio_seconds, 3),
            "seconds": round(self.seconds, 3),
        }


def transcribe_pcm(engine: SpeechEngine, pcm: NDArray[np.int16]) -> Transcript:
    """Recognise samples in packets of 20 ms.

    Args:
        engine: A loaded engine.
        pcm: Shape ``(n,)``, 8000 Hz, mono.

    Raises:
        RecogniserFailedError: The engine broke.
    """
    recogniser = engine.open()
    try:
        for start in range(0, len(pcm), PACKET_SAMPLES):
            recogniser.accept(pcm[start : start + PACKET_SAMPLES])
        return recogniser.finish()
    finally:
        recogniser.close()


def transcribe_file(engine: SpeechEngine, path: Path) -> FileTranscript:
    """Recognise one recording.

    Args:
        engine: A loaded engine.
        path: WAV, FLAC or the like.

    Raises:
        AudioUnreadableError: The file is not audio that we can read.
        RecogniserFailedError: The engine broke.
    """
    began = time.perf_counter()
    pcm = read_speech(path, RATE_HZ)
    transcript = transcribe_pcm(engine, pcm)
    return FileTranscript(
        file=str(path),
        text=transcript.text,
        confidence=transcript.confidence,
        words=transcript.words,
        audio_seconds=len(pcm) / RATE_HZ,
        seconds=time.perf_counter() - began,
    )
