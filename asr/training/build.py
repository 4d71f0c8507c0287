"""The step from texts and a trained network to the vosk folder."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from asr.synthetic.phones import PHONES
from asr.synthetic.sentences import UTTERANCES, utterance_rows
from asr.synthetic.voices import TRAINING_VOICES
from asr.text import normalise, number_in_words
from asr.training import texts
from asr.training.card import add_facts
from asr.training.domain_texts import domain_questions, domain_terms, extra_words
from asr.training.graph import write_language_graph, write_word_graph
from asr.training.language_model import (
    START,
    BackoffModel,
    Source,
    interpolate,
    perplexity,
    unigram_background,
)
from asr.training.lexicon import UNKNOWN_WORD, choose_vocabulary, make_lexicon, read_corrections
from asr.training.model_folder import write_acoustics, write_configuration, write_words
from asr.training.settings import Settings
from asr.training.train import SETTLING_STAGE, load_network, network_file


@dataclass(frozen=True, slots=True)
class Tuning:
    """Numbers of the decoder, chosen on the development sentences.

    Attributes:
        language_scale: Weight of the language model against the network.
        word_cost: Added for each word.
        unknown_phone_cost: Of each phone of an unknown word.
        unknown_cost: Of an unknown word.
        reduced_cost: Of a word of which less is said than the lexicon has.
        domain_share: Of the domain texts in the language model.
        early_words: Words that begin sentences, told with their first phone.
        bigrams: Kept.
        trigrams: Kept.
    """

    language_scale: float = 0.55
    word_cost: float = 0.6
    unknown_phone_cost: float = 3.5
    unknown_cost: float = 6.0
    reduced_cost: float = 1.0
    domain_share: float = 0.6
    early_words: int = 300
    bigrams: int = 134_000
    trigrams: int = 70_000


def _counts(sentences: list[str]) -> Counter[str]:
    return Counter(word for sentence in sentences for word in sentence.split())


def domain_sentences(settings: Settings) -> list[str]:
    """Return the domain texts of the language model, normalised."""
    raw = [
        *utterance_rows(UTTERANCES) * 3,
        *domain_questions(15_000, settings.seed),
        *texts.product_titles(settings.data_dir),
        *texts.product_descriptions(settings.data_dir),
        *(word for line in extra_words() for word in line.split()),
    ]
    return [sentence for text in raw if (sentence := normalise(text))]


def _place_names(settings: Settings) -> list[str]:
    path = settings.data_dir / "text" / "dialogue" / "address_cities.txt"
    if not path.is_file():
        return []
    return [normalise(name) for name in path.read_text(encoding="utf-8").splitlines()]


def language_model(settings: Settings, tuning: Tuning) -> tuple[BackoffModel, list[str]]:
    """Choose the vocabulary and estimate the language model; returns both."""
    domain = domain_sentences(settings)
    everyday = [normalise(text) for text in texts.everyday_sentences(settings.data_dir)]
    subtitles = texts.subtitle_counts(settings.data_dir)
    numbers = [number_in_words(n) for n in (*range(100), *range(100, 2100, 100))]
    must = [
        *(normalise(term) for term in domain_terms()),
        *numbers,
        *(number_in_words(n * 1000) for n in range(2, 13)),
        *read_corrections(),
    ]
    wanted = _counts(domain) + _counts(must)
    vocabulary = choose_vocabulary(
        wanted,
        _counts(everyday) + _counts(_place_names(settings)),
        subtitles,
        texts.dictionary_words(settings.data_dir),
        settings.vocabulary,
    )
    words = {*vocabulary, UNKNOWN_WORD}
    background = unigram_background(
        [(0.35, _counts(domain)), (0.35, _counts(everyday)), (0.28, subtitles)], words
    )
    sources = [
        (tuning.domain_share, Source(domain, words, UNKNOWN_WORD, background)),
        (1 - tuning.domain_share, Source(everyday, words, UNKNOWN_WORD, background)),
    ]
    model = interpolate(sources, words, bigrams=tuning.bigrams, trigrams=tuning.trigrams)
    test = [normalise(text) for text in utterance_rows(UTTERANCES, split="test")]
    outside = [word for sentence in test for word in sentence.split() if word not in words]
    total = sum(len(sentence.split()) for sentence in test) or 1
    print(
        f"language model: {len(words)} words, {model.size()} n-grams; questions of split test: "
        f"perplexity {perplexity(model, test, words):.0f}, "
        f"{100 * len(outside) / total:.2f} % unknown words",
        flush=True,
    )
    return model, vocabulary


def build_graphs(settings: Settings, tuning: Tuning, model_dir: Path) -> None:
    """Write the graphs, the words and the configuration of a model folder."""
    graph_dir = model_dir / "graph"
    graph_dir.mkdir(parents=True, exist_ok=True)
    folder = settings.work_dir / "graph"
    folder.mkdir(parents=True, exist_ok=True)
    model, vocabulary = language_model(settings, tuning)
    lexicon = make_lexicon(vocabulary, settings.work_dir)
    openers = model.probabilities.get((START,), {})
    likeliest = sorted(openers, key=lambda word: (-openers[word], word))
    word_ids = write_word_graph(
        lexicon,
        folder,
        graph_dir,
        early_words=frozenset(likeliest[: tuning.early_words]) - {UNKNOWN_WORD},
        unknown_phone_cost=tuning.unknown_phone_cost,
        unknown_cost=tuning.unknown_cost,
        reduced_cost=tuning.reduced_cost,
    )
    write_language_graph(
        model,
        word_ids,
        folder,
        graph_dir,
        scale=tuning.language_scale,
        word_cost=tuning.word_cost,
    )
    write_words(model_dir, word_ids)
    add_facts(settings.work_dir, words=len(word_ids) - 1, ngrams=model.size())
    write_configuration(model_dir)


def build_model(settings: Settings, tuning: Tuning, model_dir: Path) -> None:
    """Write a whole model folder, anew."""
    if model_dir.is_dir():
        shutil.rmtree(model_dir)
    network = load_network(network_file(settings.work_dir, SETTLING_STAGE))
    write_acoustics(network, model_dir)
    add_facts(
        settings.work_dir,
        weights_m=sum(weights.numel() for weights in network.parameters()) / 1e6,
        width=network.width,
        phones=len(PHONES) - 1,
        voices=len(TRAINING_VOICES) + 1,
    )
    build_graphs(settings, tuning, model_dir)
