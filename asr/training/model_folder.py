"""The vosk folder: the network in Kaldi's form, the graphs, the configuration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from asr.training.features import FRAME_BANDS, HIGH_HZ, LOW_HZ, RATE_HZ, mfcc_to_log_mel
from asr.training.kaldi_writer import Layer, acoustic_model
from asr.training.network import FIRST_KERNEL, SUBSAMPLING, AcousticNetwork
from asr.training.phones import PHONES

_MFCC_CONF = f"""\
--use-energy=false
--num-mel-bins={FRAME_BANDS}
--num-ceps={FRAME_BANDS}
--low-freq={LOW_HZ:g}
--high-freq={HIGH_HZ:g}
--sample-frequency={RATE_HZ}
--dither=0
"""
# Endpointing is the phone service's task: the model's own rules come after any utterance.
_MODEL_CONF = """\
--min-active=200
--max-active={max_active}
--beam={beam}
--lattice-beam={lattice_beam}
--acoustic-scale={acoustic_scale}
--frame-subsampling-factor=3
--frames-per-chunk=12
--determinize-max-delay=12
--determinize-min-chunk-size=6
--endpoint.silence-phones=1
--endpoint.rule1.min-trailing-silence=60
--endpoint.rule2.min-trailing-silence=60
--endpoint.rule3.min-trailing-silence=60
--endpoint.rule4.min-trailing-silence=60
--endpoint.rule5.min-utterance-length=90
"""


def folded_layers(network: AcousticNetwork) -> list[Layer]:
    """Fold normalisation, batch norms and the map from MFCC into plain affine layers."""
    with torch.no_grad():
        mean = network.mean.double().numpy()
        scale = network.scale.double().numpy()
        layers: list[Layer] = []
        # What the layer before multiplies and adds to each of its outputs.
        gain, shift = scale, -mean * scale
        kernel_offsets = tuple(range(-(FIRST_KERNEL // 2), FIRST_KERNEL // 2 + 1))
        for index, (conv, norm) in enumerate(zip(network.layers, network.norms, strict=True)):
            weights, bias = _arrays(conv)
            bias = bias + np.einsum("oik,i->o", weights, shift)
            weights = weights * gain[None, :, None]
            if index == 0:
                # log_mel = mfcc @ M, so w · log_mel = (M w) · mfcc.
                weights = np.einsum("ci,oik->ock", mfcc_to_log_mel(), weights)
            offsets = kernel_offsets if index == 0 else (-SUBSAMPLING, 0, SUBSAMPLING)
            layers.append(_layer(weights, bias, offsets, "relu", compress=index > 0))
            learned = {name: t.double().numpy() for name, t in norm.state_dict().items()}
            gain = learned["weight"] / np.sqrt(learned["running_var"] + torch.nn.BatchNorm1d(1).eps)
            shift = learned["bias"] - learned["running_mean"] * gain
        weights, bias = _arrays(network.output)
        bias = bias + np.einsum("oik,i->o", weights, shift)
        layers.append(_layer(weights * gain[None, :, None], bias, (0,), "log-softmax", False))
    return layers


def _arrays(conv: torch.nn.Module) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    state = conv.state_dict()
    return state["weight"].double().numpy(), state["bias"].double().numpy()


def _layer(
    weights: NDArray[np.float64],
    bias: NDArray[np.float64],
    offsets: tuple[int, ...],
    then: str,
    compress: bool,
) -> Layer:
    """Flatten (out, in, kernel) into Kaldi's (out, kernel × in)."""
    flat = weights.transpose(0, 2, 1).reshape(len(weights), -1)
    return Layer(flat.astype(np.float32), bias.astype(np.float32), offsets, then, compress)


def write_acoustics(network: AcousticNetwork, model_dir: Path) -> None:
    """Write ``am/final.mdl`` and ``graph/phones.txt``."""
    (model_dir / "am").mkdir(parents=True, exist_ok=True)
    (model_dir / "graph").mkdir(exist_ok=True)
    model = acoustic_model(folded_layers(network), FRAME_BANDS)
    (model_dir / "am" / "final.mdl").write_bytes(model)
    phones = "".join(f"{phone} {index}\n" for index, phone in enumerate(PHONES, 1))
    (model_dir / "graph" / "phones.txt").write_text("<eps> 0\n" + phones, encoding="utf-8")


def write_configuration(
    model_dir: Path,
    *,
    beam: float = 10.0,
    lattice_beam: float = 3.5,
    max_active: int = 1800,
    acoustic_scale: float = 1.1,
) -> None:
    """Write ``conf`` with the decoder's limits."""
    (model_dir / "conf").mkdir(parents=True, exist_ok=True)
    (model_dir / "conf" / "mfcc.conf").write_text(_MFCC_CONF, encoding="ascii")
    conf = _MODEL_CONF.format(
        beam=beam, lattice_beam=lattice_beam, max_active=max_active, acoustic_scale=acoustic_scale
    )
    (model_dir / "conf" / "model.conf").write_text(conf, encoding="ascii")


def write_words(model_dir: Path, word_ids: dict[str, int]) -> None:
    """Write ``graph/words.txt``, and the empty list of marks that vosk asks for."""
    lines = [f"{word} {index}\n" for word, index in sorted(word_ids.items(), key=lambda i: i[1])]
    graph = model_dir / "graph"
    (graph / "words.txt").write_text("<eps> 0\n" + "".join(lines), encoding="utf-8")
    # All marks are epsilon already; vosk wants the file, and a number that no arc carries.
    (graph / "disambig_tid.int").write_text(f"{2 * len(PHONES) + 1000}\n", encoding="ascii")
