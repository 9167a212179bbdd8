"""The cosine path: a quarter of a circle from noise to data."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tts_fm.flow.paths import Path


class Cosine(Path):
    """``x_t = sin(pi t / 2) x_1 + cos(pi t / 2) x_0``: the variance stays, the speed is constant.

    Albergo and Vanden-Eijnden, arXiv 2209.15571; the "GVP" of SiT, arXiv 2401.08740.
    """

    def alpha(self, t: Tensor) -> Tensor:
        return torch.sin(math.pi / 2 * t)

    def sigma(self, t: Tensor) -> Tensor:
        return torch.sin(math.pi / 2 * (1 - t))  # the cosine, and exactly 0 at t = 1

    def d_alpha(self, t: Tensor) -> Tensor:
        return math.pi / 2 * self.sigma(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return -math.pi / 2 * self.alpha(t)
