"""Root-mean-square normalisation that keeps to its weights' precision."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """``weight * x / sqrt(mean(x^2) + eps)``; under autocast it is computed in float32."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """Return ``x`` normalised along its last axis."""
        return F.rms_norm(x.to(self.weight.dtype), self.weight.shape, self.weight, self.eps)
