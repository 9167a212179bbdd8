"""Dormand and Prince's pair with error control (torchdiffeq): six evaluations a step, order 5."""

from __future__ import annotations

import math
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from tts_fm.flow.solvers import OnStep, Solver
from tts_fm.types import VelocityField


class Dopri5(Solver):
    """Chooses its own steps from the first to the last time of the grid; the times between them do not matter.

    Two evaluations more choose the first step. The error is measured over the whole batch, so that an utterance's
    result depends on its neighbours, within ``tolerance``.

    Args:
        tolerance: see :class:`Solver`.
        min_step: a step of this length is taken, whatever its error.
        max_step: no step is longer.
    """

    order = 5
    evaluations = 6

    def __init__(self, tolerance: float = 1e-5, min_step: float = 0.0, max_step: float = math.inf) -> None:
        super().__init__(tolerance)
        self.min_step, self.max_step = min_step, max_step

    def times(self, grid: Float[Tensor, " k"]) -> None:
        return None

    def solve(
        self, field: VelocityField, x: Tensor, grid: Float[Tensor, " k"], on_step: OnStep | None = None
    ) -> Tensor:
        odeint = _odeint()
        ends, steps = grid[[0, -1]], len(grid) - 1
        limits = {"min_step": self.min_step, "max_step": self.max_step, "step_t": ends[1:]}  # no interpolated end
        tolerances = {"rtol": self.tolerance, "atol": self.tolerance}
        at_ends = odeint(lambda t, x: field(x, t), x, ends, method="dopri5", options=limits, **tolerances)
        if on_step is not None:
            on_step(steps, steps)
        return at_ends[-1]


def _odeint() -> Callable[..., Tensor]:
    """Return torchdiffeq's function; it is imported where it is needed."""
    try:
        from torchdiffeq import odeint
    except ImportError:
        raise ValueError("solver dopri5 needs torchdiffeq; pip install torchdiffeq, or take rk4") from None
    return odeint  # pyright: ignore[reportReturnType]
