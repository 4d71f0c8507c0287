"""The acoustic network: residual time-delay blocks over log-mel bands, trained with CTC."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from asr.synthetic.phones import PHONES
from asr.training.features import FRAME_BANDS

SUBSAMPLING = 3
FIRST_OFFSETS = (-2, -1, 0, 1, 2)
"""Input frames (10 ms) that the first layer sees."""
BLOCK_OFFSETS: tuple[tuple[int, ...], ...] = (
    (-1, 0, 1),
    (-1, 0, 1),
    (-2, 0, 1),
    (-2, 0, 1),
    (-3, 0),
    (-3, 0),
    (-6, 0),
)
"""Outputs (30 ms) that each block sees. The past costs no waiting, the future does: 140 ms."""
FLOOR = 2.5
"""Standard deviations below the mean: quieter bands, such as those of a lost packet, count so."""


def left_context() -> int:
    """Return the input frames before its own that an output sees."""
    return -FIRST_OFFSETS[0] - SUBSAMPLING * sum(offsets[0] for offsets in BLOCK_OFFSETS)


def right_context() -> int:
    """Return the input frames after its own that an output sees."""
    return FIRST_OFFSETS[-1] + SUBSAMPLING * sum(offsets[-1] for offsets in BLOCK_OFFSETS)


class Block(nn.Module):
    """Adds to each vector what it and some neighbours say together.

    Batch normalisation stands between a linear layer and the rectifier, so that export can fold it
    into the layer.

    Args:
        width: Channels.
        offsets: Neighbours seen, ascending; 0 is among them.
    """

    def __init__(self, width: int, offsets: tuple[int, ...]) -> None:
        super().__init__()
        self.offsets = offsets
        self.inner = nn.Linear(width * len(offsets), width, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.outer = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Take shape ``(batch, t, width)``; t falls by the span of the offsets."""
        first, last = self.offsets[0], self.offsets[-1]
        count = x.shape[1] - (last - first)
        seen = torch.cat([x[:, at - first : at - first + count] for at in self.offsets], dim=2)
        inner = torch.relu(_normalised(self.norm, self.inner(seen)))
        return cast(Tensor, x[:, -first : count - first] + self.outer(inner))


class AcousticNetwork(nn.Module):
    """Log-mel frames to phone log-probabilities, one output for three frames (30 ms).

    Edges are padded by repeating the first and last frame, as Kaldi does when it decodes.

    Args:
        width: Channels of the hidden layers.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(FRAME_BANDS))
        self.register_buffer("scale", torch.ones(FRAME_BANDS))
        self.first = nn.Linear(FRAME_BANDS * len(FIRST_OFFSETS), width, bias=False)
        self.first_norm = nn.BatchNorm1d(width)
        self.blocks = nn.ModuleList(Block(width, offsets) for offsets in BLOCK_OFFSETS)
        self.last_norm = nn.BatchNorm1d(width)
        self.output = nn.Linear(width, len(PHONES))

    def forward(self, frames: Tensor) -> Tensor:
        """Return log-probabilities.

        Args:
            frames: Shape ``(batch, t, 40)``, log-mel.

        Returns:
            Shape ``(batch, ceil(t / 3), phones)``, float32.
        """
        x = torch.relu((frames - self.mean) * self.scale + FLOOR)
        before = x[:, :1].expand(-1, left_context(), -1)
        # A last output may stand on a frame or two that are not there.
        after = x[:, -1:].expand(-1, right_context() + -x.shape[1] % SUBSAMPLING, -1)
        x = torch.cat([before, x, after], dim=1)
        span = FIRST_OFFSETS[-1] - FIRST_OFFSETS[0] + 1
        windows = x.unfold(1, span, SUBSAMPLING).transpose(2, 3)
        x = torch.relu(_normalised(self.first_norm, self.first(windows.flatten(2))))
        for block in self.blocks:
            x = block(x)
        logits = self.output(_normalised(self.last_norm, x))
        return torch.log_softmax(logits.float(), dim=2)


def _normalised(norm: nn.Module, x: Tensor) -> Tensor:
    return cast(Tensor, norm(x.flatten(0, 1))).view(x.shape)


def output_count(frames: int) -> int:
    """Return how many outputs the network gives for a number of frames."""
    return (frames + SUBSAMPLING - 1) // SUBSAMPLING
