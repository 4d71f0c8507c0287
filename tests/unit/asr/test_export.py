"""The exported layers compute what the trained network computes."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="the extra asr-training is not installed")
knf = pytest.importorskip("kaldi_native_fbank", reason="the extra asr-training is not installed")

from asr.synthetic.phones import PHONES  # noqa: E402
from asr.training.features import (  # noqa: E402
    FRAME_BANDS,
    HIGH_HZ,
    LOW_HZ,
    RATE_HZ,
    log_mel,
    mfcc_to_log_mel,
)
from asr.training.kaldi_writer import Layer  # noqa: E402
from asr.training.model_folder import folded_layers  # noqa: E402
from asr.training.network import AcousticNetwork, output_count  # noqa: E402


def _sound(seconds: float) -> NDArray[np.float32]:
    rng = np.random.default_rng(4)
    time = np.arange(int(8000 * seconds)) / 8000
    tone = np.sin(2 * np.pi * (200 + 300 * time) * time) * np.sin(2 * np.pi * 2 * time) ** 2
    sound: NDArray[np.float32] = (0.3 * tone + 0.01 * rng.normal(size=len(time))).astype(np.float32)
    return sound


def _mfcc(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute MFCCs with the options of the model's ``conf/mfcc.conf``."""
    options = knf.MfccOptions()
    options.frame_opts.samp_freq = RATE_HZ
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = options.num_ceps = FRAME_BANDS
    options.mel_opts.low_freq, options.mel_opts.high_freq = LOW_HZ, HIGH_HZ
    options.use_energy = False
    return _computed(knf.OnlineMfcc(options), audio)


def _computed(extractor: Any, audio: NDArray[np.float32]) -> NDArray[np.float32]:
    extractor.accept_waveform(RATE_HZ, (audio * 32768).tolist())
    extractor.input_finished()
    found = [extractor.get_frame(i) for i in range(extractor.num_frames_ready)]
    return np.stack(found).astype(np.float32)


def _run(layers: list[Layer], frames: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute the outputs at every third frame as Kaldi does, edges repeated."""

    @cache
    def at(depth: int, time: int) -> NDArray[np.float64]:
        if depth < 0:
            return frames[np.clip(time, 0, len(frames) - 1)].astype(np.float64)
        layer = layers[depth]
        given = np.concatenate([at(depth - 1, time + offset) for offset in layer.offsets])
        out: NDArray[np.float64] = layer.weights.astype(np.float64) @ given + layer.bias
        if layer.then == "add":
            return out + at(depth - 2, time)
        if layer.then == "relu":
            positive: NDArray[np.float64] = np.maximum(out, 0)
            return positive
        shifted: NDArray[np.float64] = out - np.log(np.exp(out - out.max()).sum()) - out.max()
        return shifted

    times = range(0, len(frames), 3)
    return np.stack([at(len(layers) - 1, time) for time in times])


def test_log_mel_is_what_kaldi_computes() -> None:
    """
    Speech-like sound and digital silence give the energies of Kaldi's own code.
    """
    sound = _sound(0.5)
    sound[1500:2500] = 0
    options = knf.FbankOptions()
    options.frame_opts.samp_freq = RATE_HZ
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = FRAME_BANDS
    options.mel_opts.low_freq, options.mel_opts.high_freq = LOW_HZ, HIGH_HZ
    options.use_energy = False

    wanted = _computed(knf.OnlineFbank(options), sound)

    assert np.allclose(wanted, log_mel(sound), atol=1e-3)
    assert (0, FRAME_BANDS) == log_mel(sound[:199]).shape


def test_mfccs_are_a_linear_map_of_log_mel() -> None:
    """
    The map that the export folds in takes MFCCs back to the bands the network learned on.
    """
    sound = _sound(0.5)

    assert np.allclose(log_mel(sound), _mfcc(sound) @ mfcc_to_log_mel(), atol=1e-3)


def test_folded_layers_equal_the_network() -> None:
    """
    Normalisation, batch norms and features folded: the same log-probabilities, edges included.
    """
    torch.manual_seed(1)
    network = AcousticNetwork(8)
    network.mean += 5.0
    network.scale *= 0.3
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    assert 9 == len(norms)
    for norm in norms:
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.uniform_(norm.bias, -0.3, 0.3)
        torch.nn.init.uniform_(norm.running_mean, -0.2, 0.2)
        torch.nn.init.uniform_(norm.running_var, 0.5, 1.5)
    network.eval()
    sound = _sound(0.12)
    with torch.no_grad():
        wanted = network(torch.from_numpy(log_mel(sound))[None])[0].numpy()

    got = _run(folded_layers(network), _mfcc(sound))

    assert (output_count(len(log_mel(sound))), len(PHONES)) == wanted.shape
    assert wanted.shape == got.shape
    assert np.allclose(wanted, got, atol=2e-3)


def test_blank_cost_changes_the_odds_of_the_blank_alone() -> None:
    """
    The others keep their odds among themselves, the blank loses the cost against all of them.
    """
    torch.manual_seed(1)
    network = AcousticNetwork(8).eval()
    frames = _mfcc(_sound(0.12))

    free, dear = _run(folded_layers(network), frames), _run(folded_layers(network, 1.5), frames)

    assert np.allclose(free[:, 1:] - free[:, 1:2], dear[:, 1:] - dear[:, 1:2], atol=1e-3)
    assert np.allclose(free[:, 0] - free[:, 1] - 1.5, dear[:, 0] - dear[:, 1], atol=1e-3)
