"""The variance preserving path of diffusion models: fast away from the noise, slow into the data."""

from __future__ import annotations

import torch
from pydantic import Field, model_validator
from torch import Tensor

from tts_fm import plugins
from tts_fm.flow.paths import Path


class VP(Path):
    """``alpha = (a(t) - a(0)) / (1 - a(0))`` with ``a(t) = exp(-T(1 - t) / 2)``, and ``sigma**2 = 1 - alpha**2``.

    ``T(s)`` is the integral of ``beta_min + s (beta_max - beta_min)`` from 0 to s (Song et al., arXiv 2011.13456;
    as a path arXiv 2210.02747, equation 19). The sources use ``a`` itself, which leaves a trace of the data (0.0066) in the
    noise; rescaled, the path begins and ends exactly. As there, its velocity grows without bound as ``t`` nears 1.
    """

    class Options(plugins.Options):
        """The rate of noise at the data (``beta_min``) and at the noise (``beta_max``)."""

        beta_min: float = Field(default=0.1, ge=0, le=1000)
        beta_max: float = Field(default=20.0, gt=0, le=1000)

        @model_validator(mode="after")
        def _check(self) -> VP.Options:
            if self.beta_max < self.beta_min:
                raise ValueError(f"beta_max is {self.beta_max:g}; it must be at least beta_min, {self.beta_min:g}")
            return self

    options: Options

    def alpha(self, t: Tensor) -> Tensor:
        return 1 - self._lost(t)

    def sigma(self, t: Tensor) -> Tensor:
        lost = self._lost(t)
        return torch.sqrt(lost * (2 - lost))  # 1 - alpha**2 without cancellation

    def d_alpha(self, t: Tensor) -> Tensor:
        s = 1 - t
        rate = self.options.beta_min + s * (self.options.beta_max - self.options.beta_min)
        return -0.5 * rate * torch.exp(-0.5 * self._noise(s)) / self._total(t)

    def d_sigma(self, t: Tensor) -> Tensor:
        return -self.alpha(t) * self.d_alpha(t) / self.sigma(t)

    def _lost(self, t: Tensor) -> Tensor:
        """``1 - alpha``."""
        return torch.expm1(-0.5 * self._noise(1 - t)) / self._total(t)

    def _noise(self, s: Tensor) -> Tensor:
        """``T(s)``."""
        return s * (self.options.beta_min + 0.5 * s * (self.options.beta_max - self.options.beta_min))

    def _total(self, t: Tensor) -> Tensor:
        """``a(0) - 1``, rounded as at the times ``t``."""
        return torch.expm1(-0.5 * self._noise(torch.ones_like(t)))
