"""What is recognised: recordings of a folder, espeak-ng callers, other languages, no speech."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from asr.audio_files import read_speech
from asr.errors import AsrError
from asr.text import normalise
from asr.transcribe import RATE_HZ

LISTING = "utterances.tsv"
_AUDIO = (".wav", ".flac", ".ogg", ".opus", ".aiff", ".au", ".mp3")


class SpeechFolderError(AsrError):
    """A folder of recordings, or one line of its listing, cannot be used."""

    code: ClassVar[str] = "asr_speech_folder"

    def __init__(self, place: str, reason: str, remedy: str) -> None:
        self.place = place
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{place}: {reason}; {remedy}")


@dataclass(frozen=True, slots=True)
class Item:
    """One utterance to recognise.

    Attributes:
        said: Its words, normalised; empty when no Dutch was spoken.
        condition: For example ``callers, clean`` or ``people (dev)``.
        speaker: Voice or person.
        pcm: Shape ``(n,)``, 8000 Hz.
    """

    said: str = field(repr=False)
    condition: str
    speaker: str
    pcm: NDArray[np.int16] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that is not read yet.

    Attributes:
        place: Where it is listed, for messages: a file and a line.
        path: The recording.
        text: What was said, normalised.
        speaker: Who said it.
        condition: What it is reported under.
        problem: Why it cannot be recognised, whatever the file holds; empty when it can be tried.
    """

    place: str
    path: Path
    text: str = field(repr=False)
    speaker: str
    condition: str
    problem: str = ""

    def item(self) -> Item:
        """Read it.

        Raises:
            SpeechFolderError: It has a problem, or is no readable audio; the place is named.
        """
        if self.problem:
            raise SpeechFolderError(
                self.place, self.problem, "complete the pair or remove the file"
            )
        try:
            return Item(self.text, self.condition, self.speaker, read_speech(self.path, RATE_HZ))
        except AsrError as error:
            raise SpeechFolderError(self.place, str(error), "correct or remove it") from None


def listed_recordings(folder: Path, split: str | None = None) -> list[Recording]:
    """List a folder's recordings: ``utterances.tsv``, or pairs such as ``a.wav`` and ``a.txt``.

    Args:
        folder: With ``utterances.tsv`` (columns file and text, perhaps speaker and split), or with
            recordings that each have a text of the same name; the speaker is then the subfolder.
        split: Only rows of this split, where the listing has that column.

    Raises:
        SpeechFolderError: There is nothing to recognise, or a row has no text or file.
    """
    if not folder.is_dir():
        raise SpeechFolderError(str(folder), "there is no such folder", "check the path")
    listing = folder / LISTING
    return _of_listing(listing, split) if listing.is_file() else _of_pairs(folder)


def _of_listing(listing: Path, split: str | None) -> list[Recording]:
    found: list[Recording] = []
    splits: set[str] = set()
    with listing.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        for column in ("file", "text"):
            if column not in (rows.fieldnames or ()):
                raise SpeechFolderError(
                    f"{listing}:1", f"has no column {column!r}",
                    "write the columns file, text, speaker and split, separated by tabs",
                )  # fmt: skip
        for row in rows:
            place = f"{listing}:{rows.line_num}"
            for column in ("file", "text"):
                if not (row[column] or "").strip():
                    raise SpeechFolderError(place, f"{column!r} is empty", "complete the row")
            said = normalise(row["text"])
            if not said:
                raise SpeechFolderError(place, "the text holds no words", "write what was said")
            of_split = row.get("split") or ""
            splits.add(of_split)
            if split is not None and "split" in (rows.fieldnames or ()) and of_split != split:
                continue
            condition = f"people ({of_split})" if of_split else "people"
            speaker = row.get("speaker") or "unnamed"
            found.append(Recording(place, listing.parent / row["file"], said, speaker, condition))
    if not found:
        known = ", ".join(sorted(name for name in splits if name)) or "none"
        raise SpeechFolderError(
            str(listing), f"has no rows of split {split!r}", f"its splits are: {known}"
        )
    return found


def _of_pairs(folder: Path) -> list[Recording]:
    audio: dict[Path, list[Path]] = {}
    texts: set[Path] = set()
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _AUDIO and path.is_file():
            audio.setdefault(path.with_suffix(""), []).append(path)
        elif path.suffix == ".txt" and path.is_file():
            texts.add(path.with_suffix(""))
    if not texts & audio.keys():
        raise SpeechFolderError(
            str(folder), f"holds neither {LISTING} nor pairs such as a.wav and a.txt",
            "put one of them there",
        )  # fmt: skip
    found: list[Recording] = []
    for name in sorted(texts | audio.keys()):
        within = name.parent.relative_to(folder).as_posix()
        speaker = within if within != "." else "unnamed"
        text_file = name.with_name(f"{name.name}.txt")
        heard = sorted(audio.get(name, ()), key=lambda path: _AUDIO.index(path.suffix.lower()))
        if not heard:
            problem = "there is no recording of the same name"
            found.append(Recording(str(text_file), text_file, "", speaker, "people", problem))
        said = ""
        if name in texts and heard:
            said = normalise(text_file.read_text(encoding="utf-8-sig", errors="replace"))
            if not said:
                raise SpeechFolderError(f"{text_file}:1", "holds no words", "write what was said")
        for place, path in enumerate(heard):
            problem = "" if said else f"there is no text {text_file.name} of what was said"
            if said and place:
                problem = f"{text_file.name} is the text of {heard[0].name} already"
            found.append(Recording(str(path), path, said, speaker, "people", problem))
    return found


def recordings_of(folder: Path, split: str | None) -> Iterator[Item]:
    """Read the recordings of a folder one by one; see :func:`listed_recordings`.

    Raises:
        SpeechFolderError: The listing or a recording cannot be used.
    """
    for recording in listed_recordings(folder, split):
        yield recording.item()


def callers_of(
    sentences: Sequence[str], voices: Sequence[str], condition: str, seed: int
) -> Iterator[Item]:
    """Let espeak-ng callers say sentences over the telephone.

    Args:
        sentences: What they say.
        voices: Taken in turn.
        condition: ``clean`` (A-law) or ``noisy`` (5 % of packets lost and noise at 15 dB as well).
        seed: Source of chance.
    """
    # Here: recordings can be evaluated without espeak-ng and scipy.
    from asr.synthetic.espeak import speak
    from asr.synthetic.telephone import lose_packets, through_codec

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


def held_out_callers(count: int, seed: int) -> Iterator[Item]:
    """Let callers say questions of the split ``test``: a known voice clean, new voices both ways.

    Args:
        count: Questions of each condition.
        seed: Source of chance.
    """
    from asr.synthetic.sentences import UTTERANCES, utterance_rows
    from asr.synthetic.voices import HELD_OUT_VOICES

    rows = utterance_rows(UTTERANCES, split="test")
    sentences: list[str] = np.random.default_rng(seed).permutation(rows)[:count].tolist()
    held_out = [f"nl+{voice}" for voice in HELD_OUT_VOICES]
    yield from callers_of(sentences, ["nl"], "clean", seed)
    for condition in ("clean", "noisy"):
        for item in callers_of(sentences, held_out, condition, seed + 1):
            yield Item(item.said, f"{item.condition}, new voices", item.speaker, item.pcm)


def not_dutch(count: int, seed: int) -> Iterator[Item]:
    """Yield other languages by espeak-ng, and sounds without speech: nothing in them is right.

    Args:
        count: Utterances of each language, and sounds.
        seed: Source of chance.
    """
    from asr.synthetic.sentences import foreign_texts
    from asr.synthetic.telephone import synthetic_noise

    for language, texts in sorted(foreign_texts().items()):
        for item in callers_of(texts[:count], [language], "clean", seed):
            yield Item("", "other languages", language, item.pcm)
    rng = np.random.default_rng(seed)
    for _ in range(count):
        sound = np.clip(synthetic_noise(4.0, rng), -1, 1)
        yield Item("", "no speech", "noise", np.rint(sound * 32767).astype(np.int16))
