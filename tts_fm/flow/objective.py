"""The conditional flow-matching loss and the laws from which training draws its times."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

TimeLaw = Literal["uniform", "logit_normal", "mode"]

MAX_MODE_SCALE = 2 / (math.pi - 2)
"""The most that the law ``mode`` can be bent before it runs backwards."""


def velocity_loss(
    predicted: Float[Tensor, "b n c"], target: Float[Tensor, "b n c"], is_target: Bool[Tensor, "b n"]
) -> Float[Tensor, ""]:
    """Return the mean squared error over the target frames, arXiv 2210.02747 equation 9."""
    error = (predicted.float() - target).square().mean(dim=-1)  # b n
    return (error * is_target).sum() / is_target.sum().clamp(min=1)


def draw_times(
    law: TimeLaw, batch: int, generator: torch.Generator, mean: float = 0.0, scale: float = 1.0
) -> Float[Tensor, " b"]:
    """Return one ``t`` in [0, 1) per utterance, by a law of Esser et al., arXiv 2403.03206, section 3.1.

    ``uniform``; ``logit_normal`` is ``sigmoid(mean + scale * z)``; ``mode`` is ``u + scale (cos(pi u / 2)**2 - 1 + u)``
    of a uniform ``u``: more in the middle the nearer ``scale`` is to ``MAX_MODE_SCALE``. It is the same from both ends.
    """
    if law == "logit_normal":
        return torch.sigmoid(mean + scale * torch.randn(batch, generator=generator))
    u = torch.rand(batch, generator=generator)
    return u if law == "uniform" else u + scale * (torch.cos(math.pi / 2 * u).square() - 1 + u)
