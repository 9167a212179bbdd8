"""Three laws in the plane with a known density: two moons, a checkerboard, eight Gaussians."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Data:
    """A law in the plane.

    Attributes:
        title: how a person calls it.
        draw: returns ``(count, 1, 2)`` points.
        log_density: returns ``log p`` of each of such points, in nats.
    """

    title: str
    draw: Callable[[int, torch.Generator], Tensor]
    log_density: Callable[[Tensor], Tensor]


MOON_RADIUS, MOON_NOISE = 1.4, 0.1
RING_RADIUS, RING_NOISE = 2.0, 0.2
_DARK = torch.tensor([(i, j) for i in range(4) for j in range(4) if (i + j) % 2 == 0])  # squares of [-2, 2] ** 2


def draw_moons(count: int, generator: torch.Generator) -> Tensor:
    """Return points on two half circles, each reaching into the other, with a little noise."""
    angle = math.pi * torch.rand(count, generator=generator)
    side = 2.0 * torch.randint(2, (count,), generator=generator) - 1
    return _moon(angle, side)[:, None] + MOON_NOISE * torch.randn(count, 1, 2, generator=generator)


def moons_log_density(x: Tensor, angles: int = 400) -> Tensor:
    """Return the mean of the noise's density over both half circles, by the midpoint rule."""
    angle = (math.pi * (torch.arange(angles) + 0.5) / angles).repeat(2)
    side = torch.tensor([1.0, -1.0]).repeat_interleave(angles)
    return _mixture_log_density(x, _moon(angle, side), MOON_NOISE)


def draw_checkerboard(count: int, generator: torch.Generator) -> Tensor:
    """Return points spread evenly over every other of 16 squares."""
    square = _DARK[torch.randint(len(_DARK), (count,), generator=generator)]
    return (square + torch.rand(count, 2, generator=generator))[:, None] - 2


def checkerboard_log_density(x: Tensor) -> Tensor:
    """Return ``-log 8`` on the dark squares, whose area is 8, and minus infinity elsewhere."""
    square = (x.squeeze(1) + 2).floor()
    is_dark = ((square >= 0) & (square < 4)).all(dim=-1) & (square.sum(dim=-1) % 2 == 0)
    return torch.where(is_dark, -math.log(len(_DARK)), -math.inf)


def draw_eight(count: int, generator: torch.Generator) -> Tensor:
    """Return points of eight small Gaussians on a circle."""
    which = torch.randint(8, (count,), generator=generator)
    return _ring()[which][:, None] + RING_NOISE * torch.randn(count, 1, 2, generator=generator)


def eight_log_density(x: Tensor) -> Tensor:
    """Return the closed form of the mixture."""
    return _mixture_log_density(x, _ring(), RING_NOISE)


def _moon(angle: Tensor, side: Tensor) -> Tensor:
    """Return the points at ``angle`` of the upper half circle (``side`` 1) or the lower one (-1)."""
    return MOON_RADIUS * side[:, None] * torch.stack([torch.cos(angle) - 0.5, torch.sin(angle) - 0.25], dim=-1)


def _ring() -> Tensor:
    angle = math.pi / 4 * torch.arange(8)
    return RING_RADIUS * torch.stack([torch.cos(angle), torch.sin(angle)], dim=-1)


def _mixture_log_density(x: Tensor, centres: Tensor, deviation: float) -> Tensor:
    """Return ``log p`` of equally likely round Gaussians."""
    square = torch.cdist(x.double().squeeze(1), centres.double()).square() / deviation**2
    return torch.logsumexp(-0.5 * square, dim=1) - math.log(2 * math.pi * deviation**2 * len(centres))


DATA = {
    "moons": Data("two moons", draw_moons, moons_log_density),
    "checkerboard": Data("checkerboard", draw_checkerboard, checkerboard_log_density),
    "eight": Data("eight Gaussians", draw_eight, eight_log_density),
}
