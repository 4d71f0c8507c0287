"""The vosk folder: the network in Kaldi's form, the graphs, the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from asr.synthetic.phones import BLANK, PHONE_IDS, PHONES
from asr.training.features import FRAME_BANDS, HIGH_HZ, LOW_HZ, RATE_HZ, mfcc_to_log_mel
from asr.training.kaldi_writer import Layer, acoustic_model
from asr.training.network import (
    BLOCK_OFFSETS,
    FIRST_OFFSETS,
    FLOOR,
    SUBSAMPLING,
    AcousticNetwork,
    Block,
)

BLANK_COST = 2.0
"""Nats that the blank's logit loses before the decoder sees it.

A network in doubt says the blank, and words go missing: of voices never heard and of noisy lines
most errors were deletions and hardly any insertions. Chosen on the development sets, where 1.5
and 2.5 did as well and 0 and 3.5 worse.
"""

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
--phone-determinize=false
--determinize-max-delay={determinize_delay}
--determinize-min-chunk-size={determinize_chunk}
--endpoint.silence-phones=1
--endpoint.rule1.min-trailing-silence=60
--endpoint.rule2.min-trailing-silence=60
--endpoint.rule3.min-trailing-silence=60
--endpoint.rule4.min-trailing-silence=60
--endpoint.rule5.min-utterance-length=90
"""


def folded_layers(network: AcousticNetwork, blank_cost: float = 0.0) -> list[Layer]:
    """Fold normalisation, batch norms and the map from MFCC into plain affine layers.

    Args:
        network: The trained network.
        blank_cost: Taken from the blank's logit.
    """
    mean, scale = (_array(values) for values in (network.mean, network.scale))
    layers = [
        # log_mel = mfcc @ M
        _layer(scale[:, None] * mfcc_to_log_mel().T, FLOOR - mean * scale, (0,), "relu", False)
    ]
    weights, bias = _after(network.first_norm, _array(network.first.weight))
    layers.append(_layer(weights, bias, FIRST_OFFSETS, "relu"))
    for block, block_offsets in zip(network.blocks, BLOCK_OFFSETS, strict=True):
        learned = cast(Block, block)
        weights, bias = _after(learned.norm, _array(learned.inner.weight))
        layers.append(_layer(weights, bias, tuple(SUBSAMPLING * at for at in block_offsets)))
        outer = learned.outer
        layers.append(_layer(_array(outer.weight), _array(outer.bias), (0,), "add"))
    gain, shift = _gain_and_shift(network.last_norm)
    weights = _array(network.output.weight)
    bias = _array(network.output.bias) + weights @ shift
    bias[PHONE_IDS[BLANK]] -= blank_cost
    layers.append(_layer(weights * gain, bias, (0,), "log-softmax", False))
    return layers


def _array(values: torch.Tensor) -> NDArray[np.float64]:
    return np.asarray(values.detach().double().numpy(), np.float64)


def _gain_and_shift(norm: torch.nn.BatchNorm1d) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    learned = {name: _array(values) for name, values in norm.state_dict().items()}
    gain = learned["weight"] / np.sqrt(learned["running_var"] + norm.eps)
    return gain, learned["bias"] - learned["running_mean"] * gain


def _after(
    norm: torch.nn.BatchNorm1d, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights and bias of a linear layer and the batch norm behind it."""
    gain, shift = _gain_and_shift(norm)
    return weights * gain[:, None], shift


def _layer(
    weights: NDArray[np.float64],
    bias: NDArray[np.float64],
    offsets: tuple[int, ...],
    then: str = "relu",
    compress: bool = True,
) -> Layer:
    return Layer(weights.astype(np.float32), bias.astype(np.float32), offsets, then, compress)


def write_acoustics(network: AcousticNetwork, model_dir: Path) -> None:
    """Write ``am/final.mdl`` and ``graph/phones.txt``."""
    (model_dir / "am").mkdir(parents=True, exist_ok=True)
    (model_dir / "graph").mkdir(exist_ok=True)
    model = acoustic_model(folded_layers(network, BLANK_COST), FRAME_BANDS)
    (model_dir / "am" / "final.mdl").write_bytes(model)
    phones = "".join(f"{phone} {index}\n" for index, phone in enumerate(PHONES, 1))
    (model_dir / "graph" / "phones.txt").write_text("<eps> 0\n" + phones, encoding="utf-8")


def write_configuration(
    model_dir: Path,
    *,
    beam: float = 10.0,
    lattice_beam: float = 2.0,
    max_active: int = 1800,
    acoustic_scale: float = 0.75,
    determinize_delay: int = 30,
    determinize_chunk: int = 15,
) -> None:
    """Write ``conf`` with the decoder's limits.

    The lattice is made deterministic while the caller speaks. Doing that seldom and without phones
    is most of what a final costs; words of partials have their confidences once it was done.

    Args:
        model_dir: Folder of the model.
        beam: Paths that cost so much more than the best are dropped; costs are negated natural
            logarithms of probabilities, the acoustic ones times ``acoustic_scale``.
        lattice_beam: Likewise, for what stays in the lattice of alternatives.
        max_active: States of the graph that are followed at once.
        acoustic_scale: Weight of the sound against that of the words.
        determinize_delay: Most steps of the decoder, 30 ms each, that the lattice lags behind.
        determinize_chunk: Fewest such steps that are made deterministic at once.
    """
    (model_dir / "conf").mkdir(parents=True, exist_ok=True)
    (model_dir / "conf" / "mfcc.conf").write_text(_MFCC_CONF, encoding="ascii")
    conf = _MODEL_CONF.format(
        beam=beam,
        lattice_beam=lattice_beam,
        max_active=max_active,
        acoustic_scale=acoustic_scale,
        determinize_delay=determinize_delay,
        determinize_chunk=determinize_chunk,
    )
    (model_dir / "conf" / "model.conf").write_text(conf, encoding="ascii")


def write_words(model_dir: Path, word_ids: dict[str, int]) -> None:
    """Write ``graph/words.txt``, and the empty list of marks that vosk asks for."""
    lines = [f"{word} {index}\n" for word, index in sorted(word_ids.items(), key=lambda i: i[1])]
    graph = model_dir / "graph"
    (graph / "words.txt").write_text("<eps> 0\n" + "".join(lines), encoding="utf-8")
    # All marks are epsilon already; vosk wants the file, and a number that no arc carries.
    (graph / "disambig_tid.int").write_text(f"{2 * len(PHONES) + 1000}\n", encoding="ascii")
