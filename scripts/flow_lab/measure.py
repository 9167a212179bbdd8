"""What a flow is measured by: how near its samples come to the data, how straight it leads, and what it knows of the density."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

import torch
from torch import Tensor

from scripts.flow_lab.data import Data
from scripts.flow_lab.train import Settings, Snapshot
from tts_fm import plugins
from tts_fm.flow import time_grid
from tts_fm.flow.likelihood import log_likelihood
from tts_fm.flow.solvers import Solver
from tts_fm.types import VelocityField

FINE_STEPS = 32  # of RK4, where the solver is not what is measured
REFERENCE = 3  # times as many points of the data as samples that are compared with them
EVALUATIONS = (4, 8, 16, 32, 64)
TOLERANCES = (1e-1, 1e-2, 1e-3, 1e-4)  # of a solver with error control


@dataclass(frozen=True, eq=False)
class Judge:
    """The data that samples are compared with.

    Attributes:
        x_0: the noise that every flow starts from, evenly spread (a Sobol sequence), so that no luck of a draw is measured.
        x_1: many points of the data.
        spread: the mean distance between two of them.
        held_out: other points of the data, for the likelihood.
        log_density: the mean of their true ``log p``.
        floor: the energy distance of as many new points of the data as samples are judged: what chance alone makes.
        sliced_floor: the same by the sliced Wasserstein distance.
    """

    x_0: Tensor
    x_1: Tensor
    spread: float
    held_out: Tensor
    log_density: float
    floor: float
    sliced_floor: float

    @classmethod
    def of(cls, data: Data, samples: int, repeats: int = 10) -> Judge:
        """Get ready to judge ``samples`` points at a time; the floors are means of ``repeats`` draws."""
        generator = torch.Generator().manual_seed(1)
        x_1, held_out = data.draw(REFERENCE * samples, generator), data.draw(samples, generator)
        others = [data.draw(samples, generator) for _ in range(repeats)]
        even = torch.quasirandom.SobolEngine(2, scramble=True, seed=2).draw(samples)[:, None]
        spread = _mean_distance(x_1, x_1)
        return cls(
            torch.special.ndtri(even.clamp(1e-6, 1 - 1e-6)),
            x_1,
            spread,
            held_out,
            data.log_density(held_out).mean().item(),
            statistics.fmean(energy_distance(other, x_1, spread) for other in others),
            statistics.fmean(sliced_wasserstein(other, x_1) for other in others),
        )

    def energy(self, x: Tensor) -> float:
        """Return the energy distance between ``x`` and the data."""
        return energy_distance(x, self.x_1, self.spread)


@dataclass(frozen=True)
class Progress:
    """How good the samples were at a point of training."""

    seconds: float
    updates: int
    energy: float


@dataclass(frozen=True)
class Work:
    """How good the samples are that a solver makes with so many evaluations."""

    evaluations: int
    energy: float


@dataclass(frozen=True)
class Figures:
    """All that is known of one method on one data set."""

    progress: list[Progress]
    seconds_to_floor: float | None
    energy: float
    sliced: float
    bend: float
    nats_missing: float
    nats_error: float
    solvers: dict[str, list[Work]]


def measure(data: Data, judge: Judge, snapshots: list[Snapshot], settings: Settings) -> Figures:
    """Measure every snapshot's samples, and the last one in every way."""
    progress = []
    for snapshot in snapshots:
        x_1 = flow(snapshot.net(settings.width), judge.x_0)
        progress.append(Progress(snapshot.seconds, snapshot.updates, judge.energy(x_1)))
    net = snapshots[-1].net(settings.width)
    gap = data.log_density(judge.held_out) - log_density(net, judge.held_out)
    return Figures(
        progress,
        seconds_to_floor=next((p.seconds for p in progress if p.energy <= judge.floor), None),
        energy=progress[-1].energy,
        sliced=sliced_wasserstein(flow(net, judge.x_0), judge.x_1),
        bend=bend(net, judge.x_0),
        nats_missing=gap.mean().item(),
        nats_error=gap.std().item() / math.sqrt(len(gap)),
        solvers={name: work(name, net, judge) for name in plugins.names(Solver)},
    )


def flow(field: VelocityField, x_0: Tensor) -> Tensor:
    """Return where the flow leads ``x_0``, by a solver so fine that its error does not count."""
    return plugins.build(Solver, "rk4").solve(field, x_0, time_grid.build("uniform", FINE_STEPS))


def log_density(field: VelocityField, x_1: Tensor) -> Tensor:
    """Return the flow's ``log p`` of each point, with the exact divergence."""
    return log_likelihood(field, x_1, plugins.build(Solver, "rk4"), time_grid.build("uniform", FINE_STEPS)).total


def energy_distance(x: Tensor, y: Tensor, spread: float | None = None) -> float:
    """Return ``2 E|x - y| - E|x - x'| - E|y - y'|`` over all pairs: 0 for equal samples, else positive.

    Szekely and Rizzo, "Energy statistics", 2013. Between two samples of one law it is ``E|x - x'| (1/n + 1/m)`` on average.
    ``spread`` is ``E|y - y'|`` where it is known.
    """
    spread = _mean_distance(y, y) if spread is None else spread
    return 2 * _mean_distance(x, y) - _mean_distance(x, x) - spread


def _mean_distance(x: Tensor, y: Tensor) -> float:
    exactly = "donot_use_mm_for_euclid_dist"
    return torch.cdist(x.flatten(1), y.flatten(1), compute_mode=exactly).mean(dtype=torch.float64).item()


def sliced_wasserstein(x: Tensor, y: Tensor, directions: int = 64) -> float:
    """Return the mean over ``directions`` of the distance that points move to get from ``x`` to ``y`` along them.

    ``y`` must have as many points as ``x``, or a multiple of them.
    """
    angle = math.pi * torch.arange(directions) / directions
    towards = torch.stack([torch.cos(angle), torch.sin(angle)]).to(x)
    one, other = ((points.flatten(1) @ towards).sort(dim=0).values for points in (x, y))
    return (one.repeat_interleave(len(y) // len(x), dim=0) - other).abs().mean().item()


def bend(field: VelocityField, x_0: Tensor, steps: int = 64) -> float:
    """Return ``E|v(x_t, t) - (x_1 - x_0)|**2 / E|x_1 - x_0|**2`` along the flow, t uniform: 0 if straight and steady.

    Liu et al., arXiv 2209.03003, section 2.2, as a share.
    """
    grid = time_grid.build("uniform", steps)
    ways = waypoints(field, x_0, grid)  # k b 1 2
    middle = (grid[1:] + grid[:-1]) / 2
    velocities = torch.stack([field((a + b) / 2, t) for a, b, t in zip(ways, ways[1:], middle, strict=False)])
    whole = ways[-1] - x_0
    return ((velocities - whole).square().mean() / whole.square().mean()).item()


def waypoints(field: VelocityField, x_0: Tensor, grid: Tensor) -> Tensor:
    """Return the ``x_t`` at every time of ``grid``, by an RK4 step between each two."""
    solver, ways = plugins.build(Solver, "rk4"), [x_0]
    for start in range(len(grid) - 1):
        ways.append(solver.solve(field, ways[-1], grid[start : start + 2]))
    return torch.stack(ways)


def work(name: str, field: VelocityField, judge: Judge) -> list[Work]:
    """Return the quality of a solver's samples at several costs; its evaluations are counted."""
    solver, found = plugins.build(Solver, name), []
    has_error_control = solver.times(time_grid.uniform(1)) is None
    for budget in TOLERANCES if has_error_control else EVALUATIONS:
        if has_error_control:
            solver = plugins.build(Solver, name, tolerance=budget)
        steps, counted = max(1, int(budget) // solver.evaluations), 0

        def count(x: Tensor, t: Tensor) -> Tensor:
            nonlocal counted
            counted += 1
            return field(x, t)

        x_1 = solver.solve(count, judge.x_0, time_grid.build("uniform", steps))
        found.append(Work(counted, judge.energy(x_1)))
    return found
