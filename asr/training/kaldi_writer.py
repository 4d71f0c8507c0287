"""Kaldi's binary form of a network: what vosk reads as ``am/final.mdl``.

Matrices may be stored in Kaldi's 8-bit compressed form, a quarter of the size of float32.
Source: kaldi/src/base/io-funcs-inl.h, matrix/compressed-matrix.{h,cc}, hmm/transition-model.cc,
hmm/hmm-topology.cc, nnet3/nnet-nnet.cc, nnet3/am-nnet-simple.cc.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

LEAVE_PROBABILITY = 0.5


@dataclass(frozen=True, slots=True)
class Layer:
    """One affine layer over frames at some offsets.

    Attributes:
        weights: Shape ``(out, len(offsets) * in)``; blocks of inputs in the order of offsets.
        bias: Shape ``(out,)``.
        offsets: In input frames (10 ms).
        then: ``relu``, ``log-softmax``, or ``add``: the input of the layer before is added.
        compress: Store weights in 8 bits.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    offsets: tuple[int, ...]
    then: str
    compress: bool = True


def integer(value: int) -> bytes:
    """Return a 32-bit integer in Kaldi's binary form."""
    return struct.pack("<bi", 4, value)


def real(value: float) -> bytes:
    """Return a 32-bit float in Kaldi's binary form."""
    return struct.pack("<bf", 4, value)


def float_vector(values: NDArray[np.float32]) -> bytes:
    """Return a vector of floats in Kaldi's binary form."""
    return b"FV " + integer(len(values)) + values.astype("<f4").tobytes()


def float_matrix(values: NDArray[np.float32]) -> bytes:
    """Return a matrix of floats in Kaldi's binary form."""
    rows, columns = values.shape
    return b"FM " + integer(rows) + integer(columns) + values.astype("<f4").tobytes()


def compressed_matrix(values: NDArray[np.float32]) -> bytes:
    """Return a matrix in Kaldi's form ``CM``: 8 bits a value, each column with its own scale.

    A column's values are mapped piecewise linearly between its minimum, quartiles and maximum,
    which are stored in 16 bits over the range of the whole matrix.
    """
    rows, columns = values.shape
    low = float(values.min())
    span = max(float(values.max()) - low, 1e-5)
    ordered = np.sort(values, axis=0)
    quarter = rows // 4
    marks = np.stack([ordered[0], ordered[quarter], ordered[3 * quarter], ordered[-1]])
    codes = np.rint((marks - low) / span * 65535).clip(0, 65535).astype(np.int64)
    # Kaldi wants the four marks of a column to rise strictly.
    for place, room in ((0, 3), (1, 2), (2, 1), (3, 0)):
        least = codes[place - 1] + 1 if place else np.zeros(columns, np.int64)
        codes[place] = np.clip(codes[place], least, 65535 - room)
    marks = low + codes * (span / 65535)
    p0, p25, p75, p100 = (mark[None, :] for mark in marks)
    coded = np.where(
        values < p25,
        (values - p0) / (p25 - p0) * 64,
        np.where(
            values < p75,
            64 + (values - p25) / (p75 - p25) * 128,
            192 + (values - p75) / (p100 - p75) * 63,
        ),
    )
    octets = np.rint(coded).clip(0, 255).astype(np.uint8)
    header = struct.pack("<ffii", low, span, rows, columns)
    # Stored column by column.
    return (
        b"CM " + header + codes.T.astype("<u2").tobytes() + np.ascontiguousarray(octets.T).tobytes()
    )


def transition_model(phones: int) -> bytes:
    """Return a transition model of one-state phones that all stay or leave alike.

    Args:
        phones: Number of phones; phone p (from 1) has output p - 1, self-loop 2p - 1, exit 2p.
    """
    out = BytesIO()
    out.write(b"<TransitionModel> <Topology> ")
    out.write(integer(phones))
    out.write(b"".join(struct.pack("<i", phone) for phone in range(1, phones + 1)))
    # Phone to entry: -1 for phone 0, which does not exist; all others share entry 0.
    out.write(integer(phones + 1))
    out.write(struct.pack("<i", -1) + struct.pack("<i", 0) * phones)
    out.write(integer(1))  # one entry, of two states
    out.write(integer(2))
    out.write(integer(0) + integer(2))
    out.write(integer(0) + real(LEAVE_PROBABILITY))
    out.write(integer(1) + real(1 - LEAVE_PROBABILITY))
    out.write(integer(-1) + integer(0))
    out.write(b"</Topology> <Triples> ")
    out.write(integer(phones))
    for phone in range(1, phones + 1):
        out.write(integer(phone) + integer(0) + integer(phone - 1))
    out.write(b"</Triples> <LogProbs> ")
    log_probabilities = np.full(2 * phones + 1, np.log(LEAVE_PROBABILITY), np.float32)
    log_probabilities[0] = 0.0
    out.write(float_vector(log_probabilities))
    out.write(b"</LogProbs> </TransitionModel> ")
    return out.getvalue()


def _nonlinear(kind: str, size: int) -> bytes:
    """Return a component without weights, with its empty training statistics."""
    empty = float_vector(np.zeros(0, np.float32))
    return (
        f"<{kind}> <Dim> ".encode()
        + integer(size)
        + b"<ValueAvg> " + empty + b"<DerivAvg> " + empty
        + b"<Count> " + struct.pack("<bd", 8, 0.0)
        + b"<OderivRms> " + empty
        + b"<OderivCount> " + struct.pack("<bd", 8, 0.0)
        + b"<NumDimsSelfRepaired> " + struct.pack("<bd", 8, 0.0)
        + b"<NumDimsProcessed> " + struct.pack("<bd", 8, 0.0)
        + f"</{kind}> ".encode()
    )  # fmt: skip


def _passing(size: int) -> bytes:
    """Return a component that hands on what it gets: here a sum."""
    return (
        b"<NoOpComponent> <Dim> " + integer(size)
        + b"<BackpropScale> " + real(1.0) + b"</NoOpComponent> "
    )  # fmt: skip


def network(layers: list[Layer], input_size: int) -> bytes:
    """Return the network and its context: the part after the transition model."""
    config = [f"input-node name=input dim={input_size}"]
    components: list[tuple[str, bytes]] = []
    source = before = "input"
    for index, layer in enumerate(layers):
        affine, after = f"l{index}.affine", f"l{index}.{layer.then}"
        inputs = [f"Offset({source}, {at})" if at else source for at in layer.offsets]
        descriptor = f"Append({', '.join(inputs)})" if len(inputs) > 1 else inputs[0]
        config.append(f"component-node name={affine} component={affine} input={descriptor}")
        store = compressed_matrix if layer.compress else float_matrix
        body = b"<FixedAffineComponent> <LinearParams> " + store(layer.weights)
        body += b"<BiasParams> " + float_vector(layer.bias) + b"</FixedAffineComponent> "
        components.append((affine, body))
        size = len(layer.bias)
        if layer.then == "add":
            taken, made = f"Sum({before}, {affine})", _passing(size)
        else:
            kind = "RectifiedLinearComponent" if layer.then == "relu" else "LogSoftmaxComponent"
            taken, made = affine, _nonlinear(kind, size)
        config.append(f"component-node name={after} component={after} input={taken}")
        components.append((after, made))
        before, source = source, after
    config.append(f"output-node name=output input={source} objective=linear")
    left = -sum(min(layer.offsets) for layer in layers)
    right = sum(max(layer.offsets) for layer in layers)
    out = BytesIO()
    out.write(b"<Nnet3> \n" + "\n".join(config).encode() + b"\n\n")
    out.write(b"<NumComponents> " + integer(len(components)))
    for name, body in components:
        out.write(f"<ComponentName> {name} ".encode() + body)
    out.write(b"</Nnet3> <LeftContext> " + integer(left) + b"<RightContext> " + integer(right))
    out.write(b"<Priors> " + float_vector(np.zeros(0, np.float32)))
    return out.getvalue()


def acoustic_model(layers: list[Layer], input_size: int) -> bytes:
    """Return the whole of ``final.mdl``."""
    phones = len(layers[-1].bias)
    return b"\0B" + transition_model(phones) + network(layers, input_size)
