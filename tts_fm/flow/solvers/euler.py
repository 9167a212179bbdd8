"""Euler's method: one evaluation a step, order 1."""

from __future__ import annotations

from torch import Tensor

from tts_fm.flow.solvers import OneStep
from tts_fm.types import VelocityField


class Euler(OneStep):
    """``x(t + h) = x + h v(x, t)``."""

    order = 1
    nodes = (0.0,)

    def step(self, field: VelocityField, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
        return x + (t_next - t) * field(x, t)
