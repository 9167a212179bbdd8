"""Likelihood: how probable a flow finds its data, by the change of density on the way back to noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

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
    c, p = x_1.shape[2], 1 if probes is None else len(probes)

    def with_divergence(state: Tensor, t: Tensor) -> Tensor:
        with torch.enable_grad():
            x_t = state[..., :c].detach().requires_grad_()
            velocity = field(x_t, t) + 0 * x_t  # so that a field that ignores x_t has a gradient too
            divergence = _exact(velocity, x_t) if probes is None else _hutchinson(velocity, x_t, probes)
        return torch.cat([velocity.detach(), divergence], dim=-1)

    with torch.no_grad():
        start = torch.cat([x_1, x_1.new_zeros(*x_1.shape[:2], p)], dim=-1)
        x_0, change = solver.solve(with_divergence, start, grid.flip(0), on_step).split([c, p], dim=-1)
        normal = -0.5 * (x_0.square() + math.log(2 * math.pi)).sum(dim=-1, keepdim=True)
    return LogLikelihood((normal + change).permute(2, 0, 1))


def rademacher(seed: int, probes: int, n_frames: int, channels: int) -> Float[Tensor, "p n c"]:
    """Return probes of -1 and 1, drawn on the CPU from ``seed`` alone: of all probes they leave the least error."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, (probes, n_frames, channels), generator=generator) * 2.0 - 1.0


def _exact(velocity: Float[Tensor, "b n c"], x_t: Float[Tensor, "b n c"]) -> Float[Tensor, "b n 1"]:
    """Return each frame's share of the divergence, by the gradient of every component."""
    _, n, c = x_t.shape
    diagonal = torch.zeros_like(x_t)
    for i in range(n):
        for j in range(c):
            (gradient,) = torch.autograd.grad(velocity[:, i, j].sum(), x_t, retain_graph=True)
            diagonal[:, i, j] = gradient[:, i, j]
    return diagonal.sum(dim=-1, keepdim=True)


def _hutchinson(
    velocity: Float[Tensor, "b n c"], x_t: Float[Tensor, "b n c"], probes: Float[Tensor, "p n c"]
) -> Float[Tensor, "b n p"]:
    """Return each frame's share of the divergence by every probe."""
    shares = []
    for probe in probes:
        (gradient,) = torch.autograd.grad(velocity, x_t, probe.expand_as(velocity), retain_graph=True)
        shares.append((gradient * probe).sum(dim=-1))
    return torch.stack(shares, dim=-1)
