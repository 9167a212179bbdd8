"""Noise that belongs to an utterance and not to its batch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor


def noise(seed: int, n_frames: int, channels: int) -> Float[Tensor, "n c"]:
    """Return standard normal noise drawn on the CPU from ``seed`` alone: the same on every device, in every batch."""
    return next(stream(seed, n_frames, channels))


def stream(seed: int, n_frames: int, channels: int) -> Iterator[Float[Tensor, "n c"]]:
    """Yield independent noises without end, of which :func:`noise` is the first."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield torch.randn(n_frames, channels, generator=generator)
