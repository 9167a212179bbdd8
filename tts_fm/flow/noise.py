"""Noise that belongs to an utterance and not to its batch."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def noise(seed: int, n_frames: int, channels: int) -> Float[Tensor, "n c"]:
    """Return standard normal noise drawn on the CPU from ``seed`` alone: the same on every device, in every batch."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_frames, channels, generator=generator)
