"""Small models for sherpa-onnx, made from our own network by the real export.

The network learns a few sentences of espeak-ng by heart, and that noise and music are nothing.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

SENTENCES = (
    "ik wil mijn rijbewijs verlengen",
    "ik heb een vraag over mijn groeipakket",
)
TOKENS = (
    *("<blk>", "▁ik", "▁wil", "▁mijn", "▁rij", "bewijs", "▁verlengen", "▁heb", "▁een", "▁vraag"),
    *("▁over", "▁groei", "pakket"),
)
NETWORK_FILE = "network.pt"
_NEEDED = ("sherpa_onnx", "torch", "onnx", "onnxscript")
_MAKE_SECONDS = 1500
"""Half a minute of work, on a machine where others may work too."""
_STEPS = 320
_RATE = 5e-3
_NO_SPEECH = 5
"""Kinds of sound in which nobody speaks."""
_MOST_REPEATS = 12
_MARGIN = 1.0
"""By so much, as log-probability, an output must be clear. Processors differ in the sixth digit; a
network that learned on another one differs in all digits, and has to have this margin, too."""
Frames: TypeAlias = "NDArray[np.float32]"
Targets: TypeAlias = "NDArray[np.int64]"


@cache
def model_folders() -> dict[str, Path]:
    """Return the folders ``streaming`` and ``offline``; made once for a run of the tests.

    In a process of its own: PyTorch's exporter warns of itself, and leaves threads behind.
    """
    for package in _NEEDED:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install 'wegwijs[sherpa,asr-training]'")
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: apt-get install espeak-ng")
    folder = Path(mkdtemp(prefix="wegwijs-sherpa-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    root = Path(__file__).resolve().parents[3]
    subprocess.run(
        [sys.executable, __file__, str(folder)],
        check=True, timeout=_MAKE_SECONDS, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return {name: folder / name for name in ("streaming", "offline")}


def _make(folder: Path) -> None:
    import torch

    from asr.synthetic.espeak import speak
    from asr.synthetic.phones import PHONES
    from asr.training.features import log_mel
    from asr.training.network import AcousticNetwork, output_count
    from asr.training.onnx_export import export_onnx

    torch.set_num_threads(1)
    torch.manual_seed(7)
    rng = np.random.default_rng(7)
    names = [*TOKENS, *(f"<unused{index}>" for index in range(len(TOKENS), len(PHONES)))]
    spoken = [speak(sentence, "nl", rate=140).audio for sentence in SENTENCES]

    def example(which: int) -> tuple[Frames, Targets]:
        """Frames, and the token that each output should give; every fourth is undisturbed.

        Half of the sentences follow one another, as in the tests that say them for a minute.
        """
        said = [which] if which < len(SENTENCES) else []
        if said and rng.random() < 0.5:
            said = [which, int(rng.integers(len(SENTENCES))), which]
        sounds = [spoken[index].astype(np.float64) for index in said] or [_no_speech(which, rng)]
        is_clean = rng.random() < 0.25
        quiet = [0 if is_clean else int(rng.uniform(0, 4800))]
        pauses = [4000 if is_clean else int(rng.uniform(1000, 6000)) for _ in said[1:]]
        gain = 1.0 if is_clean else rng.uniform(0.6, 1.1)
        parts, begins, at = [], [], 0
        for sound, pause in zip(sounds, [*quiet, *pauses], strict=True):
            parts += [np.zeros(pause), gain * sound]
            begins.append(at + pause)
            at += pause + len(sound)
        audio = np.concatenate([*parts, np.zeros(0 if is_clean else int(rng.uniform(0, 4800)))])
        if not is_clean:
            audio += rng.normal(0, 10 ** rng.uniform(-5, -3.5), len(audio))
        pcm = np.rint(np.clip(audio, -1, 1) * 32767)
        frames = log_mel((pcm / 32768).astype(np.float32))
        targets = np.zeros(output_count(len(frames)), np.int64)
        for index, begin in zip(said, begins, strict=False):
            tokens = _tokens_of(SENTENCES[index])
            for place, token in enumerate(tokens):
                ended = begin + (place + 0.8) / len(tokens) * len(spoken[index])
                targets[int(ended / 240) :][:2] = token
        return frames, targets

    def train(steps: int, rate: float) -> None:
        optimiser = torch.optim.AdamW(network.parameters(), lr=rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
        network.train()
        for step in range(steps):
            chosen = [*range(len(SENTENCES)), len(SENTENCES) + step % _NO_SPEECH]
            batch = [example(which) for which in chosen]
            longest = max(len(frames) for frames, _ in batch)
            padded = [np.pad(f, ((0, longest - len(f)), (0, 0)), "edge") for f, _ in batch]
            outputs = network(torch.from_numpy(np.stack(padded)))
            wanted = [np.pad(targets, (0, outputs.shape[1] - len(targets))) for _, targets in batch]
            loss = torch.nn.functional.nll_loss(
                outputs.flatten(0, 1), torch.from_numpy(np.stack(wanted)).flatten()
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        network.eval()

    def mistakes() -> int:
        wrong = 0
        for which in list(range(len(SENTENCES) + _NO_SPEECH)) * 6:
            frames, targets = example(which)
            with torch.no_grad():
                outputs = network(torch.from_numpy(frames)[None])[0].numpy()
            wrong += not _is_clear(outputs, _tokens_in(targets))
        return wrong

    network = AcousticNetwork(48)
    heard = np.concatenate([example(which)[0] for which in range(len(SENTENCES))])
    network.mean = torch.from_numpy(heard.mean(axis=0))
    network.scale = torch.from_numpy(1 / (heard.std(axis=0) + 0.1))
    train(_STEPS, _RATE)
    for _ in range(_MOST_REPEATS):
        if not mistakes():
            break
        train(_STEPS // 3, _RATE / 2)
    else:
        raise SystemExit(f"the network did not learn its sentences: {mistakes()} unclear examples")
    for name in ("streaming", "offline"):
        export_onnx(network, folder / name, streaming=name == "streaming", tokens=names)
    torch.save({"network": network.state_dict(), "width": network.width}, folder / NETWORK_FILE)


def _tokens_in(outputs: Targets) -> list[int]:
    """Read CTC greedily."""
    changed = np.diff(outputs, prepend=0) != 0
    return [int(token) for token in outputs[changed] if token]


def _is_clear(outputs: NDArray[np.float32], wanted: list[int]) -> bool:
    """Whether the tokens are read right, also where all others are likelier by the margin.

    Args:
        outputs: Log-probabilities of one sound, shape ``(n, tokens)``; blank is token 0.
        wanted: What should be read.
    """
    favoured = outputs.copy()
    for blank in (-_MARGIN, 0.0, _MARGIN):
        favoured[:, 0] = outputs[:, 0] + blank
        if _tokens_in(favoured.argmax(axis=1)) != wanted:
            return False
    ranked = np.sort(outputs[:, 1:], axis=1)
    is_token = ranked[:, -1] > outputs[:, 0]
    return bool(np.all(ranked[is_token, -1] - ranked[is_token, -2] > _MARGIN))


def _tokens_of(sentence: str) -> list[int]:
    left, found = "".join(f"▁{word}" for word in sentence.split()), []
    while left:
        token = max((t for t in TOKENS if left.startswith(t)), key=len)
        found.append(TOKENS.index(token))
        left = left[len(token) :]
    return found


def _no_speech(which: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise, a melody, a clipped hum, a constant offset, or a tone that comes and goes."""
    time = np.arange(16000) / 8000
    match which % _NO_SPEECH:
        case 0:
            return rng.normal(0, 10 ** rng.uniform(-3, -0.5), len(time))
        case 1:
            notes = np.repeat(rng.choice([262, 330, 392, 440, 523], 8), 2000)
            return 0.3 * np.sin(2 * np.pi * notes * time)
        case 2:
            hum = rng.uniform(1, 4) * np.sin(2 * np.pi * 50 * time)
            return np.clip(hum + rng.normal(0, 0.01, len(time)), -1, 1)
        case 3:
            return np.full(len(time), rng.uniform(-0.5, 0.5))
    gate = np.sin(2 * np.pi * rng.uniform(2, 4) * time) > -0.3
    tone = np.sin(2 * np.pi * rng.uniform(100, 200) * time) + 0.5 * np.sin(2 * np.pi * 1200 * time)
    return gate * rng.uniform(0.05, 0.2) * (tone + 0.2 * rng.normal(size=len(time)))


if __name__ == "__main__":
    _make(Path(sys.argv[1]))
