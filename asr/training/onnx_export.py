"""The acoustic network as an ONNX model that sherpa-onnx loads.

Two forms of one network, both of CTC, read greedily:

- ``streaming``: the form of T-one. The graph takes 300 ms of 8000 Hz samples and its own memory,
  and computes the features itself, so that they are those of training to the last bit that matters.
- otherwise ``tdnn``: the graph takes the log-mel frames of a whole recording, which sherpa-onnx
  computes with the options that stand in the model's metadata.

``python -m asr.training.onnx_export NETWORK FOLDER`` exports a trained network. Its tokens are
phones, so what comes out are phones too: words need the lexicon, which only the vosk model has.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from asr.model_files.files import write_checksums
from asr.synthetic.phones import PHONES
from asr.training.features import (
    FFT_SAMPLES,
    FRAME_BANDS,
    FRAME_SAMPLES,
    HIGH_HZ,
    LEAST_ENERGY,
    LOW_HZ,
    PREEMPHASIS,
    RATE_HZ,
    STEP_SAMPLES,
    mel_bank,
    povey_window,
)
from asr.training.network import SUBSAMPLING, AcousticNetwork, left_context, right_context

MODEL_FILE = "model.onnx"
TOKENS_FILE = "tokens.txt"
CHUNK_FRAMES = 30
"""10 ms frames that a streaming model takes at once; sherpa-onnx fixes 300 ms for this form."""
_FULL_SCALE = 32767
"""What sherpa-onnx multiplies samples of ±1 with before a streaming graph gets them."""
_NEVER = -1e4
_OPSET = 18


def export_onnx(
    network: AcousticNetwork,
    folder: Path,
    *,
    streaming: bool,
    tokens: Sequence[str] = PHONES,
) -> Path:
    """Write ``model.onnx``, ``tokens.txt`` and checksums.

    Args:
        network: The trained network.
        folder: Made when it is not there.
        streaming: The form of T-one instead of that of an offline TDNN.
        tokens: What each output of the network stands for; the first is CTC's blank. A token
            that begins with ``▁`` begins a word.

    Returns:
        The model's path.

    Raises:
        ValueError: There are not as many tokens as outputs.
    """
    if len(tokens) != len(PHONES):
        raise ValueError(f"{len(tokens)} tokens for {len(PHONES)} outputs")
    network = network.eval()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / MODEL_FILE
    if streaming:
        _write_streaming(network, target)
    else:
        _write_offline(network, target)
    lines = (f"{token} {index}\n" for index, token in enumerate(tokens))
    (folder / TOKENS_FILE).write_text("".join(lines), encoding="utf-8")
    write_checksums(folder)
    return target


def _write_streaming(network: AcousticNetwork, target: Path) -> None:
    graph = StreamingGraph(network).eval()
    samples = torch.zeros(1, CHUNK_FRAMES * STEP_SAMPLES, 1, dtype=torch.int32)
    state = torch.zeros(1, graph.state_size, dtype=torch.float16)
    _write(graph, (samples, state), ["samples", "state"], ["log_probs", "next_state"], target)
    _describe(
        target,
        {
            "model_type": "t-one",
            "frame_length_ms": CHUNK_FRAMES * 10,
            "state_dim": graph.state_size,
            "sample_rate": RATE_HZ,
            "delay_ms": graph.delay_frames * 10,
        },
    )


def _write_offline(network: AcousticNetwork, target: Path) -> None:
    frames = torch.zeros(1, 100, FRAME_BANDS)
    _write(network, (frames,), ["frames"], ["log_probs"], target, dynamic=True)
    _describe(
        target,
        {
            "model_type": "tdnn",
            "vocab_size": len(PHONES),
            "sample_rate": RATE_HZ,
            "feature_dim": FRAME_BANDS,
            "low_freq": LOW_HZ,
            "high_freq": HIGH_HZ,
            "normalize_samples": 0,
            "snip_edges": 1,
            "subsampling_factor": SUBSAMPLING,
        },
    )


class LogMel(nn.Module):
    """Samples to log-mel frames, as :func:`asr.training.features.log_mel` computes them."""

    def __init__(self) -> None:
        super().__init__()
        centred = np.eye(FRAME_SAMPLES) - 1.0 / FRAME_SAMPLES
        raised = np.eye(FRAME_SAMPLES) - PREEMPHASIS * np.eye(FRAME_SAMPLES, k=-1)
        raised[0, 0] = 1.0 - PREEMPHASIS
        spectrum = np.fft.rfft(np.diag(povey_window()) @ raised @ centred, FFT_SAMPLES, axis=0)[
            : FFT_SAMPLES // 2
        ]
        parts = np.concatenate([spectrum.real, spectrum.imag])[:, None]
        self.kernel: Tensor
        self.bank: Tensor
        self.register_buffer("kernel", torch.from_numpy(parts.astype(np.float32)))
        self.register_buffer("bank", torch.from_numpy(mel_bank()))

    def forward(self, samples: Tensor) -> Tensor:
        """Take shape ``(batch, n)``, full scale 32768; return ``(batch, frames, 40)``."""
        parts = nn.functional.conv1d(samples[:, None], self.kernel, stride=STEP_SAMPLES)
        real, imaginary = parts.split(FFT_SAMPLES // 2, dim=1)
        energies = (real * real + imaginary * imaginary).transpose(1, 2) @ self.bank
        return energies.clamp(min=LEAST_ENERGY).log()


class StreamingGraph(nn.Module):
    """The network with a memory: 300 ms in, ten outputs that are those of the whole recording.

    The memory is float16, as sherpa-onnx wants it, so a sample is kept in two parts of 8 bits; its
    last number counts the frames heard, up to the memory's length. Outputs come ``delay_frames``
    late, because the network looks ahead; what would stand before the first frame is blank.

    Args:
        network: The trained network, for evaluation.
    """

    def __init__(self, network: AcousticNetwork) -> None:
        super().__init__()
        self.network = network
        self.log_mel = LogMel()
        self.delay_frames = ceil(right_context() / SUBSAMPLING) * SUBSAMPLING
        self._left = ceil(left_context() / SUBSAMPLING) * SUBSAMPLING
        self._memory_frames = self.delay_frames + self._left
        self._memory_samples = self._memory_frames * STEP_SAMPLES
        self.state_size = 2 * self._memory_samples + 1
        self.blank: Tensor
        blank = torch.full((1, 1, len(PHONES)), _NEVER)
        blank[..., 0] = 0.0
        self.register_buffer("blank", blank)

    def forward(self, samples: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return ten outputs and the next memory.

        Args:
            samples: Shape ``(1, 2400, 1)``, int32, full scale 32767.
            state: Shape ``(1, state_size)``, float16, all zeros at first.

        Returns:
            Shapes ``(1, 10, phones)``, float32, and ``(1, state_size)``, float16.
        """
        kept = self._memory_samples
        high, low = state[:, :kept].float(), state[:, kept : 2 * kept].float()
        heard_frames = state[:, -1:].float()
        whole = torch.cat([high * 256.0 + low, samples[:, :, 0].float()], dim=1)
        frames = self.log_mel(whole * ((_FULL_SCALE + 1) / _FULL_SCALE))
        first = self._memory_frames - heard_frames
        places = torch.arange(frames.shape[1], dtype=torch.float32)[None]
        begun = places >= first
        at_first = (places == first).float()
        edge = (frames * at_first[..., None]).sum(dim=1, keepdim=True)
        frames = torch.where(begun[..., None], frames, edge)
        count = CHUNK_FRAMES // SUBSAMPLING
        begin = self._left // SUBSAMPLING
        outputs = self.network(frames)[:, begin : begin + count]
        times = torch.arange(count, dtype=torch.float32)[None] * SUBSAMPLING + self._left
        outputs = torch.where((times >= first)[..., None], outputs, self.blank)
        memory = whole[:, -kept:]
        upper = torch.floor(memory / 256.0)
        heard_frames = (heard_frames + CHUNK_FRAMES).clamp(max=float(self._memory_frames))
        following = torch.cat([upper, memory - upper * 256.0, heard_frames], dim=1)
        return outputs, following.half()


def _write(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    input_names: list[str],
    output_names: list[str],
    target: Path,
    *,
    dynamic: bool = False,
) -> None:
    shapes = ({1: torch.export.Dim("t", min=2)},) if dynamic else None
    # The exporter warns of deprecated parts that it uses itself.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            inputs,
            target,
            input_names=input_names,
            output_names=output_names,
            opset_version=_OPSET,
            dynamic_shapes=shapes,
            dynamo=True,
            optimize=False,
            external_data=False,
            verbose=False,
        )


def _describe(target: Path, facts: dict[str, object]) -> None:
    """Write the metadata by which sherpa-onnx and our engine know the model."""
    model = onnx.load(str(target))
    onnx.helper.set_model_props(model, {key: str(value) for key, value in facts.items()})
    onnx.save(model, str(target))


def main(arguments: list[str] | None = None) -> int:
    """Export a network that ``python -m asr.training train`` wrote."""
    from asr.training.train import load_network

    parser = argparse.ArgumentParser(prog="python -m asr.training.onnx_export")
    parser.add_argument("network", type=Path, help="network.pt in the work folder of the training")
    parser.add_argument("folder", type=Path, help="folder to write")
    parser.add_argument("--offline", action="store_true", help="the form that is not streaming")
    options = parser.parse_args(arguments)
    if not options.network.is_file():
        print(
            f"{options.network}: there is no network; make one with: python -m asr.training train",
            file=sys.stderr,
        )
        return 1
    print(export_onnx(load_network(options.network), options.folder, streaming=not options.offline))
    return 0


if __name__ == "__main__":
    sys.exit(main())
