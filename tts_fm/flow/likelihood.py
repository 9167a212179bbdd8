"""Likelihood: how probable a flow finds its data, by the change of density on the way back to noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm.flow.solvers import Solver
from tts_fm.types import VelocityField


@dataclass(frozen=True, eq=False)
class LogLikelihood:
    """``log p(x_1)`` in nats, by one probe of the divergence or several (``p``; one where it is exact).

    Frames are not independent: ``log p`` is the sum over them of each frame's share.
    """

    shares: Float[Tensor, "p b n"]

    @property
    def per_frame(self) -> Float[Tensor, "b n"]:
        """The share of each frame."""
        return self.shares.mean(dim=0)

    @property
    def total(self) -> Float[Tensor, " b"]:
        """``log p(x_1)`` of each utterance."""
        return self.per_frame.sum(dim=1)

    @property
    def standard_error(self) -> Float[Tensor, " b"]:
        """What the probes leave uncertain in :attr:`total`; NaN for a single one."""
        estimates = self.shares.sum(dim=2)  # p b
        if len(estimates) == 1:
            return torch.full_like(estimates[0], math.nan)
        return estimates.std(dim=0) / math.sqrt(len(estimates))

    def minus(self, other: LogLikelihood) -> LogLikelihood:
        """Return ``log p - log p_other`` by the same probes: most of their error cancels."""
        return LogLikelihood(self.shares - other.shares)

    def of(self, index: int) -> LogLikelihood:
        """Return that of one utterance."""
        return LogLikelihood(self.shares[:, index : index + 1])


def log_likelihood(
    field: VelocityField,
    x_1: Float[Tensor, "b n c"],
    solver: Solver,
    grid: Float[Tensor, " k"],
    probes: Float[Tensor, "p n c"] | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> LogLikelihood:
    """Return ``log p(x_1) = log N(x_0; 0, 1) - integral of div v(x_t, t) dt`` along the flow that ends in ``x_1``.

    Chen et al., arXiv 1806.07366, theorem 1. ``grid`` leads from 0 to 1 and is gone through backwards. Without ``probes``
    the divergence is exact, at ``n c`` gradients an evaluation; with them it is Hutchinson's estimate
    ``mean of e J e`` (Grathwohl et al., arXiv 1810.01367), each probe the same all along the way and for every utterance.
    ``field`` must be differentiable in ``x_t``, so not under ``torch.inference_mode``.
    """
    with torch.no_grad():
        return density_change(
            field, x_1, probes, lambda augmented, state: solver.solve(augmented, state, grid.flip(0), on_step)
        )


def density_change(
    field: VelocityField,
    x_1: Float[Tensor, "b n c"],
    probes: Float[Tensor, "p n c"] | None,
    solve: Callable[[VelocityField, Tensor], Tensor],
) -> LogLikelihood:
    """Return ``log p(x_1)`` with ``solve`` as the way back to noise.

    It is given ``d/dt (x_t, change) = (v, div v)`` and the state at ``t = 1``, and returns the state at ``t = 0``. Where
    gradients are enabled the divergence can be differentiated once more, so that a network can learn from it.
    """
    c, p = x_1.shape[2], 1 if probes is None else len(probes)

    def augmented(state: Tensor, t: Tensor) -> Tensor:
        is_learning = torch.is_grad_enabled()
        with torch.enable_grad():
            x_t = state[..., :c].requires_grad_()
            velocity = field(x_t, t) + 0 * x_t  # so that a field that ignores x_t has a gradient too
            estimate = _exact if probes is None else partial(_hutchinson, probes=probes)
            divergence = estimate(velocity, x_t, is_learning=is_learning)
        return torch.cat([velocity, divergence], dim=-1)

    start = torch.cat([x_1, x_1.new_zeros(*x_1.shape[:2], p)], dim=-1)
    x_0, change = solve(augmented, start).split([c, p], dim=-1)
    normal = -0.5 * (x_0.square() + math.log(2 * math.pi)).sum(dim=-1, keepdim=True)
    return LogLikelihood((normal + change).permute(2, 0, 1))


def rademacher(seed: int, probes: int, n_frames: int, channels: int) -> Float[Tensor, "p n c"]:
    """Return probes of -1 and 1, drawn on the CPU from ``seed`` alone: of all probes they leave the least error."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, (probes, n_frames, channels), generator=generator) * 2.0 - 1.0


def _exact(velocity: Float[Tensor, "b n c"], x_t: Float[Tensor, "b n c"], is_learning: bool) -> Float[Tensor, "b n 1"]:
    """Return each frame's share of the divergence, by the gradient of every component."""
    _, n, c = x_t.shape
    shares = torch.zeros_like(x_t[..., 0])
    for i in range(n):
        for j in range(c):
            (gradient,) = torch.autograd.grad(velocity[:, i, j].sum(), x_t, retain_graph=True, create_graph=is_learning)
            shares[:, i] += gradient[:, i, j]
    return shares[..., None]


def _hutchinson(
    velocity: Float[Tensor, "b n c"], x_t: Float[Tensor, "b n c"], probes: Float[Tensor, "p n c"], is_learning: bool
) -> Float[Tensor, "b n p"]:
    """Return each frame's share of the divergence by every probe."""
    shares = []
    for probe in probes:
        (gradient,) = torch.autograd.grad(
            velocity, x_t, probe.expand_as(velocity), retain_graph=True, create_graph=is_learning
        )
        shares.append((gradient * probe).sum(dim=-1))
    return torch.stack(shares, dim=-1)
