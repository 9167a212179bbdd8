"""Learning by maximum likelihood: its loss, its gradient, what it costs, and that it finds a Gaussian."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tts_fm import plugins
from tts_fm.flow import likelihood, time_grid
from tts_fm.flow.maximum_likelihood import maximum_likelihood_loss
from tts_fm.flow.solvers import Solver

RK4 = plugins.load(Solver, "rk4")()
FINE = time_grid.uniform(100)


class Counted(nn.Module):
    """A small network that counts its evaluations."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 2)).double()
        self.evaluations = 0

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.evaluations += 1
        return 2 * self.layers(torch.cat([x, t.expand(*x.shape[:2], 1)], dim=-1))

    def gradient(self) -> Tensor:
        """All gradients in one row."""
        return torch.cat([parameter.grad.flatten() for parameter in self.parameters() if parameter.grad is not None])


def points(count: int = 20) -> Tensor:
    return torch.randn(count, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def probes_of(count: int) -> Tensor | None:
    return likelihood.rademacher(2, count, 2, 2).double() if count else None


@pytest.mark.parametrize("probes", [0, 1, 3])
def test_the_loss_is_what_the_likelihood_says(probes: int) -> None:
    net, x_1 = Counted(), points()
    loss = maximum_likelihood_loss(net, x_1, probes_of(probes), tolerance=1e-9)
    expected = -likelihood.log_likelihood(net, x_1, RK4, FINE, probes_of(probes)).total.mean()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-7)


@pytest.mark.parametrize("probes", [0, 2])
def test_the_adjoint_gradient_is_the_one_through_a_fine_solver(probes: int) -> None:
    by_adjoint, through_steps, x_1 = Counted(), Counted(), points()
    maximum_likelihood_loss(by_adjoint, x_1, probes_of(probes), tolerance=1e-9).backward()
    found = likelihood.density_change(
        through_steps, x_1, probes_of(probes), lambda field, state: RK4.solve(field, state, FINE.flip(0))
    )
    (-found.total.mean()).backward()
    assert through_steps.gradient().norm() > 0.1, "there is something to compare"
    assert len(by_adjoint.gradient()) == len(through_steps.gradient()) >= 96
    torch.testing.assert_close(by_adjoint.gradient(), through_steps.gradient(), atol=1e-7, rtol=1e-6)


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    net, x_1 = Counted(), points()
    weight = net.layers[0].weight
    maximum_likelihood_loss(net, x_1, tolerance=1e-9).backward()
    losses = []
    for shift in (1e-4, -2e-4):
        with torch.no_grad():
            weight[3, 1] += shift
        losses.append(maximum_likelihood_loss(net, x_1, tolerance=1e-10).item())
    assert weight.grad is not None
    assert weight.grad[3, 1].item() == pytest.approx((losses[0] - losses[1]) / 2e-4, abs=1e-6)


class Kept:
    """A tensor that waits for the way back."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.detach()


def kept_by(loss_of: Callable[[], Tensor]) -> int:
    """Return how many tensors a loss holds for its gradient."""
    waiting: weakref.WeakSet[Kept] = weakref.WeakSet()

    def pack(tensor: Tensor) -> Kept:
        kept = Kept(tensor)
        waiting.add(kept)
        return kept

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
        loss = loss_of()
    assert loss.requires_grad
    return len(waiting)


def test_memory_does_not_grow_with_the_evaluations() -> None:
    evaluations, kept = [], []
    for tolerance in (1e-3, 1e-6, 1e-9):
        net = Counted()
        loss = maximum_likelihood_loss(net, points(), tolerance=tolerance)
        back_to_noise = net.evaluations
        loss.backward()
        evaluations.append((back_to_noise, net.evaluations - back_to_noise))
        kept.append(
            kept_by(lambda net=net, tolerance=tolerance: maximum_likelihood_loss(net, points(), None, tolerance))
        )
    for one, finer in zip(evaluations, evaluations[1:], strict=False):
        assert finer[0] > 1.5 * one[0] and finer[1] > 1.5 * one[1], evaluations
    assert kept[0] == kept[1] == kept[2] < 12, kept

    def through_steps() -> Tensor:
        solve = lambda field, state: RK4.solve(field, state, FINE.flip(0))  # noqa: E731
        return -likelihood.density_change(Counted(), points(), None, solve).total.mean()

    assert kept_by(through_steps) > 1000


def test_a_gaussian_is_learned() -> None:
    mean = torch.tensor([1.0, -0.5])
    root = torch.tensor([[0.8, 0.0], [0.5, 0.4]])

    class Affine(nn.Module):
        """The smallest field that leads a normal density to any Gaussian."""

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)
            nn.init.zeros_(self.layer.weight)
            nn.init.zeros_(self.layer.bias)

        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            return self.layer(x)

    net, generator = Affine(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.15)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 35)
    for _ in range(35):
        x_1 = (mean + torch.randn(1000, 2, generator=generator) @ root.T)[:, None]
        optimizer.zero_grad()
        maximum_likelihood_loss(net, x_1, tolerance=1e-3).backward()
        optimizer.step()
        schedule.step()
    x_0 = torch.randn(20_000, 1, 2, generator=generator)
    with torch.no_grad():
        x_1 = RK4.solve(net, x_0, time_grid.uniform(20).float()).squeeze(1)
    assert torch.allclose(x_1.mean(dim=0), mean, atol=0.05)
    assert torch.allclose(x_1.T.cov(), root @ root.T, atol=0.05)
