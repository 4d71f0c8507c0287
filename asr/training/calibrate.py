"""The step that makes confidences mean what they say, in a process without OpenFst or torch.

The decoder's confidence and the cost of its path are fitted, by logistic regression, to the share
of words that were right: for callers with voices kept from training, over clean and bad lines, for
people, and for other languages, where nothing is right.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.confidence import Calibration, PartialCalibration, log_odds
from asr.engines.vosk_recogniser import CALIBRATION_FILE, VoskEngine
from asr.evaluate import Item, callers_of, recognise, recordings_of
from asr.evaluate.measure import Judged
from asr.synthetic.sentences import UTTERANCES, foreign_texts, utterance_rows
from asr.synthetic.voices import HELD_OUT_VOICES

_NEWEST = 1e-9
"""Marks words that the decoder has no confidence for yet; it gives none so small."""


@dataclass(frozen=True)
class _Recorder(Calibration):
    """Changes nothing and remembers what it was asked."""

    asked: list[tuple[float, float]] = field(default_factory=list)

    def apply(self, confidence: float, cost_per_letter: float) -> float:
        """Return the confidence as it is."""
        self.asked.append((log_odds(confidence), cost_per_letter))
        return confidence


class _Unchanged(PartialCalibration):
    """Changes nothing."""

    def apply(self, confidence: float) -> float:
        """Return the confidence as it is."""
        return confidence


def _items(data_dir: Path, count: int, seed: int) -> Iterator[Item]:
    rng = np.random.default_rng([seed, 21])
    sentences = rng.permutation(utterance_rows(UTTERANCES))[: 2 * count].tolist()
    voices = [f"nl+{voice}" for voice in HELD_OUT_VOICES]
    yield from callers_of(sentences[:count], voices, "clean", seed + 21)
    yield from callers_of(sentences[count:], voices, "noisy", seed + 22)
    if (data_dir / "speech").is_dir():
        yield from islice(recordings_of(data_dir / "speech", "dev"), count)
    for language, texts in sorted(foreign_texts().items()):
        chosen = rng.permutation(texts)[: max(1, count // 10)].tolist()
        for item in callers_of(chosen, [language], "clean", seed + 23):
            yield replace(item, said="")


def fit(
    features: NDArray[np.float64], shares: NDArray[np.float64], *, penalty: float = 0.05
) -> NDArray[np.float64]:
    """Fit a logistic function to shares by Newton's method.

    Args:
        features: Shape ``(n, k)``; a column of ones is added in front.
        shares: Shape ``(n,)``, 0..1.
        penalty: On squared weights, not on the bias.

    Returns:
        Shape ``(k + 1,)``: bias and weights.
    """
    x = np.column_stack([np.ones(len(features)), features])
    weights: NDArray[np.float64] = np.zeros(x.shape[1])
    damping = np.diag([1e-6, *[penalty] * features.shape[1]])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (shares - p) - damping @ weights
        curvature = (x * (p * (1 - p))[:, None]).T @ x + damping
        weights = weights + np.linalg.solve(curvature, gradient)
    return weights


def _fit_partials(words: list[Judged], newest: list[float]) -> PartialCalibration:
    """Fit what words of unfinished speech are worth; without any, they are worth what they say."""
    found = PartialCalibration()
    if words:
        odds = np.array([[log_odds(word.confidence)] for word in words])
        bias, weight = (float(w) for w in fit(odds, np.array([word.right for word in words])))
        found = replace(found, bias=round(bias, 4), confidence=round(max(weight, 0.0), 4))
    if newest:
        found = replace(found, newest=round(float(np.mean(newest)), 4))
    return found


def calibrate(model_dir: Path, data_dir: Path, count: int, seed: int) -> Calibration:
    """Fit a model's calibration and write it into its folder."""
    target = model_dir / CALIBRATION_FILE
    target.unlink(missing_ok=True)
    (model_dir / "checksums.sha256").unlink(missing_ok=True)
    engine = VoskEngine(model_dir)
    # Words that have no confidence yet are told by one that no decoder gives.
    recorder = _Recorder(0.0, 1.0, 0.0, _Unchanged(newest=_NEWEST))
    engine.calibration = recorder
    rows: list[tuple[float, float]] = []
    shares: list[float] = []
    fallbacks: list[float] = []
    partial_words: list[Judged] = []
    for item in _items(data_dir, count, seed):
        recorder.asked.clear()
        outcome = recognise(engine, item)
        partial_words.extend(outcome.partial_words)
        if outcome.is_fallback:
            fallbacks.append(outcome.right_share)
        if recorder.asked:
            rows.append(recorder.asked[0])
            shares.append(outcome.right_share)
    engine.close()
    bias, confidence, cost = (float(w) for w in fit(np.array(rows), np.array(shares)))
    found = Calibration(
        round(bias, 4),
        round(max(confidence, 0.0), 4),
        round(min(cost, 0.0), 4),
        _fit_partials(
            [word for word in partial_words if word.confidence != _NEWEST],
            [word.right for word in partial_words if word.confidence == _NEWEST],
        ),
        # Rare: as if one more had been half right.
        round((sum(fallbacks) + 0.5) / (len(fallbacks) + 1), 4),
    )
    found.save(target)
    print(f"calibration over {len(rows)} utterances: {found}", flush=True)
    return found


if __name__ == "__main__":
    calibrate(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
