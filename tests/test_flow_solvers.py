"""Solvers keep what they say of themselves: order, evaluations, times."""

from __future__ import annotations

import math
import sys

import pytest
import torch
from torch import Tensor

from tts_fm import plugins
from tts_fm.flow import solvers, time_grid
from tts_fm.flow.solvers import Solver
from tts_fm.types import VelocityField

SOLVERS = plugins.names(Solver)
TABULATED = [name for name in SOLVERS if plugins.load(Solver, name)().times(torch.linspace(0, 1, 3)) is not None]
ADAPTIVE = [name for name in SOLVERS if name not in TABULATED]


def grid(steps: int) -> Tensor:
    return torch.linspace(0, 1, steps + 1, dtype=torch.float64)


def growth(x: Tensor, t: Tensor) -> Tensor:
    return x


def logistic(x: Tensor, t: Tensor) -> Tensor:
    """``dx/dt = x (1 - x) cos(t)``, solved by ``sigmoid(logit(x_0) + sin(t))``."""
    return x * (1 - x) * torch.cos(t)


def build(name: str, steps: int) -> Solver:
    """Return the solver, one with error control held to ``steps`` equal steps."""
    kind = plugins.load(Solver, name)
    return kind() if name in TABULATED else kind(min_step=1 / steps, max_step=1 / steps)  # type: ignore[call-arg]


def error(name: str, field: VelocityField, steps: int, sway: float = 0.0) -> float:
    """Return how far the solution at ``t = 1`` is from the true one."""
    x_0 = torch.tensor([[[0.3]]], dtype=torch.float64)
    exact = x_0 * math.e if field is growth else torch.sigmoid(torch.logit(x_0) + math.sin(1))
    return (build(name, steps).solve(field, x_0, time_grid.sway(grid(steps), sway)) - exact).abs().item()


def evaluations(name: str, steps: int) -> int:
    times: list[float] = []

    def field(x: Tensor, t: Tensor) -> Tensor:
        times.append(t.item())
        return x

    build(name, steps).solve(field, torch.ones(1, 2, 3, dtype=torch.float64), grid(steps))
    return len(times)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("field", [growth, logistic])
def test_the_error_shrinks_with_the_claimed_order(name: str, field: VelocityField) -> None:
    order = plugins.load(Solver, name).order
    steps = min(128, 2 ** round(20 / order))  # far from the rounding of float64
    measured = math.log2(error(name, field, steps) / error(name, field, 2 * steps))
    assert measured == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("name", TABULATED)
@pytest.mark.parametrize("sway", [-1.0, 1.0])
def test_the_order_holds_on_an_uneven_grid(name: str, sway: float) -> None:
    order = plugins.load(Solver, name).order
    steps = min(256, 2 ** round(28 / order))
    measured = math.log2(error(name, logistic, steps, sway) / error(name, logistic, 2 * steps, sway))
    assert measured == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_step_costs_the_claimed_evaluations(name: str) -> None:
    assert evaluations(name, 32) - evaluations(name, 16) == 16 * plugins.load(Solver, name).evaluations


def test_methods_with_a_memory_cost_one_evaluation_a_step() -> None:
    assert [evaluations(name, 16) for name in ("euler", "ab2", "ab3")] == [16, 16, 17]


@pytest.mark.parametrize("name", TABULATED)
@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_a_solver_says_at_which_times_it_evaluates(name: str, steps: int) -> None:
    solver, seen = plugins.load(Solver, name)(), []

    def field(x: Tensor, t: Tensor) -> Tensor:
        assert t.shape == ()
        seen.append(t.item())
        return x

    uneven = time_grid.build("epss", steps, -1.0)
    calls: list[tuple[int, int]] = []
    solver.solve(field, torch.ones(1, 2, 3), uneven, lambda done, steps: calls.append((done, steps)))
    times = solver.times(uneven)
    assert times is not None and seen == times.tolist()
    assert calls == [(i, steps) for i in range(1, steps + 1)]


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_straight_flow_is_exact_in_any_number_of_steps(name: str, steps: int) -> None:
    x_0, x_1 = torch.randn(2, 3, 4, dtype=torch.float64), torch.randn(2, 3, 4, dtype=torch.float64)
    solver = plugins.load(Solver, name)()
    assert torch.allclose(solver.solve(lambda x, t: x_1 - x_0, x_0, time_grid.sway(grid(steps), -1.0)), x_1)


def test_adams_weights_are_the_published_ones_on_equal_steps() -> None:
    assert solvers.adams_weights([0.0, 0.1], 0.1, 0.2) == pytest.approx([-0.1 / 2, 0.3 / 2])
    assert solvers.adams_weights([0.0, 1.0, 2.0], 2.0, 3.0) == pytest.approx([5 / 12, -16 / 12, 23 / 12])


def test_adams_weights_integrate_polynomials_over_uneven_steps() -> None:
    times, start, end = [0.0, 0.1, 0.5], 0.5, 0.6
    weights = solvers.adams_weights(times, start, end)
    for power in range(3):
        integral = (end ** (power + 1) - start ** (power + 1)) / (power + 1)
        assert sum(w * t**power for w, t in zip(weights, times, strict=True)) == pytest.approx(integral, abs=1e-14)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_error_control_spends_what_the_tolerance_asks_for(name: str) -> None:
    costs, errors = [], []
    for tolerance in (1e-3, 1e-6, 1e-9):
        times: list[float] = []

        def field(x: Tensor, t: Tensor, times: list[float] = times) -> Tensor:
            times.append(t.item())
            return 10 * torch.cos(10 * t) * x

        solver = plugins.load(Solver, name)(tolerance)
        x_1 = solver.solve(field, torch.ones(1, 1, 1, dtype=torch.float64), grid(1))
        costs.append(len(times))
        errors.append(abs(x_1.item() / math.exp(math.sin(10)) - 1))
        assert errors[-1] < 30 * tolerance
    assert costs == sorted(costs) and costs[0] < costs[1] < costs[2]
    assert errors[0] > errors[1] > errors[2]


def test_dopri5_without_torchdiffeq_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchdiffeq", None)
    with pytest.raises(ValueError, match="dopri5 needs torchdiffeq; pip install torchdiffeq, or take rk4"):
        plugins.load(Solver, "dopri5")().solve(growth, torch.ones(1, 1, 1), torch.linspace(0, 1, 2))
