"""espeak-ng callers: which voices speak what, and the same for other languages and for noise."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context

import numpy as np

from asr.synthetic.espeak import speak
from asr.synthetic.phones import GARBAGE, PHONE_IDS
from asr.synthetic.telephone import Surroundings, synthetic_noise
from asr.synthetic.voices import HELD_OUT_VOICES, TRAINING_VOICES
from asr.text import normalise
from asr.training.examples import Example, to_int16


@dataclass(frozen=True, slots=True)
class Said:
    """One utterance for the lexicon: its words and how espeak-ng said them."""

    text: str
    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class _Order:
    index: int
    text: str
    held_out: bool
    language: str = "nl"


def _caller(order: _Order, seed: int) -> tuple[Example, Said]:
    rng = np.random.default_rng([seed, order.index])
    if order.held_out:
        variant = str(rng.choice(HELD_OUT_VOICES))
    else:
        variant = "" if rng.random() < 0.15 else str(rng.choice(TRAINING_VOICES))
    voice = f"{order.language}+{variant}" if variant else order.language
    plain = rng.random() < 0.25
    rate = 175 if plain else int(rng.integers(125, 220))
    pitch = 50 if plain else int(rng.integers(15, 90))
    spoken = speak(order.text, voice, rate, pitch)
    if order.language == "nl":
        phones = [PHONE_IDS[phone] for group in spoken.groups for phone in group]
        source = f"callers/{variant or 'nl'}"
    else:
        phones = [PHONE_IDS[GARBAGE]] * len(order.text.split())
        source = f"foreign/{order.language}"
    example = Example(to_int16(spoken.audio), np.array(phones, np.int64), source)
    return example, Said(normalise(order.text), spoken.groups)


def _in_processes(orders: list[_Order], seed: int) -> Iterator[tuple[Example, Said]]:
    workers = max(1, os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_caller, orders, repeat(seed), chunksize=32)


def callers(
    texts: list[str], seed: int, *, held_out: bool = False
) -> Iterator[tuple[Example, Said]]:
    """Let callers say the texts, one voice, rate and pitch for each."""
    orders = [_Order(index, text, held_out) for index, text in enumerate(texts)]
    return _in_processes(orders, seed)


def foreigners(
    texts: dict[str, list[str]], count: int, seed: int
) -> Iterator[tuple[Example, Said]]:
    """Let callers speak other languages: the words of each language's sentences, remixed.

    Args:
        texts: Sentences for each espeak-ng language.
        count: Utterances in all.
        seed: Source of chance.
    """
    rng = np.random.default_rng([seed, 77])
    orders: list[_Order] = []
    languages = sorted(texts)
    for index in range(count):
        language = languages[index % len(languages)]
        first, second = rng.choice(len(texts[language]), 2)
        head, tail = texts[language][first].split(), texts[language][second].split()
        words = [*head[: rng.integers(2, len(head) + 1)], *tail[rng.integers(0, len(tail)) :]]
        orders.append(_Order(100_000 + index, " ".join(words), False, language))
    return _in_processes(orders, seed)


def noises(count: int, seed: int, surroundings: Surroundings) -> Iterator[Example]:
    """Yield utterances without speech: silence, noise, music, tones. Their label is empty."""
    rng = np.random.default_rng([seed, 78])
    for index in range(count):
        samples = int(rng.uniform(1, 6) * 8000)
        if index % 12 == 0:
            audio = np.zeros(samples, np.float32)
        elif index % 3 == 0 and surroundings.noises:
            noise = surroundings.noises[rng.integers(len(surroundings.noises))]
            start = int(rng.integers(max(1, len(noise) - samples)))
            audio = noise[start : start + samples] * np.float32(rng.uniform(0.05, 1.5))
        else:
            audio = synthetic_noise(samples / 8000, rng)
        yield Example(to_int16(audio), np.zeros(0, np.int64), "noise")


def said_variants(said: list[Said]) -> dict[str, Counter[tuple[str, ...]]]:
    """Count how each word was said within sentences, where words and groups match one to one."""
    counts: dict[str, Counter[tuple[str, ...]]] = {}
    for utterance in said:
        words = utterance.text.split()
        if len(words) == len(utterance.groups):
            for word, group in zip(words, utterance.groups, strict=True):
                counts.setdefault(word, Counter())[group] += 1
    return counts
