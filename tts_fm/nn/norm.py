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
        x = x.to(self.weight.dtype)
        if x.device.type != "cpu" or torch.is_grad_enabled() or torch.compiler.is_compiling():
            return F.rms_norm(x, self.weight.shape, self.weight, self.eps)
        # A processor has no kernel for all of it: read once and scaled twice instead of squared, summed and scaled twice.
        squares = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square()
        return (x * (squares / x.shape[-1] + self.eps).rsqrt()).mul_(self.weight)
