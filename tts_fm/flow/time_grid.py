"""Time grids from 0 to 1: where an ODE solver steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

GridName = Literal["uniform", "epss", "cosine", "linear_quadratic", "optimal"]
"""``optimal`` is a model's own grid, see :func:`stored`; the others are made by :func:`build`."""

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
    return torch.linspace(0, 1, steps + 1, dtype=torch.float64)


def epss(steps: int) -> Float[Tensor, " k"]:
    """Return the empirically pruned grid of Fast F5-TTS for 5, 6, 7, 10, 12 and 16 steps, else the uniform one."""
    return torch.tensor(_EPSS[steps], dtype=torch.float64) / 32 if steps in _EPSS else uniform(steps)


def cosine(steps: int) -> Float[Tensor, " k"]:
    """Return ``1 - cos(pi u / 2)`` of equally spaced ``u``: CosyVoice's grid, and the uniform one swayed by -1."""
    return sway(uniform(steps), -1.0)


def linear_quadratic(steps: int, slope: float = 0.025) -> Float[Tensor, " k"]:
    """Return MovieGen's grid (arXiv 2410.13720): the first half of the steps reach ``slope`` at one pace.

    Then a parabola leads on to 1, with neither a jump nor a kink. Mochi and LTX, whose noise is at 1, use ``1 - t``.
    """
    if steps == 1:
        return uniform(1)
    half = steps // 2
    i = torch.arange(steps + 1, dtype=torch.float64)
    line, rest = slope * i / half, 1 - slope * steps / half
    grid = line + rest * ((i - half).clamp(min=0) / (steps - half)) ** 2
    return torch.cat([grid[:-1], torch.ones(1, dtype=torch.float64)])


def shift(grid: Float[Tensor, " k"], factor: float) -> Float[Tensor, " k"]:
    """Return ``s t / (1 + (s - 1) t)``: below 1 more steps near the noise; ``factor = 1`` changes nothing.

    ZipVoice uses 0.5 (``t_shift``). Stable Diffusion 3 (arXiv 2403.03206, equation 23) and Flux, whose noise is at 1,
    mean ``1 / s``: their 3 is 1/3 here.
    """
    return factor * grid / (1 + (factor - 1) * grid)


def sway(grid: Float[Tensor, " k"], strength: float) -> Float[Tensor, " k"]:
    """Return ``t + strength (cos(pi t / 2) - 1 + t)``, F5-TTS arXiv 2410.06885, equation 7.

    Negative strengths put more steps near the noise; ``strength = 0`` changes nothing. Monotonic for strengths
    in [-1, 2 / (pi - 2)].
    """
    return grid + strength * (torch.cos(math.pi / 2 * grid) - 1 + grid)


_GRIDS = {"uniform": uniform, "epss": epss, "cosine": cosine, "linear_quadratic": linear_quadratic}


def build(name: GridName, steps: int, sway_strength: float = 0.0, shift_factor: float = 1.0) -> Float[Tensor, " k"]:
    """Return the grid called ``name`` with ``steps`` steps, shifted and then swayed, in float32."""
    return sway(shift(_GRIDS[name](steps), shift_factor), sway_strength).float()


def stored(grids: Mapping[int, Sequence[float]], steps: int) -> Float[Tensor, " k"]:
    """Return the grid of ``steps`` steps among a model's own. Raises ValueError where there is none."""
    if steps not in grids:
        there = f"has it for {', '.join(map(str, sorted(grids)))} steps" if grids else "has none"
        raise ValueError(
            f"there is no optimal grid of {steps} steps: the model {there}; "
            f"let one be found (tts-fm optimize-steps), or take another grid"
        )
    return torch.tensor(grids[steps], dtype=torch.float32)


def split(grid: Float[Tensor, " k"], at: float) -> tuple[Float[Tensor, " h"], Float[Tensor, " r"]]:
    """Return the times of ``grid`` up to ``at``, the first two at the least, and ``at`` with the times behind it.

    For ``at = 1`` that is the grid as it is, and 1 alone.
    """
    return grid[: max(2, int((grid <= at).sum()))], torch.cat([torch.tensor([at], dtype=grid.dtype), grid[grid > at]])
