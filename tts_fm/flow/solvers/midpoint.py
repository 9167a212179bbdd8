"""The midpoint method: two evaluations a step, order 2."""

from __future__ import annotations

from torch import Tensor

from tts_fm.flow.solvers import OneStep
from tts_fm.types import VelocityField


class Midpoint(OneStep):
    """``x(t + h) = x + h v(x + h/2 v(x, t), t + h/2)``."""

    order = 2
    nodes = (0.0, 0.5)

    def step(self, field: VelocityField, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
        h = t_next - t
        return x + h * field(x + 0.5 * h * field(x, t), t + 0.5 * h)
