"""Paths begin and end exactly, their velocities are derivatives, and every prediction gives the others."""

from __future__ import annotations

import itertools
from typing import get_args

import mixture
import pytest
import torch
from pydantic import ValidationError

from tts_fm import plugins
from tts_fm.flow import parametrization
from tts_fm.flow.parametrization import Prediction
from tts_fm.flow.paths import Path

PATHS = plugins.names(Path)
EDGES = [
    ("cond_ot", {"sigma_min": 0.1}),
    ("vp", {"beta_min": 0.0, "beta_max": 5.0}),
    ("vp", {"beta_min": 3.0, "beta_max": 3.0}),
    ("polynomial", {"degree": 1.0}),
    ("polynomial", {"degree": 3.5}),
]
ALL = [*((name, {}) for name in PATHS), *EDGES]
PAIRS = list(itertools.product(get_args(Prediction), repeat=2))


def build(name: str, **options: float) -> Path:
    kind = plugins.load(Path, name)
    return kind(kind.Options(**options))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "options"), [case for case in ALL if "sigma_min" not in case[1]])
def test_a_path_is_noise_at_0_and_data_at_1_exactly(name: str, options: dict, dtype: torch.dtype) -> None:
    x_0, x_1 = torch.randn(2, 5, 3, 4, dtype=dtype)
    for t, end in ((torch.zeros(5, dtype=dtype), x_0), (torch.ones(5, dtype=dtype), x_1)):
        assert torch.equal(build(name, **options).sample(x_0, x_1, t).x_t, end)


@pytest.mark.parametrize(("name", "options"), ALL)
def test_the_velocity_is_the_derivative_of_the_point(name: str, options: dict) -> None:
    path = build(name, **options)
    x_0, x_1 = torch.randn(2, 99, 3, 4, dtype=torch.float64)
    t = torch.linspace(0.01, 0.99, 99, dtype=torch.float64, requires_grad=True)
    point = path.sample(x_0, x_1, t)
    parts = [torch.autograd.grad(part.sum(), t, retain_graph=True)[0] for part in point.x_t.flatten(1).unbind(1)]
    assert point.x_t.shape == point.velocity.shape == x_1.shape
    assert (point.velocity.flatten(1) - torch.stack(parts, dim=1)).abs().max() < 1e-10


@pytest.mark.parametrize(("name", "options"), ALL)
def test_the_signal_never_weakens_against_the_noise(name: str, options: dict) -> None:
    path, t = build(name, **options), torch.linspace(0, 1, 1001, dtype=torch.float64)
    assert (path.alpha(t).diff() > 0).all() and (path.sigma(t).diff() < 0).all()


@pytest.mark.parametrize("name", ["vp", "cosine"])
def test_diffusion_paths_preserve_the_variance(name: str) -> None:
    path, t = build(name), torch.linspace(0, 1, 101, dtype=torch.float64)
    assert (path.alpha(t) ** 2 + path.sigma(t) ** 2 - 1).abs().max() < 1e-12


def test_vp_is_the_published_path_but_for_its_trace_of_data() -> None:
    t = torch.linspace(0, 1, 101, dtype=torch.float64)
    s = 1 - t
    published = torch.exp(-0.5 * (0.1 * s + 0.5 * (20 - 0.1) * s**2))
    assert published[0].item() == pytest.approx(0.00657, abs=1e-5)
    assert (build("vp").alpha(t) - published).abs().max() <= published[0] + 1e-12


def test_optimal_transport_is_a_straight_line() -> None:
    x_0, x_1, t = torch.randn(4, 3, 2), torch.randn(4, 3, 2), torch.rand(4)
    for path in (build("cond_ot"), build("polynomial", degree=1)):
        point = path.sample(x_0, x_1, t)
        assert torch.allclose(point.velocity, x_1 - x_0)
        assert torch.allclose(point.x_t, (1 - t)[:, None, None] * x_0 + t[:, None, None] * x_1, atol=1e-6)
    assert build("cond_ot", sigma_min=0.1).sigma(torch.tensor(1.0)).item() == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("polynomial", {"degree": 0.5}),
        ("vp", {"beta_min": 2.0, "beta_max": 1.0}),
        ("vp", {"beta_min": -1.0}),
        ("cond_ot", {"sigma_min": 1.0}),
    ],
)
def test_paths_that_lead_nowhere_are_refused(name: str, options: dict) -> None:
    with pytest.raises(ValidationError, match=next(reversed(options))):
        build(name, **options)


@pytest.mark.parametrize(("given", "wanted"), PAIRS)
@pytest.mark.parametrize(("name", "options"), ALL)
def test_every_prediction_gives_the_others(name: str, options: dict, given: Prediction, wanted: Prediction) -> None:
    path = build(name, **options)
    x_0, x_1 = torch.randn(2, 81, 3, 4, dtype=torch.float64)
    t = torch.linspace(0.1, 0.9, 81, dtype=torch.float64)
    point = path.sample(x_0, x_1, t)
    true = {"velocity": point.velocity, "noise": x_0, "clean": x_1, "score": -x_0 / path.sigma(t)[:, None, None]}
    there = parametrization.convert(path, true[given], point.x_t, t, given=given, wanted=wanted)
    assert (there - true[wanted]).abs().max() < 1e-10
    back = parametrization.convert(path, there, point.x_t, t, given=wanted, wanted=given)
    assert (back - true[given]).abs().max() < 1e-10
    alone = parametrization.convert(path, true[given][3:4], point.x_t[3:4], t[3], given=given, wanted=wanted)
    assert torch.allclose(alone, there[3:4], rtol=1e-12), "a time without a batch dimension"


@pytest.mark.parametrize("name", PATHS)
def test_at_the_start_everything_is_noise(name: str) -> None:
    x_t, velocity = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    assert torch.equal(parametrization.noise_from_velocity(build(name), velocity, x_t, torch.zeros(5).double()), x_t)


@pytest.mark.parametrize("name", PATHS)
def test_the_score_of_a_mixture_is_its_gradient(name: str) -> None:
    path = build(name)
    for t in torch.linspace(0.1, 0.9, 9, dtype=torch.float64):
        x = torch.randn(50, 1, 2, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(mixture.log_density(path, x, t).sum(), x)
        velocity = mixture.velocity(path, x, t)
        score = parametrization.convert(path, velocity, x, t, given="velocity", wanted="score")
        assert (score - gradient).abs().max() < 1e-10


@pytest.mark.parametrize(("name", "options"), ALL)
def test_two_states_of_a_path_tell_where_it_ends(name: str, options: dict) -> None:
    path, (x_0, x_1) = build(name, **options), torch.randn(2, 5, 3, 4, dtype=torch.float64)
    for times in ((0.0, 0.2), (0.3, 0.8), (0.6, 1.0)):
        s, t = torch.tensor(times, dtype=torch.float64)
        x_s, x_t = (path.sample(x_0, x_1, at.expand(5)).x_t for at in (s, t))
        torch.testing.assert_close(path.end(x_s, s, x_t, t), x_1, rtol=0, atol=1e-9)
