"""Whisper's network, 64 wide: convolutions and layers over 30 s of log-mel, and its decoder."""

from __future__ import annotations

import math
from typing import Any

WIDTH, HEADS, LAYERS, BANDS = 64, 2, 2, 80


def new_network(tokens: int) -> Any:
    """Whisper, 64 wide, with so many different tokens."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Attention(nn.Module):
        def __init__(self, *, is_self: bool) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(WIDTH)
            sizes = (3,) if is_self else (1, 2)
            self.into = nn.ModuleList(nn.Linear(WIDTH, size * WIDTH) for size in sizes)
            self.out = nn.Linear(WIDTH, WIDTH)

        def forward(self, x: Any, memory: Any = None, *, causal: bool = False) -> Any:
            y = self.norm(x)
            if memory is None:
                parts = self.into[0](y).chunk(3, -1)
            else:
                parts = (self.into[0](y), *self.into[1](memory).chunk(2, -1))
            q, k, v = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in parts)
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
            return x + self.out(mixed.transpose(1, 2).flatten(2))

    class Layer(nn.Module):
        def __init__(self, *, is_decoder: bool) -> None:
            super().__init__()
            self.itself = Attention(is_self=True)
            self.sound = Attention(is_self=False) if is_decoder else None
            self.norm = nn.LayerNorm(WIDTH)
            self.wide = nn.Linear(WIDTH, 4 * WIDTH)
            self.back = nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x: Any, memory: Any = None) -> Any:
            x = self.itself(x, causal=memory is not None)
            if self.sound is not None:
                x = self.sound(x, memory)
            return x + self.back(functional.gelu(self.wide(self.norm(x))))

    class Whisper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv1d(BANDS, WIDTH, 3, padding=1)
            self.second = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
            self.register_buffer("waves", _sinusoids(1500))
            self.encoder = nn.ModuleList(Layer(is_decoder=False) for _ in range(LAYERS))
            self.encoder_norm = nn.LayerNorm(WIDTH)
            self.tokens = nn.Embedding(tokens, WIDTH)
            self.places = nn.Parameter(0.02 * torch.randn(448, WIDTH))
            self.decoder = nn.ModuleList(Layer(is_decoder=True) for _ in range(LAYERS))
            self.decoder_norm = nn.LayerNorm(WIDTH)
            nn.init.normal_(self.tokens.weight, std=0.1)
            # Sound must not drown in the sinusoids of the positions: nobody trains the encoder.
            for layer in (self.first, self.second):
                nn.init.normal_(layer.weight, std=1.6 / math.sqrt(layer.weight[0].numel()))
                nn.init.zeros_(layer.bias)

        def encode(self, mel: Any) -> Any:
            x = functional.gelu(self.second(functional.gelu(self.first(mel)))).transpose(1, 2)
            x = x + self.waves
            for layer in self.encoder:
                x = layer(x)
            return self.encoder_norm(x)

        def decode(self, tokens: Any, memory: Any) -> Any:
            x = self.tokens(tokens) + self.places[: tokens.shape[1]]
            for layer in self.decoder:
                x = layer(x, memory)
            return self.decoder_norm(x)

    return Whisper()


def _sinusoids(length: int) -> Any:
    import torch

    step = math.log(10000) / (WIDTH // 2 - 1)
    angles = torch.arange(length)[:, None] * torch.exp(-step * torch.arange(WIDTH // 2))[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)
