"""Flows that are known in closed form: sampled as an ODE and as an SDE, and learned by a network."""

from __future__ import annotations

import mixture
import pytest
import torch
import two_dimensions
from torch import Tensor

from tts_fm import plugins
from tts_fm.flow import sde, time_grid
from tts_fm.flow.couplings import Coupling
from tts_fm.flow.paths import Path
from tts_fm.flow.solvers import Solver

PATHS = plugins.names(Path)


def build(interface: type, name: str):
    kind = plugins.load(interface, name)
    return kind(kind.Options())


def assert_is_the_mixture(x: Tensor) -> None:
    """Mean and covariance of ``x`` lie within 3 standard errors of the true ones."""
    x = x.squeeze(1)
    root = len(x) ** 0.5
    assert ((x.mean(dim=0) - mixture.MEAN).abs() < 3 * x.std(dim=0) / root).all()
    centred = x - mixture.MEAN
    products = centred[:, :, None] * centred[:, None]  # b 2 2
    assert ((products.mean(dim=0) - mixture.COVARIANCE).abs() < 3 * products.std(dim=0) / root).all()


def normal(count: int, seed: int) -> Tensor:
    return torch.randn(count, 1, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", PATHS)
def test_the_flow_of_a_mixture_ends_in_the_mixture(name: str) -> None:
    path = build(Path, name)
    solver = plugins.load(Solver, "midpoint")()
    x_1 = solver.solve(lambda x, t: mixture.velocity(path, x, t), normal(10_000, 3), time_grid.uniform(100))
    assert_is_the_mixture(x_1)


@pytest.mark.parametrize("strength", [0.5, 2.0])
@pytest.mark.parametrize("name", PATHS)
def test_the_diffusion_of_a_mixture_ends_in_the_mixture(name: str, strength: float) -> None:
    path, generator = build(Path, name), torch.Generator().manual_seed(4)
    x_0 = normal(10_000, 5)
    x_1 = sde.euler_maruyama(
        lambda x, t: mixture.velocity(path, x, t),
        path,
        x_0,
        time_grid.uniform(400),
        strength,
        lambda: torch.randn(10_000, 1, 2, dtype=torch.float64, generator=generator),
    )
    assert_is_the_mixture(x_1)


def test_a_diffusion_forgets_its_start_and_a_flow_does_not() -> None:
    path = build(Path, "cond_ot")
    x_0, generator = torch.ones(500, 1, 2, dtype=torch.float64), torch.Generator().manual_seed(4)

    def end(strength: float) -> Tensor:
        return sde.euler_maruyama(
            lambda x, t: mixture.velocity(path, x, t),
            path,
            x_0,
            time_grid.uniform(50),
            strength,
            lambda: torch.randn(x_0.shape, dtype=torch.float64, generator=generator),
        )

    euler = plugins.load(Solver, "euler")()
    field = lambda x, t: mixture.velocity(path, x, t)  # noqa: E731
    assert torch.allclose(end(0.0), euler.solve(field, x_0, time_grid.uniform(50)), atol=1e-12)
    assert end(2.0).std(dim=0).min() > 0.3


def test_a_network_learns_the_marginal_velocity() -> None:
    path = build(Path, "cond_ot")
    net = two_dimensions.train(path, build(Coupling, "independent"), mixture.draw, updates=1500)
    generator = torch.Generator().manual_seed(1)
    t = torch.rand(4000, dtype=torch.float64, generator=generator)
    point = path.sample(normal(4000, 2), mixture.draw(4000, generator), t)
    true = mixture.velocity(path, point.x_t, t)
    with torch.no_grad():
        learned = net(point.x_t.float(), t.float())
    unlearnable = (point.velocity - true).square().mean()  # what is left of the loss at its minimum
    miss = (learned - true).square().mean()
    assert miss < 0.05 * true.square().mean() and miss < 0.03 * unlearnable
