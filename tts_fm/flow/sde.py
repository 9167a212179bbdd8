"""Sampling a flow as a diffusion: the same densities at every time, reached on noisy ways."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm.flow.parametrization import noise_from_velocity
from tts_fm.flow.paths import Path
from tts_fm.flow.solvers import OnStep
from tts_fm.types import VelocityField


def euler_maruyama(
    field: VelocityField,
    path: Path,
    x: Tensor,
    grid: Float[Tensor, " k"],
    strength: float,
    draw: Callable[[], Tensor],
    on_step: OnStep | None = None,
) -> Tensor:
    """Return ``x(grid[-1])`` of ``dx = (v + g**2/2 score) dt + g dW`` with ``g**2 = 2 strength sigma(t)``.

    Every ``g`` keeps the densities of ``dx = v dt`` (Song et al., arXiv 2011.13456, section 4.3); this one fades with the
    path's noise, and makes the drift ``v - strength E[x_0 | x]``, which needs no division by ``sigma``. ``strength = 0``
    is Euler's method. One evaluation a step, at ``grid[:-1]``; order 1 in the law of the result.

    Args:
        field: the velocity field.
        path: the path that it belongs to.
        x: noise, ``x(grid[0])``.
        grid: times.
        strength: how much noise is added on the way, and taken away again.
        draw: returns new standard normal noise of the shape of ``x`` at each call; called once a step.
        on_step: called after each step.
    """
    steps = len(grid) - 1
    for i in range(steps):
        t, h = grid[i], grid[i + 1] - grid[i]
        velocity = field(x, t)
        drift = velocity - strength * noise_from_velocity(path, velocity, x, t)
        x = x + h * drift + torch.sqrt(2 * strength * path.sigma(t) * h) * draw()
        if on_step is not None:
            on_step(i + 1, steps)
    return x
