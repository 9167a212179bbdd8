"""Heun's method: two evaluations a step, order 2."""

from __future__ import annotations

from torch import Tensor

from tts_fm.flow.solvers import OneStep
from tts_fm.types import VelocityField


class Heun(OneStep):
    """``x(t + h) = x + h/2 (v(x, t) + v(x + h v(x, t), t + h))``: the trapezoid under Euler's guess."""

    order = 2
    nodes = (0.0, 1.0)

    def step(self, field: VelocityField, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
        h = t_next - t
        start = field(x, t)
        return x + 0.5 * h * (start + field(x + h * start, t + h))
