"""Human recordings: a folder with ``utterances.tsv``, and many voices out of few by WORLD."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr.synthetic.phones import PHONE_IDS
from asr.synthetic.telephone import RATE_HZ
from asr.text import normalise
from asr.training.examples import Example, to_int16


@dataclass(frozen=True, slots=True)
class Recording:
    """One row of ``utterances.tsv`` (columns file, text, speaker, split)."""

    path: Path
    text: str
    speaker: str
    split: str


def recordings(folder: Path) -> list[Recording]:
    """Read ``utterances.tsv``; without it there are no recordings."""
    listing = folder / "utterances.tsv"
    if not listing.is_file():
        return []
    with listing.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Recording(folder / row["file"], normalise(row["text"]), row["speaker"], row["split"])
            for row in rows
        ]


def read_recording(recording: Recording) -> NDArray[np.float32]:
    """Return its audio, shape ``(n,)``.

    Raises:
        ValueError: It is not at 8000 Hz.
    """
    audio, rate_hz = soundfile.read(recording.path, dtype="float32")
    if rate_hz != RATE_HZ:
        raise ValueError(f"{recording.path}: {rate_hz} Hz; convert the folder to 8000 Hz")
    return np.asarray(audio, np.float32)


def other_voices(
    audio: NDArray[np.float32], copies: int, rng: np.random.Generator
) -> Iterator[NDArray[np.float32]]:
    """Say it again with other voices: formants moved by 0.82..1.22, pitch to 85..260 Hz.

    Analysis is done once, synthesis for each copy. Source: WORLD (Morise, 2016).
    """
    if not copies:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyworld imports the deprecated pkg_resources
        import pyworld

    wave = audio.astype(np.float64)
    pitch, times = pyworld.dio(wave, RATE_HZ)
    pitch = pyworld.stonemask(wave, pitch, times, RATE_HZ)
    envelope = np.log(pyworld.cheaptrick(wave, pitch, times, RATE_HZ) + 1e-12)
    aperiodicity = np.ascontiguousarray(pyworld.d4c(wave, pitch, times, RATE_HZ))
    voiced = pitch > 0
    median = float(np.median(pitch[voiced])) if voiced.any() else 120.0
    bins = np.arange(envelope.shape[1])
    for _ in range(copies):
        at = np.clip(bins / rng.uniform(0.82, 1.22), 0, len(bins) - 1)
        low = np.minimum(at.astype(np.int64), len(bins) - 2)
        share = at - low
        moved = np.exp(envelope[:, low] * (1 - share) + envelope[:, low + 1] * share)
        liveliness = rng.uniform(0.7, 1.3)
        target = rng.uniform(85, 260)
        melody = np.where(voiced, (np.maximum(pitch, 1.0) / median) ** liveliness * target, 0.0)
        voice = pyworld.synthesize(
            np.ascontiguousarray(melody), np.ascontiguousarray(moved), aperiodicity, RATE_HZ
        )
        yield np.clip(voice, -1, 1).astype(np.float32)


def human_examples(
    chosen: list[Recording],
    pronunciations: dict[str, tuple[str, ...]],
    copies: int,
    seed: int,
) -> Iterator[Example]:
    """Yield each recording (``humans``) and its vocoder copies (``voices``).

    Args:
        chosen: Recordings to use.
        pronunciations: Phones of each word that occurs.
        copies: Vocoder copies.
        seed: Source of chance.
    """
    for index, recording in enumerate(chosen):
        rng = np.random.default_rng([seed, 5, index])
        phones = np.array(
            [PHONE_IDS[phone] for word in recording.text.split() for phone in pronunciations[word]],
            np.int64,
        )
        audio = read_recording(recording)
        yield Example(to_int16(audio), phones, f"humans/{recording.speaker}")
        for voice in other_voices(audio, copies, rng):
            yield Example(to_int16(voice), phones, f"voices/{recording.speaker}")
