"""The polynomial path: a straight line that starts slowly."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from tts_fm import plugins
from tts_fm.flow.paths import Path


class Polynomial(Path):
    """``x_t = t**n x_1 + (1 - t**n) x_0``; the optimal-transport path at ``n = 1``."""

    class Options(plugins.Options):
        """``degree`` is ``n``."""

        degree: float = Field(default=2.0, ge=1, le=100)

    options: Options

    def alpha(self, t: Tensor) -> Tensor:
        return t**self.options.degree

    def sigma(self, t: Tensor) -> Tensor:
        return 1 - self.alpha(t)

    def d_alpha(self, t: Tensor) -> Tensor:
        return self.options.degree * t ** (self.options.degree - 1)

    def d_sigma(self, t: Tensor) -> Tensor:
        return -self.d_alpha(t)
