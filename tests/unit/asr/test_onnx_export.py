"""The exported graphs compute what the trained network computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="the extra asr-training is not installed")
pytest.importorskip("onnx", reason="the extra asr-training is not installed")

from asr.training.features import log_mel  # noqa: E402
from asr.training.network import AcousticNetwork  # noqa: E402
from asr.training.onnx_export import LogMel, StreamingGraph, export_onnx  # noqa: E402

CHUNK_SAMPLES = 2400


def _pcm(seconds: float) -> NDArray[np.int16]:
    rng = np.random.default_rng(5)
    time = np.arange(int(8000 * seconds)) / 8000
    tone = np.sin(2 * np.pi * (200 + 300 * time) * time) * np.sin(2 * np.pi * 2 * time) ** 2
    return np.rint(12000 * tone + 300 * rng.normal(size=len(time))).astype(np.int16)


def _network() -> AcousticNetwork:
    torch.manual_seed(2)
    network = AcousticNetwork(12)
    network.mean += 8.0
    network.scale *= 0.3
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


def test_features_in_the_graph_are_those_of_training() -> None:
    """
    Sound, clipping and digital silence give the same log-mel energies.
    """
    pcm = _pcm(0.6)
    pcm[1000:2000] = 0
    pcm[2000:2400] = np.where(np.arange(400) % 40 < 20, 32767, -32768)
    wanted = log_mel(pcm.astype(np.float32) / np.float32(32768))

    got = LogMel()(torch.from_numpy(pcm.astype(np.float32))[None])[0].numpy()

    assert wanted.shape == got.shape
    assert np.allclose(wanted, got, atol=2e-3)


def test_streaming_gives_what_the_whole_recording_gives() -> None:
    """
    Chunk after chunk through the memory, the outputs are those of the network over everything, late
    by the delay and blank before the first frame.
    """
    pcm = _pcm(1.5)
    network = _network()
    graph = StreamingGraph(network).eval()
    late = graph.delay_frames // 3
    state = torch.zeros(1, graph.state_size, dtype=torch.float16)
    pieces = []
    with torch.no_grad():
        wanted = network(
            torch.from_numpy(log_mel(pcm.astype(np.float32) / np.float32(32768)))[None]
        )[0].numpy()
        for start in range(0, len(pcm), CHUNK_SAMPLES):
            # sherpa-onnx hands over samples of full scale 32767.
            samples = np.trunc(pcm[start : start + CHUNK_SAMPLES] / 32768 * 32767).astype(np.int32)
            outputs, state = graph(torch.from_numpy(samples)[None, :, None], state)
            pieces.append(outputs[0].numpy())
    got = np.concatenate(pieces)

    assert (got[:late].argmax(axis=1) == 0).all()
    count = len(got) - late
    assert 40 <= count
    assert np.allclose(np.exp(wanted[:count]), np.exp(got[late:]), atol=0.02)


def test_tokens_must_fit_the_outputs(tmp_path: Path) -> None:
    """
    A list of tokens of another length is refused before anything is written.
    """
    with pytest.raises(ValueError, match="3 tokens for"):
        export_onnx(_network(), tmp_path / "model", streaming=True, tokens=("<blk>", "a", "b"))

    assert not (tmp_path / "model").exists()
