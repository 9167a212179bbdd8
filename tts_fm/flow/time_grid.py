"""Time grids from 0 to 1: where an ODE solver steps."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

GridName = Literal["uniform", "epss"]

_EPSS = {  # steps -> grid points in 32nds; Fast F5-TTS, arXiv 2505.19931
    5: (0, 2, 4, 8, 16, 32),
    6: (0, 2, 4, 6, 8, 16, 32),
    7: (0, 2, 4, 6, 8, 16, 24, 32),
    10: (0, 2, 4, 6, 8, 12, 16, 20, 24, 28, 32),
    12: (0, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32),
    16: (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32),
}


def uniform(steps: int) -> Float[Tensor, " k"]:
    """Return ``steps + 1`` equally spaced times."""
    return torch.linspace(0, 1, steps + 1)


def epss(steps: int) -> Float[Tensor, " k"]:
    """Return the empirically pruned grid of Fast F5-TTS for 5, 6, 7, 10, 12 and 16 steps, else the uniform one."""
    return torch.tensor(_EPSS[steps], dtype=torch.float32) / 32 if steps in _EPSS else uniform(steps)


def sway(grid: Float[Tensor, " k"], strength: float) -> Float[Tensor, " k"]:
    """Return ``t + strength (cos(pi t / 2) - 1 + t)``, F5-TTS arXiv 2410.06885, equation 7.

    Negative strengths put more steps near the noise; ``strength = 0`` changes nothing. Monotonic for strengths
    in [-1, 2 / (pi - 2)].
    """
    return grid + strength * (torch.cos(math.pi / 2 * grid) - 1 + grid)


def build(name: GridName, steps: int, sway_strength: float) -> Float[Tensor, " k"]:
    """Return the grid called ``name`` with ``steps`` steps, swayed."""
    return sway({"uniform": uniform, "epss": epss}[name](steps), sway_strength)
