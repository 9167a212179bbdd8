"""A mixture of Gaussians, of which everything along a path is known in closed form."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tts_fm.flow.paths import Path

WEIGHTS = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
MEANS = torch.tensor([[-1.5, 0.5], [1.0, 1.5], [0.5, -1.0]], dtype=torch.float64)
DEVIATION = 0.4

MEAN = WEIGHTS @ MEANS
COVARIANCE = (MEANS - MEAN).T @ torch.diag(WEIGHTS) @ (MEANS - MEAN) + DEVIATION**2 * torch.eye(2, dtype=torch.float64)


def draw(count: int, generator: torch.Generator) -> Tensor:
    """Return data ``(count, 1, 2)``."""
    which = torch.multinomial(WEIGHTS, count, replacement=True, generator=generator)
    z = torch.randn(count, 2, dtype=torch.float64, generator=generator)
    return (MEANS[which] + DEVIATION * z)[:, None]


def velocity(path: Path, x: Tensor, t: Tensor) -> Tensor:
    """Return the marginal velocity ``E[d_alpha x_1 + d_sigma x_0 | x_t = x]``, for one ``t`` or one per row."""
    t = t if t.dim() == 0 else t[:, None, None]
    alpha, sigma = path.alpha(t), path.sigma(t)
    variance = (alpha * DEVIATION) ** 2 + sigma**2
    offset = x - alpha * MEANS  # b k 2, from each component's centre
    share = torch.softmax(_log_joint(path, x, t), dim=1)[..., None]  # b k 1
    clean = MEANS + alpha * DEVIATION**2 / variance * offset
    noise = sigma / variance * offset
    return (share * (path.d_alpha(t) * clean + path.d_sigma(t) * noise)).sum(dim=1, keepdim=True)


def log_density(path: Path, x: Tensor, t: Tensor) -> Tensor:
    """Return ``log p_t(x)``."""
    return torch.logsumexp(_log_joint(path, x, t), dim=1)


def _log_joint(path: Path, x: Tensor, t: Tensor) -> Tensor:
    variance = (path.alpha(t) * DEVIATION) ** 2 + path.sigma(t) ** 2
    distance = (x - path.alpha(t) * MEANS).square().sum(dim=-1, keepdim=True)  # b k 1
    log = WEIGHTS.log()[:, None] - 0.5 * distance / variance - torch.log(2 * math.pi * variance)
    return log.squeeze(-1)
