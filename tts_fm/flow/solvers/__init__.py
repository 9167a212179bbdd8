"""Solvers of ``dx/dt = v(x, t)`` on a time grid: the interface; each other file here is one solver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm.plugins import Plugin
from tts_fm.types import VelocityField

OnStep = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


class Solver(Plugin, ABC):
    """Leads ``x`` along a velocity field.

    Args:
        tolerance: the error that a solver with error control allows in a step, absolute and relative; no matter to
            the others.
    """

    order: ClassVar[int]
    """The global error shrinks as ``h ** order``."""

    evaluations: ClassVar[int]
    """How often a step evaluates the field; the first ones may need more (:meth:`times` has them all)."""

    def __init__(self, tolerance: float = 1e-5) -> None:
        self.tolerance = tolerance

    @abstractmethod
    def times(self, grid: Float[Tensor, " k"]) -> Float[Tensor, " e"] | None:
        """Return every time at which :meth:`solve` evaluates the field, in order; None where the field decides."""

    @abstractmethod
    def solve(
        self, field: VelocityField, x: Tensor, grid: Float[Tensor, " k"], on_step: OnStep | None = None
    ) -> Tensor:
        """Return ``x(grid[-1])`` from ``x = x(grid[0])``; ``on_step`` is called after each step."""


class OneStep(Solver):
    """A Runge-Kutta method: from ``x(t)`` to ``x(t + h)``, with no memory of what was before."""

    nodes: ClassVar[tuple[float, ...]]
    """Where in a step the field is evaluated, as fractions of ``h``: one entry per evaluation."""

    def __init_subclass__(cls) -> None:
        cls.evaluations = len(cls.nodes)

    @abstractmethod
    def step(self, field: VelocityField, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
        """Return ``x(t_next)`` from ``x = x(t)``."""

    def times(self, grid: Float[Tensor, " k"]) -> Float[Tensor, " e"]:
        start, h = grid[:-1, None], grid.diff()[:, None]
        return (start + h * torch.tensor(self.nodes, dtype=grid.dtype, device=grid.device)).flatten()

    def solve(
        self, field: VelocityField, x: Tensor, grid: Float[Tensor, " k"], on_step: OnStep | None = None
    ) -> Tensor:
        steps = len(grid) - 1
        for i in range(steps):
            x = self.step(field, x, grid[i], grid[i + 1])
            if on_step is not None:
                on_step(i + 1, steps)
        return x


class AdamsBashforth(Solver):
    """The last ``order`` velocities, extended by the polynomial through them and integrated over the step.

    One evaluation a step, on any grid (Hairer, Norsett and Wanner, "Solving Ordinary Differential Equations I",
    section III.5). Of order 3, the first step is one of the midpoint method, which costs one evaluation more; while
    velocities are too few the order grows by one a step.
    """

    evaluations = 1

    def times(self, grid: Float[Tensor, " k"]) -> Float[Tensor, " e"]:
        halfway = [] if self.order < 3 else [grid[0] + 0.5 * (grid[1] - grid[0])]
        return torch.stack([grid[0], *halfway, *grid[1:-1]])

    def solve(
        self, field: VelocityField, x: Tensor, grid: Float[Tensor, " k"], on_step: OnStep | None = None
    ) -> Tensor:
        past: deque[tuple[float, Tensor]] = deque(maxlen=self.order)  # times and velocities
        steps = len(grid) - 1
        for i in range(steps):
            t, h = grid[i], grid[i + 1] - grid[i]
            past.append((float(t), field(x, t)))
            if i == 0 and self.order > 2:
                x = x + h * field(x + 0.5 * h * past[0][1], t + 0.5 * h)
            else:
                weights = adams_weights([time for time, _ in past], float(t), float(grid[i + 1]))
                x = x + sum(weight * velocity for weight, (_, velocity) in zip(weights, past, strict=True))
            if on_step is not None:
                on_step(i + 1, steps)
        return x


def adams_weights(times: list[float], start: float, end: float) -> list[float]:
    """Return the ``w`` with which ``sum(w_i p(times_i))`` is the integral of ``p`` from ``start`` to ``end``.

    It is exact for every polynomial ``p`` of a degree below the number of (distinct) times.
    """
    h = end - start
    nodes = (torch.tensor(times, dtype=torch.float64) - start) / h
    powers = torch.arange(len(times), dtype=torch.float64)
    moments = 1 / (powers + 1)  # of s ** power, over the step scaled to [0, 1]
    return (h * torch.linalg.solve(nodes ** powers[:, None], moments)).tolist()
