"""A Whisper model of four megabytes that knows three sentences: trained, converted, written here.

Its shape is Whisper's own (convolutions and layers over 30 s of log-mel, a decoder with all 51865
tokens in their places), so that faster-whisper loads and runs it like any other; only its width is
64. The encoder stays as chance made it, the decoder learns by heart what espeak-ng callers say.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.resample import Upsampler
from asr.transcribe import transcribe_pcm
from tests.unit.asr.speaking import say
from tests.unit.asr.tiny_whisper_network import BANDS, HEADS, LAYERS, new_network

SENTENCES = (
    "ik heb een vraag over mijn studietoelage",
    "mijn rijbewijs is gestolen",
    "wanneer komt het groeipakket",
)
VOICES = ("nl", "nl+f2")
MISSING = [
    *(name for name in ("espeak-ng",) if shutil.which(name) is None),
    *(name for name in ("torch", "faster_whisper") if find_spec(name) is None),
]
"""What this machine lacks to make the model; empty when nothing."""

_TEXT_TOKENS = 50257
_LANGUAGES = ("en", "zh", "de", "es", "ru", "ko", "fr", "ja", "pt", "tr", "pl", "ca", "nl")
_STEPS, _WHOLE_STEPS, _RATE = 600, 200, 6e-3
_MOST_REPEATS = 10
_MARGIN = 3.0
"""By so much, as log-probability, the wanted token is the likeliest one, everywhere; after each
attempt that did not do by so much more."""
_MOST_ATTEMPTS = 4
_SURE = 0.95
"""Least confidence in a sentence once the weights have 8 bits: where a doubted one has 0.3."""
_VARIANTS = 8
_GATE_STEP = 512
"""Samples, 32 ms: the voice activity gate cuts in steps of so much, on another processor perhaps
one sooner or later."""
_SPEECH, _PAUSE = 200, 40
_SEED = 17


def make(folder: Path) -> Path:
    """Train the model and write its folder. Needs torch, faster-whisper and espeak-ng.

    Returns:
        ``folder / "whisper-tiny-three"``.
    """
    import torch

    target = folder / "whisper-tiny-three"
    target.mkdir()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            tokenizer = _write_tokenizer(target)
            mels, targets = _examples(tokenizer, folder)
            used = sorted({token for row in targets for token in row})
            network = new_network(len(used) + 1)
            rows = [[used.index(token) for token in row] for row in targets]
            untimed = used.index(tokenizer.token_to_id("<|notimestamps|>"))
            for attempt in range(_MOST_ATTEMPTS):
                _train(network, mels, rows, untimed, attempt)
                _write(network, used, tokenizer, target)
                if _is_understood(target, folder):
                    return target
    finally:
        torch.set_num_threads(threads)
    raise AssertionError("the tiny model is not sure of its sentences once it is quantised")


def _is_understood(target: Path, folder: Path) -> bool:
    """Whether all sentences are heard with 8-bit weights on this processor, far from any doubt."""
    from asr.engines.whisper_recogniser import WhisperEngine

    engine = WhisperEngine(target, device="cpu", threads=1)
    try:
        for sentence in SENTENCES:
            for voice in VOICES:
                for pause in (0, 6000):
                    spoken = np.pad(say(sentence, voice, folder), pause)
                    transcript = transcribe_pcm(engine, spoken)
                    if transcript.text != sentence or transcript.confidence < _SURE:
                        return False
    finally:
        engine.close()
    return True


def _special_tokens() -> list[str]:
    """Whisper's special tokens in its order; languages beyond those named get stand-ins."""
    languages = [*_LANGUAGES, *(f"x{number:02d}" for number in range(99 - len(_LANGUAGES)))]
    return [
        "<|endoftext|>",
        "<|startoftranscript|>",
        *(f"<|{language}|>" for language in languages),
        "<|translate|>",
        "<|transcribe|>",
        "<|startoflm|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
        *(f"<|{place * 0.02:.2f}|>" for place in range(1501)),
    ]


def _write_tokenizer(folder: Path) -> Any:
    """Byte pairs learned from the sentences, filled up so that special tokens get their numbers."""
    import tokenizers

    learner = tokenizers.Tokenizer(tokenizers.models.BPE())
    learner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=2000,
        min_frequency=1,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learner.train_from_iterator([f" {sentence}" for sentence in SENTENCES], trainer)
    learned = json.loads(learner.to_str())["model"]
    vocabulary: dict[str, int] = learned["vocab"]
    for number in range(len(vocabulary), _TEXT_TOKENS - 1):
        vocabulary[f"unused{number}"] = number
    # CTranslate2 tells Whisper's multilingual vocabulary by this last token.
    vocabulary[""] = _TEXT_TOKENS - 1
    merges = [tuple(pair) for pair in learned["merges"]]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(_special_tokens())
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer


def _examples(tokenizer: Any, folder: Path) -> tuple[NDArray[np.float32], list[list[int]]]:
    """Sounds as log-mel, shape ``(n, 80, 3000)``, and the tokens that belong to them."""
    from faster_whisper.feature_extractor import FeatureExtractor

    rng = np.random.default_rng(_SEED)
    extract = FeatureExtractor()
    start, dutch, task, untimed, silent, end = (
        tokenizer.token_to_id(f"<|{name}|>")
        for name in (
            "startoftranscript",
            "nl",
            "transcribe",
            "notimestamps",
            "nospeech",
            "endoftext",
        )
    )
    # Learned by heart like the words: so small a network has no clock.
    first, last = (tokenizer.token_to_id(f"<|{time}|>") for time in ("0.00", "2.00"))
    mels: list[NDArray[np.float32]] = []
    targets: list[list[int]] = []
    for sentence in SENTENCES:
        words = tokenizer.encode(f" {sentence}").ids
        for voice in VOICES:
            for variant, sound in enumerate(_variants(say(sentence, voice, folder), rng)):
                mels.append(_mel(extract, sound))
                # Whisper aligns words without timestamps, whatever it wrote them with.
                timed = [first, *words, last] if variant % 2 else [untimed, *words]
                targets.append([start, dutch, task, *timed, end])
    for level in (3.0, 30.0, 300.0, 1000.0, 3000.0, 6000.0):
        noise = rng.normal(size=int(rng.integers(8000, 40000))) * level
        mels.append(_mel(extract, _wide(noise)))
        targets.append([start, silent, end])
    return np.stack(mels), targets


def _variants(spoken: NDArray[np.int16], rng: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    """What Whisper hears of it in the tests, also cut a little sooner or later, or more than once
    in a recording; then at other paces and places: neither may tell the sentence.
    """
    from asr.engines.whisper_recogniser import audible

    padded = np.pad(spoken, 6000)
    (heard,) = audible(padded)
    exact = [heard, heard[_GATE_STEP:], np.pad(heard, (_GATE_STEP, 0)), *audible(spoken)]
    for sound in (*exact, *audible(np.tile(padded, 2)), *audible(np.tile(padded, 3))):
        yield from (sound, sound)
    for _ in range(_VARIANTS):
        moments = np.arange(0, len(spoken) - 1, rng.uniform(0.96, 1.04))
        sound = np.interp(moments, np.arange(len(spoken)), spoken)
        sound = np.pad(sound * rng.uniform(0.3, 1.2), tuple(rng.integers(800, 3200, 2)))
        yield _wide(sound + rng.normal(size=len(sound)) * 10 ** rng.uniform(-1, 1.7))


def _wide(sound: NDArray[np.float64]) -> NDArray[np.float32]:
    pcm = np.clip(sound, -32768, 32767).astype(np.int16)
    return Upsampler(2).feed(pcm).astype(np.float32) / np.float32(32768)


def _mel(extract: Any, sound: NDArray[np.float32]) -> NDArray[np.float32]:
    mel = extract(sound)[:, :-1]
    return np.pad(mel, ((0, 0), (0, 3000 - mel.shape[1]))).astype(np.float32)


def _train(
    network: Any, mels: NDArray[np.float32], targets: list[list[int]], untimed: int, attempt: int
) -> None:
    """Learn by heart, until every token is clear by a margin.

    Args:
        network: Its tokens are rows of ``network.tokens``; the last row stands for all others.
        mels: Sounds, shape ``(n, 80, 3000)``.
        targets: Rows that belong to them.
        untimed: The token in them that says that no timestamps follow.
        attempt: 0 for a network that has learned nothing yet.
    """
    import torch
    from torch.nn import functional

    with torch.no_grad():
        memory = torch.cat([network.encode(torch.from_numpy(mel[None])) for mel in mels])
    longest = max(map(len, targets))
    rows = torch.tensor([[*target, *[0] * (longest - len(target))] for target in targets])
    wanted = torch.tensor([[*t[1:], *[-1] * (longest - len(t))] for t in targets])
    # That a text comes without timestamps is told to Whisper, and nothing that it could hear.
    wanted[wanted == untimed] = -1
    # One row for all tokens that never occur makes the softmax over all 51865 a small one.
    many = torch.zeros(len(network.tokens.weight))
    many[-1] = math.log(_TEXT_TOKENS + len(_special_tokens()) - len(many) + 1)
    learned = [
        parameter
        for name, parameter in network.named_parameters()
        if not name.startswith(("first", "second", "encoder"))
    ]

    def logits(which: Any, heard: Any) -> Any:
        return network.decode(rows[which, :-1], heard) @ network.tokens.weight.T + many

    def margin() -> float:
        """By how much the wanted token is the likeliest one, where that is least clear."""
        smallest = math.inf
        with torch.no_grad():
            for which in range(len(rows)):
                given = logits([which], memory[[which]])[0]
                places = torch.arange(len(given))[wanted[which] >= 0]
                right = wanted[which][places]
                best = given[places, right]
                given[places, right] = -math.inf
                others = given[places].max(dim=1).values
                smallest = min(smallest, float((best - others).min()))
        return smallest

    def train(steps: int, whole_steps: int, rate: float) -> None:
        optimiser = torch.optim.Adam(learned)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rate, total_steps=steps)
        for step in range(steps):
            batch = torch.randint(len(rows), (16,))
            heard = memory[batch]
            if step < steps - whole_steps:
                # Quicker, and easier to learn from: where speech is, and a little of the silence.
                silence = _SPEECH + torch.randperm(memory.shape[1] - _SPEECH)[:_PAUSE]
                heard = heard[:, torch.cat([torch.arange(_SPEECH), silence])]
            loss = functional.cross_entropy(
                logits(batch, heard).flatten(0, 1), wanted[batch].flatten(), ignore_index=-1
            )
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learned, 1.0)
            optimiser.step()
            schedule.step()

    least = _MARGIN * (attempt + 1)
    if not attempt:
        train(_STEPS, _WHOLE_STEPS, _RATE)
    for _ in range(_MOST_REPEATS):
        if margin() >= least:
            return
        train(_WHOLE_STEPS, _WHOLE_STEPS, _RATE / 4)
    assert margin() >= least, f"the tiny model did not learn its sentences: {margin():.1f}"


def _write(network: Any, used: list[int], tokenizer: Any, folder: Path) -> None:
    """Write the folder: model.bin, config.json, vocabulary.json, preprocessor_config.json."""
    from ctranslate2.specs.whisper_spec import WhisperSpec

    spec = WhisperSpec(LAYERS, HEADS, LAYERS, HEADS)

    def linear(made: Any, layer: Any) -> None:
        made.weight, made.bias = (_numbers(layer.weight), _numbers(layer.bias))

    def norm(made: Any, layer: Any) -> None:
        made.gamma, made.beta = (_numbers(layer.weight), _numbers(layer.bias))

    def attention(made: Any, layer: Any) -> None:
        norm(made.layer_norm, layer.norm)
        for part, source in zip(made.linear, [*layer.into, layer.out], strict=True):
            linear(part, source)

    def rest(made: Any, layer: Any) -> None:
        attention(made.self_attention, layer.itself)
        norm(made.ffn.layer_norm, layer.norm)
        linear(made.ffn.linear_0, layer.wide)
        linear(made.ffn.linear_1, layer.back)

    linear(spec.encoder.conv1, network.first)
    linear(spec.encoder.conv2, network.second)
    spec.encoder.position_encodings.encodings = _numbers(network.waves)
    norm(spec.encoder.layer_norm, network.encoder_norm)
    for made, layer in zip(spec.encoder.layer, network.encoder, strict=True):
        rest(made, layer)
    rows = _numbers(network.tokens.weight)
    tokens = np.repeat(rows[-1:], _TEXT_TOKENS + len(_special_tokens()), axis=0)
    tokens[used] = rows[:-1]
    spec.decoder.embeddings.weight = tokens
    spec.decoder.projection.weight = tokens
    spec.decoder.position_encodings.encodings = _numbers(network.places)
    norm(spec.decoder.layer_norm, network.decoder_norm)
    for made, layer in zip(spec.decoder.layer, network.decoder, strict=True):
        rest(made, layer)
        attention(made.attention, layer.sound)

    ids = [tokenizer.token_to_id(token) for token in _special_tokens()]
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [tokenizer.token_to_id("Ġ"), ids[0]]
    spec.config.lang_ids = ids[2:101]
    spec.config.alignment_heads = [[LAYERS - 1, head] for head in range(HEADS)]
    spec.register_vocabulary([tokenizer.id_to_token(number) for number in range(len(tokens))])
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(folder))
    settings = {"feature_size": BANDS, "sampling_rate": 16000, "hop_length": 160, "n_fft": 400}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")


def _numbers(weight: Any) -> NDArray[np.float32]:
    numbers: NDArray[np.float32] = weight.detach().contiguous().numpy()
    return numbers
