"""The classical Runge-Kutta method: four evaluations a step, order 4."""

from __future__ import annotations

from torch import Tensor

from tts_fm.flow.solvers import OneStep
from tts_fm.types import VelocityField


class RK4(OneStep):
    """Simpson's rule over the step, with two guesses of the velocity at its middle."""

    order = 4
    nodes = (0.0, 0.5, 0.5, 1.0)

    def step(self, field: VelocityField, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
        h = t_next - t
        v_1 = field(x, t)
        v_2 = field(x + 0.5 * h * v_1, t + 0.5 * h)
        v_3 = field(x + 0.5 * h * v_2, t + 0.5 * h)
        v_4 = field(x + h * v_3, t + h)
        return x + h / 6 * (v_1 + 2 * v_2 + 2 * v_3 + v_4)
