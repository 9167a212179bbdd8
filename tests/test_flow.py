"""Flow matching as mathematics: orders of solvers, derivatives of paths, closed forms of grids, guidance and loss."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tts_fm import plugins
from tts_fm.flow import noise, objective, time_grid
from tts_fm.flow.paths import Path
from tts_fm.flow.solvers import Solver
from tts_fm.types import VelocityField

SOLVERS, PATHS = plugins.names(Solver), plugins.names(Path)


def grid(steps: int) -> Tensor:
    return torch.linspace(0, 1, steps + 1, dtype=torch.float64)


def growth(x: Tensor, t: Tensor) -> Tensor:
    return x


def logistic(x: Tensor, t: Tensor) -> Tensor:
    """``dx/dt = x (1 - x) cos(t)``, solved by ``sigmoid(logit(x_0) + sin(t))``."""
    return x * (1 - x) * torch.cos(t)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("field", [growth, logistic])
def test_the_error_shrinks_with_the_claimed_order(name: str, field: VelocityField) -> None:
    solver, x_0 = plugins.load(Solver, name)(), torch.tensor([[[0.3]]], dtype=torch.float64)
    exact = x_0 * math.e if field is growth else torch.sigmoid(torch.logit(x_0) + math.sin(1))
    coarse, fine = ((solver.solve(field, x_0, grid(steps)) - exact).abs().item() for steps in (64, 128))
    assert math.log2(coarse / fine) == pytest.approx(solver.order, abs=0.1)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_solver_says_at_which_times_it_evaluates(name: str) -> None:
    solver, seen = plugins.load(Solver, name)(), []

    def field(x: Tensor, t: Tensor) -> Tensor:
        assert t.shape == ()
        seen.append(t.item())
        return x

    uneven = time_grid.build("epss", 7, -1.0)
    calls: list[tuple[int, int]] = []
    solver.solve(field, torch.ones(1, 2, 3), uneven, lambda done, steps: calls.append((done, steps)))
    assert seen == solver.times(uneven).tolist()
    assert calls == [(i, 7) for i in range(1, 8)]


@pytest.mark.parametrize("name", SOLVERS)
def test_a_straight_flow_is_exact_in_one_step(name: str) -> None:
    x_0, x_1 = torch.randn(2, 3, 4, dtype=torch.float64), torch.randn(2, 3, 4, dtype=torch.float64)
    assert torch.allclose(plugins.load(Solver, name)().solve(lambda x, t: x_1 - x_0, x_0, grid(1)), x_1)


@pytest.mark.parametrize("name", PATHS)
def test_a_path_leads_from_noise_to_data(name: str) -> None:
    path = plugins.load(Path, name)(plugins.load(Path, name).Options())
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert path.alpha(ends).tolist() == pytest.approx([0, 1], abs=1e-2)
    assert path.sigma(ends).tolist() == pytest.approx([1, 0], abs=1e-2)


@pytest.mark.parametrize("name", PATHS)
def test_derivatives_are_those_of_the_coefficients(name: str) -> None:
    path = plugins.load(Path, name)(plugins.load(Path, name).Options())
    t = torch.linspace(0.01, 0.99, 50, dtype=torch.float64, requires_grad=True)
    for value, derivative in ((path.alpha, path.d_alpha), (path.sigma, path.d_sigma)):
        (expected,) = torch.autograd.grad(value(t).sum(), t)
        assert torch.allclose(derivative(t), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", PATHS)
def test_the_velocity_is_the_derivative_of_the_point(name: str) -> None:
    path = plugins.load(Path, name)(plugins.load(Path, name).Options())
    x_0, x_1 = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    t = torch.linspace(0.1, 0.9, 5, dtype=torch.float64)
    h = 1e-6
    moved = (path.sample(x_0, x_1, t + h).x_t - path.sample(x_0, x_1, t - h).x_t) / (2 * h)
    point = path.sample(x_0, x_1, t)
    assert torch.allclose(point.velocity, moved, rtol=1e-6, atol=1e-7)
    assert point.x_t.shape == point.velocity.shape == x_1.shape


def test_optimal_transport_is_a_straight_line() -> None:
    kind = plugins.load(Path, "cond_ot")
    x_0, x_1, t = torch.randn(4, 3, 2), torch.randn(4, 3, 2), torch.rand(4)
    point = kind(kind.Options()).sample(x_0, x_1, t)
    assert torch.allclose(point.velocity, x_1 - x_0)
    assert torch.allclose(point.x_t, (1 - t)[:, None, None] * x_0 + t[:, None, None] * x_1)
    assert kind(kind.Options(sigma_min=0.1)).sigma(torch.tensor(1.0)).item() == pytest.approx(0.1)


@pytest.mark.parametrize("strength", [-1.0, -0.5, 0.0, 0.7, 2 / (math.pi - 2)])
def test_sway_is_monotonic_and_keeps_the_ends(strength: float) -> None:
    swayed = time_grid.sway(grid(1000), strength)
    assert swayed[0].item() == 0 and swayed[-1].item() == pytest.approx(1, abs=1e-12)
    assert (swayed.diff() >= -1e-12).all()


def test_sway_closed_forms() -> None:
    t = grid(50)
    assert torch.equal(time_grid.sway(t, 0.0), t)
    assert torch.allclose(time_grid.sway(t, -1.0), 1 - torch.cos(math.pi / 2 * t))
    assert torch.allclose(time_grid.sway(t, 1.0), 2 * t + torch.cos(math.pi / 2 * t) - 1)


@pytest.mark.parametrize("steps", range(1, 65))
def test_grids_have_the_steps_asked_for(steps: int) -> None:
    for name in ("uniform", "epss"):
        times = time_grid.build(name, steps, 0.0)
        assert len(times) == steps + 1 and times[0] == 0 and times[-1] == 1 and (times.diff() > 0).all()


def test_pruned_grids_lie_on_32_steps() -> None:
    for steps in (5, 6, 7, 10, 12, 16):
        times = time_grid.epss(steps) * 32
        assert torch.equal(times, times.round())
        assert times.diff().min() == times.diff()[0], "the first steps are the finest"
    assert torch.equal(time_grid.epss(32), time_grid.uniform(32))


def test_noise_depends_on_the_seed_alone() -> None:
    state = torch.get_rng_state()
    one = noise.noise(7, 57, 100)
    assert torch.equal(torch.get_rng_state(), state), "the global generator is left alone"
    torch.manual_seed(7)
    assert torch.equal(one, torch.randn(57, 100))
    assert not torch.equal(one, noise.noise(8, 57, 100))
    many = noise.noise(3, 1000, 100)
    assert abs(many.mean().item()) < 0.01 and many.std().item() == pytest.approx(1, abs=0.01)


def test_the_loss_is_the_mean_square_over_target_frames_only() -> None:
    predicted, target = torch.zeros(2, 3, 4), torch.full((2, 3, 4), 2.0)
    is_target = torch.tensor([[True, False, True], [False, False, True]])
    target[0, 0] = 4.0
    predicted[~is_target] = 1e6
    assert objective.velocity_loss(predicted, target, is_target).item() == pytest.approx((16 + 4 + 4) / 3)
    nothing = torch.zeros_like(is_target)
    assert objective.velocity_loss(torch.zeros(2, 3, 4), target, nothing).item() == 0


def test_laws_of_time() -> None:
    generator = torch.Generator().manual_seed(0)
    t = objective.draw_times("uniform", 20_000, generator)
    assert t.min() >= 0 and t.max() < 1 and t.mean().item() == pytest.approx(0.5, abs=0.01)
    t = objective.draw_times("logit_normal", 20_000, generator, mean=-0.4, scale=1.5)
    assert torch.logit(t).mean().item() == pytest.approx(-0.4, abs=0.05)
    assert torch.logit(t).std().item() == pytest.approx(1.5, abs=0.05)
