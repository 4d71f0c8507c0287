"""One engine on one utterance: what it heard, how sure it was, how long its caller waited.

Audio comes in packets of 20 ms by a clock of its own: a packet arrives when its last sample was
said, and the processor time that the engine takes for it is added before the next one is begun. So
the waits are those of one caller on one idle core, and a busy machine changes them little.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.evaluate.items import Item
from asr.recogniser import SpeechEngine
from asr.text import normalise
from asr.transcribe import PACKET_SAMPLES, RATE_HZ
from asr.wer import WordErrors, right_words, word_errors

_PACKET_SECONDS = PACKET_SAMPLES / RATE_HZ
_WINDOW = 80
_ONSET_SHARE = 0.1
"""Speech begins where it is 20 dB below its loudest parts."""
_STREAMS = 4


@dataclass(frozen=True, slots=True)
class Judged:
    """A confidence, and whether (or to which share) what it was about was right."""

    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an engine made of one item.

    Attributes:
        item: The item.
        heard: What was recognised, in the spelling of what was said.
        errors: Against what was said.
        confidence: Of the transcript.
        seconds: Processor time that recognition took.
        first_partial_seconds: Wait for the first partial with words, after speech began; None
            without one.
        final_seconds: Wait for the transcript after the last sample.
        words: Each word's confidence, and whether it was right.
        partial_words: The same of the partials halfway, for words that are not final.
        is_fallback: See :class:`asr.recogniser.Transcript`.
    """

    item: Item
    heard: str = field(repr=False)
    errors: WordErrors
    confidence: float
    seconds: float
    first_partial_seconds: float | None
    final_seconds: float
    words: tuple[Judged, ...] = ()
    partial_words: tuple[Judged, ...] = ()
    is_fallback: bool = False

    @property
    def right_share(self) -> float:
        """Share of the utterance that was understood, 0..1."""
        words = max(self.errors.words, len(self.heard.split()), 1)
        return max(0.0, 1.0 - self.errors.errors / words) if self.item.said else 0.0


def speech_onset_seconds(pcm: NDArray[np.int16]) -> float:
    """Return when speech begins, to 10 ms.

    Args:
        pcm: Shape ``(n,)``, 8000 Hz.
    """
    count = len(pcm) // _WINDOW
    if not count:
        return 0.0
    level = pcm[: count * _WINDOW].astype(np.float64).reshape(count, _WINDOW).std(axis=1)
    return float(np.argmax(level > _ONSET_SHARE * np.quantile(level, 0.95))) * _WINDOW / RATE_HZ


def recognise(engine: SpeechEngine, item: Item) -> Outcome:
    """Stream one item through an engine.

    Raises:
        RecogniserFailedError: The engine broke.
    """
    onset = speech_onset_seconds(item.pcm)
    first_partial: float | None = None
    said = item.said.split()
    partial_words: list[Judged] = []
    halfway = len(item.pcm) // 2
    now = spent = 0.0
    recogniser = engine.open()
    try:
        for start in range(0, len(item.pcm), PACKET_SAMPLES):
            packet = item.pcm[start : start + PACKET_SAMPLES]
            began = time.process_time()
            partial = recogniser.accept(packet)
            took = time.process_time() - began
            spent += took
            now = max(now, (start + len(packet)) / RATE_HZ) + took
            if partial is None or not partial.text:
                continue
            if first_partial is None:
                first_partial = max(0.0, now - onset)
            if start >= halfway and not partial_words:
                texts = [word.text for word in partial.words]
                right = right_words(said, texts, unfinished=True)
                partial_words = [
                    Judged(word.confidence, float(sure))
                    for word, sure in zip(partial.words, right, strict=True)
                ]
        began = time.process_time()
        transcript = recogniser.finish()
        took = time.process_time() - began
    finally:
        recogniser.close()
    heard = normalise(transcript.text)
    spelt = [normalise(word.text) for word in transcript.words]
    words: tuple[Judged, ...] = ()
    if " ".join(spelt) == heard and all(len(word.split()) == 1 for word in spelt):
        right = right_words(said, spelt)
        words = tuple(
            Judged(word.confidence, float(sure))
            for word, sure in zip(transcript.words, right, strict=True)
        )
    return Outcome(
        item,
        heard,
        word_errors(item.said, heard),
        transcript.confidence,
        spent + took,
        first_partial,
        max(0.0, now - len(item.pcm) / RATE_HZ) + took,
        words,
        tuple(partial_words),
        transcript.is_fallback,
    )


def calibration_error(judged: Sequence[Judged], bins: int = 10) -> float | None:
    """Return the expected calibration error: how far confidence is from what is right, on average.

    Args:
        judged: Confidences and what was right.
        bins: Of equal width.

    Returns:
        0..1; None without anything to judge.
    """
    found = reliability(judged, bins)
    total = sum(count for _, _, count in found)
    if not total:
        return None
    return sum(abs(confidence - right) * count for confidence, right, count in found) / total


def reliability(judged: Sequence[Judged], bins: int = 10) -> list[tuple[float, float, int]]:
    """Return mean confidence, share right and count of each bin that holds something."""
    grouped: list[list[Judged]] = [[] for _ in range(bins)]
    for one in judged:
        grouped[min(bins - 1, int(one.confidence * bins))].append(one)
    return [
        (
            sum(one.confidence for one in group) / len(group),
            sum(one.right for one in group) / len(group),
            len(group),
        )
        for group in grouped
        if group
    ]


def resident_octets() -> int:
    """Return the memory of this process; 0 where the system does not tell."""
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    line = next((line for line in text.splitlines() if line.startswith("VmRSS:")), "VmRSS: 0 kB")
    return int(line.split()[1]) * 1024


def stream_octets(engine: SpeechEngine, pcm: NDArray[np.int16]) -> int:
    """Return the memory of one open stream in the middle of an utterance.

    Args:
        engine: Used before, so that what it makes once is there.
        pcm: What every stream hears, shape ``(n,)``.
    """
    recognisers = [engine.open() for _ in range(2 * _STREAMS)]
    try:
        # The first half may have lain ready from before; the second is certainly new.
        before = resident_octets()
        for recogniser in recognisers[_STREAMS:]:
            for start in range(0, len(pcm), PACKET_SAMPLES):
                recogniser.accept(pcm[start : start + PACKET_SAMPLES])
        return max(0, resident_octets() - before) // _STREAMS
    finally:
        for recogniser in recognisers:
            recogniser.close()
