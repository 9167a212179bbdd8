"""The conditional optimal-transport path: a straight line at constant speed."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from tts_fm import plugins
from tts_fm.flow.paths import Path


class CondOT(Path):
    """``x_t = t x_1 + (1 - (1 - sigma_min) t) x_0``, arXiv 2210.02747, equations 20 to 22."""

    class Options(plugins.Options):
        """``sigma_min`` is the noise left at ``t = 1``; F5-TTS and E2-TTS use 0."""

        sigma_min: float = Field(default=0.0, ge=0, lt=1)

    options: Options

    def alpha(self, t: Tensor) -> Tensor:
        return t

    def sigma(self, t: Tensor) -> Tensor:
        return 1 - (1 - self.options.sigma_min) * t

    def d_alpha(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return torch.full_like(t, self.options.sigma_min - 1)
