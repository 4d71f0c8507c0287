"""What the recogniser makes of our own questions, for the classifier to learn from.

espeak-ng callers say training sentences over a simulated telephone, an engine writes down what it
hears, and ``training_data/heard.tsv`` keeps text, transcript and confidence. Foreign rows are
spoken by the voice of their own language. Run it again when the recogniser has changed; then train:

    python -m ivr.learning.spoken_questions [--minutes 10] [--engine vosk] [--model DIR]
        [--out FILE]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from asr.engines import DEFAULT_ENGINE, load_engine
from asr.errors import AsrError
from asr.recogniser import SpeechEngine, Transcript
from asr.transcribe import transcribe_pcm
from intent.catalogue import OTHER_LANGUAGE, load_catalogue
from intent.dataset import Row, read_training_rows
from intent.errors import IntentError
from intent.heard import HEADER
from intent.text import normalise
from ivr.files.embedded import embedded_dir

VOICES = ("", "f1", "f2", "f3", "f5", "m1", "m2", "m3", "m7", "Annie", "Alicia", "linda", "Mario")
"""Variants of the voices that are trained on; the empty one is the voice itself."""

HELD_OUT_VOICES = ("f4", "m6", "Andy", "steph")
"""Variants to measure with."""

_ESPEAK_NAMES = {"ary": "ar", "zh": "cmn", "ps": "fa", "so": "sw", "ti": "am"}
"""Languages without a voice, or with one of another name; the nearest by sound."""

_UNDETERMINED = "und"
_FOREIGN_EVERY = 4
"""Every so many questions a foreign one, while there are any."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A row and what was heard."""

    row: Row = field(repr=False)
    transcript: Transcript = field(repr=False)


def in_order(rows: Sequence[Row], *, seed: int = 1700) -> list[Row]:
    """Order rows so that any beginning holds every label alike, and enough foreign speech.

    Args:
        rows: Of one split; foreign rows without a voice are left out.
        seed: Of the order within a label.
    """
    rng = Random(seed)
    by_label: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.text):
        if row.thema != OTHER_LANGUAGE or row.language != _UNDETERMINED:
            by_label.setdefault(row.thema, []).append(row)
    for found in by_label.values():
        rng.shuffle(found)
    foreign = by_label.pop(OTHER_LANGUAGE, [])
    ordered: list[Row] = []
    for turn in range(max(map(len, by_label.values()), default=0)):
        for found in by_label.values():
            if turn < len(found):
                ordered.append(found[turn])
            if foreign and len(ordered) % _FOREIGN_EVERY == 0:
                ordered.append(foreign.pop())
    return ordered + foreign


def listen(
    engine: SpeechEngine,
    rows: Sequence[Row],
    *,
    voices: Sequence[str] = VOICES,
    seed: int = 1700,
    workers: int = 1,
) -> Generator[Spoken, None, None]:
    """Speak rows over the telephone and recognise them, in their order.

    Args:
        engine: Loaded.
        rows: What callers say.
        voices: espeak-ng variants, drawn at random.
        seed: Of voices, rates, pitches and lines.
        workers: Threads; espeak-ng and the engines leave Python free.

    Raises:
        OSError: espeak-ng is not installed.
        subprocess.SubprocessError: It failed.
        RecogniserFailedError: The engine broke.
    """

    def one(numbered: tuple[int, Row]) -> Spoken:
        number, row = numbered
        rng = np.random.default_rng([seed, number, zlib.crc32(row.text.encode())])
        return Spoken(row, transcribe_pcm(engine, _call(row, voices, rng)))

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(one, enumerate(rows))


def _call(row: Row, voices: Sequence[str], rng: np.random.Generator) -> NDArray[np.int16]:
    """Return one caller's speech at our end of the line, shape ``(n,)``, 8000 Hz."""
    # The recipe needs libraries of the extra `train`.
    from asr.synthetic.espeak import speak
    from asr.synthetic.telephone import load_surroundings, telephone

    variant = str(rng.choice(voices))
    language = _ESPEAK_NAMES.get(row.language, row.language)
    voice = f"{language}+{variant}" if variant else language
    rate, pitch = int(rng.integers(135, 205)), int(rng.integers(25, 75))
    audio = speak(row.text, voice, rate, pitch).audio
    heard = telephone(audio, load_surroundings(Path()), rng)
    return np.rint(np.clip(heard, -1, 1) * 32767).astype(np.int16)


def write(spoken: Iterator[Spoken], file: Path, progress: Callable[[int], bool]) -> int:
    """Write ``heard.tsv``: the transcript, and the best alternative that differs from it.

    Args:
        spoken: What was heard.
        file: Replaced at the end.
        progress: Told how many questions are done; False stops there.

    Returns:
        The number of lines.
    """
    lines: set[str] = set()
    for number, item in enumerate(spoken, start=1):
        said, transcript = normalise(item.row.text), item.transcript
        readings = {normalise(transcript.text): transcript.confidence}
        for other in transcript.alternatives:
            if len(readings) < 2:
                readings.setdefault(normalise(other.text), min(other.confidence, 1.0))
        lines.update(f"{said}\t{text}\t{sure:.2f}\n" for text, sure in readings.items() if text)
        if not progress(number):
            break
    draft = file.with_suffix(".draft")
    draft.write_text(HEADER + "\n" + "".join(sorted(lines)), encoding="utf-8")
    draft.replace(file)
    return len(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="stop after so many (default 10)"
    )
    parser.add_argument("--engine", default=DEFAULT_ENGINE)
    parser.add_argument("--model", type=Path, help="its model folder; default the embedded one")
    parser.add_argument("--out", type=Path, help="default training_data/heard.tsv")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    try:
        data = embedded_dir("training_data")
        rows = read_training_rows(data, load_catalogue(data).labels)
        chosen = in_order([row for row in rows if row.split == "train"])
        engine = load_engine(options.engine, options.model)
    except (AsrError, IntentError, OSError) as error:
        print(f"wegwijs: {error}", file=sys.stderr)
        return 1
    out = options.out or data / "heard.tsv"
    end = monotonic() + 60 * options.minutes

    def tell(done: int) -> bool:
        if done % 50 == 0 or done == len(chosen):
            print(f"\r{done} of {len(chosen)} questions heard", end="", file=sys.stderr)
        return bool(monotonic() < end)

    spoken = listen(engine, chosen, workers=max(1, options.workers))
    try:
        lines = write(spoken, out, tell)
    except (AsrError, OSError, subprocess.SubprocessError) as error:
        print(f"\nwegwijs: {error}", file=sys.stderr)
        return 1
    finally:
        spoken.close()
        engine.close()
    print(f"\n{lines} readings in {out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
