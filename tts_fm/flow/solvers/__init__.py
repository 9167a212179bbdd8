"""Solvers of ``dx/dt = v(x, t)`` on a time grid: the interface; each other file here is one solver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm.plugins import Plugin
from tts_fm.types import VelocityField


class Solver(Plugin, ABC):
    """A one-step method: from ``x(t)`` to ``x(t + h)``."""

    order: ClassVar[int]
    """The global error shrinks as ``h ** order``."""

    nodes: ClassVar[tuple[float, ...]]
    """Where in a step the field is evaluated, as fractions of ``h``: one entry per evaluation."""

    @abstractmethod
    def step(self, field: VelocityField, x: Tensor, t: Tensor, t_next: Tensor) -> Tensor:
        """Return ``x(t_next)`` from ``x = x(t)``."""

    def times(self, grid: Float[Tensor, " k"]) -> Float[Tensor, " e"]:
        """Return every time at which :meth:`solve` evaluates the field, in order."""
        start, h = grid[:-1, None], grid.diff()[:, None]
        return (start + h * torch.tensor(self.nodes, dtype=grid.dtype, device=grid.device)).flatten()

    def solve(
        self,
        field: VelocityField,
        x: Tensor,
        grid: Float[Tensor, " k"],
        on_step: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """Return ``x(grid[-1])`` from ``x = x(grid[0])``; ``on_step(done, steps)`` is called after each step."""
        steps = len(grid) - 1
        for i in range(steps):
            x = self.step(field, x, grid[i], grid[i + 1])
            if on_step is not None:
                on_step(i + 1, steps)
        return x
