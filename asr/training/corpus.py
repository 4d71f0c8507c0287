"""The step from texts and recordings to training examples."""

from __future__ import annotations

import json
import time
from collections import Counter

import numpy as np

from asr.synthetic.espeak import pronounce
from asr.synthetic.sentences import UTTERANCES, foreign_texts, utterance_rows
from asr.synthetic.telephone import load_surroundings
from asr.training import texts
from asr.training.card import add_facts
from asr.training.examples import Example, save_examples
from asr.training.humans import human_examples, recordings
from asr.training.settings import Settings
from asr.training.voices import Said, callers, foreigners, noises, said_variants

SPOKEN_FILE = "spoken_variants.json"


def caller_texts(settings: Settings) -> list[str]:
    """Choose what the callers say: half everyday sentences, half questions and product names."""
    rng = np.random.default_rng([settings.seed, 1])
    everyday = [text for text in texts.everyday_sentences(settings.data_dir) if 8 < len(text) < 110]
    questions = utterance_rows(UTTERANCES)
    titles = [title for title in texts.product_titles(settings.data_dir) if len(title) < 70]
    wanted = settings.caller_utterances
    domain = [*questions, *rng.permutation(titles)[: wanted // 8].tolist()]
    domain = rng.permutation(domain)[: wanted // 2].tolist()
    rest = rng.permutation(everyday)[: wanted - len(domain)].tolist()
    chosen: list[str] = rng.permutation([*domain, *rest]).tolist()
    return chosen


def held_out_texts(settings: Settings) -> list[str]:
    """Choose sentences for the held-out callers: questions of the split ``test``."""
    rng = np.random.default_rng([settings.seed, 2])
    rows = utterance_rows(UTTERANCES, split="test")
    chosen: list[str] = rng.permutation(rows)[: settings.held_out_utterances].tolist()
    return chosen


def make_callers(settings: Settings) -> None:
    """Write ``callers.npz``, ``held_out.npz`` and how words were said in sentences."""
    said: list[Said] = []
    examples: list[Example] = []
    began = time.monotonic()
    chosen = caller_texts(settings)
    for number, (example, utterance) in enumerate(callers(chosen, settings.seed), 1):
        examples.append(example)
        said.append(utterance)
        if number % 500 == 0:
            left = (time.monotonic() - began) / number * (len(chosen) - number)
            print(f"callers: {number} of {len(chosen)}, {left:.0f} s left", flush=True)
    pairs = foreigners(foreign_texts(), settings.foreign_utterances, settings.seed)
    examples.extend(example for example, _ in pairs)
    surroundings = load_surroundings(settings.data_dir / "noise")
    examples.extend(noises(settings.noise_utterances, settings.seed, surroundings))
    hours = _report(save_examples(settings.work_dir / "callers.npz", examples), examples)
    add_facts(settings.work_dir, caller_hours=hours["callers"])
    variants = {
        word: [[" ".join(phones), count] for phones, count in counts.most_common(4)]
        for word, counts in said_variants(said).items()
    }
    path = settings.work_dir / SPOKEN_FILE
    path.write_text(json.dumps(variants, ensure_ascii=False), encoding="utf-8")
    held_out = callers(held_out_texts(settings), settings.seed + 1, held_out=True)
    save_examples(settings.work_dir / "held_out.npz", (example for example, _ in held_out))


def make_humans(settings: Settings) -> None:
    """Write ``humans.npz`` and ``humans_dev.npz`` from the folder of recordings, if it is there."""
    found = recordings(settings.data_dir / "speech")
    if not found:
        add_facts(settings.work_dir, human_hours=0.0, voice_hours=0.0)
        print(f"humans: no recordings in {settings.data_dir / 'speech'}; the model knows callers")
        return
    words = sorted({word for recording in found for word in recording.text.split()})
    pronunciations = dict(zip(words, pronounce(words), strict=True))
    for split, name, copies in (("train", "humans", settings.vocoder_copies), ("dev", "dev", 0)):
        chosen = [recording for recording in found if recording.split == split]
        examples: list[Example] = []
        began = time.monotonic()
        made = human_examples(chosen, pronunciations, copies, settings.seed)
        for number, example in enumerate(made, 1):
            examples.append(example)
            if number % 500 == 0:
                print(f"humans: {number}, {time.monotonic() - began:.0f} s", flush=True)
        hours = _report(save_examples(settings.work_dir / f"{name}.npz", examples), examples)
        if split == "train":
            add_facts(
                settings.work_dir, human_hours=hours["humans"], voice_hours=hours.get("voices", 0.0)
            )


def _report(count: int, examples: list[Example]) -> dict[str, float]:
    hours: Counter[str] = Counter()
    for example in examples:
        hours[example.kind] += len(example.audio)
    shown = ", ".join(f"{source} {samples / 28_800_000:.2f} h" for source, samples in hours.items())
    print(f"{count} examples: {shown}", flush=True)
    return {source: samples / 28_800_000 for source, samples in hours.items()}
