"""How well and how fast an engine understands: ``python -m asr.evaluate --help``.

Word error rates by speaker and condition with their confidence intervals, real-time factor, and the
waits of a caller. Every number stands beside the nature of what it was measured on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.audio_files import read_speech
from asr.engines import DEFAULT_ENGINE, ENGINES, load_engine
from asr.errors import AsrError
from asr.recogniser import Engine
from asr.transcribe import PACKET_SAMPLES, RATE_HZ
from asr.wer import WordErrors, word_error_rate, word_errors


@dataclass(frozen=True, slots=True)
class Item:
    """One utterance to recognise.

    Attributes:
        said: Its words, normalised.
        condition: For example ``callers`` or ``callers noisy``.
        speaker: Voice or person.
        pcm: Shape ``(n,)``, 8000 Hz.
    """

    said: str = field(repr=False)
    condition: str
    speaker: str
    pcm: NDArray[np.int16] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an engine made of one item.

    Attributes:
        item: The item.
        heard: What was recognised.
        errors: Against what was said.
        confidence: Of the transcript.
        seconds: Processor time that recognition took.
        first_partial_seconds: Audio given before the first partial with words; -1 without one.
        final_seconds: Wait for the transcript after the last sample.
    """

    item: Item
    heard: str = field(repr=False)
    errors: WordErrors
    confidence: float
    seconds: float
    first_partial_seconds: float
    final_seconds: float


def recognise(engine: Engine, item: Item) -> Outcome:
    """Stream one item through an engine in packets of 20 ms, as fast as it goes."""
    recogniser = engine.open()
    first_partial = -1.0
    began = time.process_time()
    try:
        for start in range(0, len(item.pcm), PACKET_SAMPLES):
            partial = recogniser.accept(item.pcm[start : start + PACKET_SAMPLES])
            if partial is not None and partial.text and first_partial < 0:
                first_partial = (start + PACKET_SAMPLES) / RATE_HZ
        ended = time.perf_counter()
        transcript = recogniser.finish()
        final = time.perf_counter() - ended
    finally:
        recogniser.close()
    return Outcome(
        item,
        transcript.text,
        word_errors(item.said, transcript.text),
        transcript.confidence,
        time.process_time() - began,
        first_partial,
        final,
    )


def recordings_of(folder: Path, split: str) -> Iterator[Item]:
    """Yield the recordings of ``utterances.tsv`` (columns file, text, speaker, split)."""
    from asr.training.humans import recordings

    for recording in recordings(folder):
        if recording.split == split:
            pcm = read_speech(recording.path)
            yield Item(recording.text, f"people ({split})", recording.speaker, pcm)


def callers_of(
    sentences: list[str], voices: list[str], condition: str, seed: int
) -> Iterator[Item]:
    """Let espeak-ng callers say sentences over the telephone.

    Args:
        sentences: What they say.
        voices: Taken in turn.
        condition: ``clean`` (A-law) or ``noisy`` (5 % of packets lost and noise at 15 dB as well).
        seed: Source of chance.
    """
    from asr.training.espeak import speak
    from asr.training.telephone import lose_packets, through_codec
    from asr.training.texts import normalise

    rng = np.random.default_rng(seed)
    for index, sentence in enumerate(sentences):
        voice = voices[index % len(voices)]
        audio = speak(sentence, voice, int(rng.integers(150, 200)), int(rng.integers(30, 70))).audio
        quiet = np.zeros(RATE_HZ // 4, np.float32)
        audio = np.concatenate([quiet, audio, quiet])
        level = float(np.sqrt(np.mean(audio**2))) + 1e-6
        audio = (audio * (0.08 / level)).astype(np.float32)
        if condition == "noisy":
            noise = rng.normal(0, 0.08 * 10 ** (-15 / 20), len(audio)).astype(np.float32)
            audio = lose_packets(audio + noise, 0.05, rng)
        audio = through_codec(np.clip(audio, -1, 1).astype(np.float32), "ALAW")
        pcm = np.rint(audio * 32767).astype(np.int16)
        yield Item(normalise(sentence), f"callers, {condition}", voice, pcm)


def report(outcomes: list[Outcome], *, by_speaker: bool) -> list[dict[str, object]]:
    """Summarise outcomes by condition, and by speaker within it when asked."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.item.condition, "all"), []).append(outcome)
        if by_speaker:
            groups.setdefault((outcome.item.condition, outcome.item.speaker), []).append(outcome)
    rows: list[dict[str, object]] = []
    for (condition, speaker), found in sorted(groups.items()):
        rate = word_error_rate(outcome.errors for outcome in found)
        audio = sum(len(outcome.item.pcm) for outcome in found) / RATE_HZ
        finals = np.quantile([outcome.final_seconds for outcome in found], [0.5, 0.95])
        partials = [o.first_partial_seconds for o in found if o.first_partial_seconds >= 0]
        rows.append(
            {
                "condition": condition,
                "speaker": speaker,
                "utterances": rate.utterances,
                "words": rate.words,
                "wer": round(rate.rate, 4),
                "wer_low": round(rate.low, 4),
                "wer_high": round(rate.high, 4),
                "confidence": round(float(np.mean([o.confidence for o in found])), 3),
                "rtf": round(sum(outcome.seconds for outcome in found) / audio, 4),
                "first_partial_p50_seconds": round(float(np.median(partials)), 3)
                if partials
                else -1,
                "final_p50_seconds": round(float(finals[0]), 4),
                "final_p95_seconds": round(float(finals[1]), 4),
            }
        )
    return rows


def _held_out(count: int, seed: int) -> list[str]:
    from asr.training.settings import UTTERANCES
    from asr.training.texts import utterance_rows

    rows = utterance_rows(UTTERANCES, split="test")
    rng = np.random.default_rng(seed)
    chosen: list[str] = rng.permutation(rows)[:count].tolist()
    return chosen


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m asr.evaluate", description=__doc__)
    parser.add_argument("--engine", default=DEFAULT_ENGINE, choices=sorted(ENGINES))
    parser.add_argument("--model", type=Path, help="model folder (default: the embedded one)")
    parser.add_argument("--speech", type=Path, help="folder with utterances.tsv and recordings")
    parser.add_argument("--split", default="dev", help="rows of utterances.tsv (default: dev)")
    parser.add_argument("--callers", type=int, default=100, help="espeak-ng utterances a condition")
    parser.add_argument("--seed", type=int, default=1700)
    parser.add_argument("--by-speaker", action="store_true")
    parser.add_argument(
        "--show", action="store_true", help="print said and heard where they differ"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the evaluation; returns the exit code."""
    options = _arguments(arguments)
    try:
        engine = load_engine(options.engine, options.model)
    except AsrError as error:
        print(error, file=sys.stderr)
        return 1
    outcomes: list[Outcome] = []
    for item in _items(options):
        outcome = recognise(engine, item)
        outcomes.append(outcome)
        if options.show and outcome.errors.errors:
            print(f"{item.speaker}\n  said  {item.said}\n  heard {outcome.heard}", flush=True)
    if not outcomes:
        print("nothing to recognise: give --callers or --speech", file=sys.stderr)
        return 2
    for row in report(outcomes, by_speaker=options.by_speaker):
        row["engine"], row["model"] = engine.name, engine.model
        if options.json:
            print(json.dumps(row))
        else:
            print(_line(row))
    return 0


def _line(row: dict[str, object]) -> str:
    wer, low, high = (100 * float(str(row[name])) for name in ("wer", "wer_low", "wer_high"))
    wait = 1000 * float(str(row["final_p95_seconds"]))
    return (
        f"{row['condition']!s:28} {row['speaker']!s:12} {row['utterances']!s:>5} utterances  "
        f"WER {wer:5.1f} % ({low:.1f}..{high:.1f})  confidence {row['confidence']}  "
        f"RTF {row['rtf']}  final p95 {wait:.0f} ms"
    )


def _items(options: argparse.Namespace) -> Iterator[Item]:
    if options.callers:
        from asr.training.voices import HELD_OUT_VOICES

        sentences = _held_out(options.callers, options.seed)
        held_out = [f"nl+{voice}" for voice in HELD_OUT_VOICES]
        yield from callers_of(sentences, ["nl"], "clean", options.seed)
        for condition in ("clean", "noisy"):
            for item in callers_of(sentences, held_out, condition, options.seed + 1):
                yield Item(item.said, f"{item.condition}, new voices", item.speaker, item.pcm)
    if options.speech is not None:
        yield from recordings_of(options.speech, options.split)


if __name__ == "__main__":
    sys.exit(main())
