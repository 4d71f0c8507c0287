"""The acoustic network: a time-delay network over log-mel bands, trained with CTC."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from asr.training.features import FRAME_BANDS
from asr.training.phones import PHONES

FIRST_KERNEL = 5
SUBSAMPLING = 3
HIDDEN_LAYERS = 6
CONTEXT_FRAMES = FIRST_KERNEL // 2 + SUBSAMPLING * HIDDEN_LAYERS
"""Input frames that an output sees on either side: 20, so 200 ms."""


class AcousticNetwork(nn.Module):
    """Log-mel frames to phone log-probabilities, one output for three frames (30 ms).

    Batch normalisation comes after the rectifier, so that export can fold it into the next layer.
    Edges are padded by repeating the first and last frame, as Kaldi does when it decodes.

    Args:
        width: Channels of the hidden layers.
        dropout: Share of channels dropped in training.
    """

    def __init__(self, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.width = width
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(FRAME_BANDS))
        self.register_buffer("scale", torch.ones(FRAME_BANDS))
        first = nn.Conv1d(FRAME_BANDS, width, FIRST_KERNEL, stride=SUBSAMPLING)
        hidden = [nn.Conv1d(width, width, 3) for _ in range(HIDDEN_LAYERS)]
        self.layers = nn.ModuleList([first, *hidden])
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(HIDDEN_LAYERS + 1))
        self.drop = nn.Dropout(dropout)
        self.output = nn.Conv1d(width, len(PHONES), 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Return log-probabilities.

        Args:
            frames: Shape ``(batch, t, 40)``, log-mel.

        Returns:
            Shape ``(batch, ceil(t / 3), phones)``, float32.
        """
        x = ((frames - self.mean) * self.scale).transpose(1, 2)
        x = nn.functional.pad(x, (CONTEXT_FRAMES, CONTEXT_FRAMES), mode="replicate")
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = self.drop(norm(torch.relu(layer(x))))
        logits = self.output(x).float()
        return torch.log_softmax(logits, dim=1).transpose(1, 2)


def output_count(frames: int) -> int:
    """Return how many outputs the network gives for a number of frames."""
    return (frames + SUBSAMPLING - 1) // SUBSAMPLING
