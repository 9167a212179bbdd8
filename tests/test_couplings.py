"""Couplings lose no noise, keep its law, and optimal transport makes a flow straighter."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import two_dimensions
from torch import Tensor

from tts_fm import plugins
from tts_fm.flow.couplings import Coupling
from tts_fm.flow.paths import Path

COUPLINGS = plugins.names(Coupling)


def build(interface: type, name: str):
    kind = plugins.load(interface, name)
    return kind(kind.Options())


def moons(count: int, generator: torch.Generator) -> Tensor:
    """Two half circles, each reaching into the other."""
    angle = math.pi * torch.rand(count, generator=generator)
    side = torch.randint(2, (count,), generator=generator) * 2 - 1
    points = torch.stack([side * (torch.cos(angle) - 0.5), side * (torch.sin(angle) - 0.25)], dim=-1)
    return 1.5 * points[:, None] + 0.05 * torch.randn(count, 1, 2, generator=generator)


def eight(count: int, generator: torch.Generator) -> Tensor:
    """Eight small Gaussians on a circle."""
    angle = math.pi / 4 * torch.randint(8, (count,), generator=generator)
    centres = 2.0 * torch.stack([torch.cos(angle), torch.sin(angle)], dim=-1)
    return centres[:, None] + 0.15 * torch.randn(count, 1, 2, generator=generator)


def batch(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Noise, speech and which frames are valid, of six utterances of 5 to 9 frames."""
    generator = torch.Generator().manual_seed(seed)
    x_0, x_1 = torch.randn(2, 6, 9, 4, generator=generator)
    is_valid = torch.arange(9) < torch.tensor([5, 9, 7, 6, 9, 8])[:, None]
    return x_0, x_1 * is_valid[..., None], is_valid


@pytest.mark.parametrize("name", COUPLINGS)
def test_every_noise_is_used_once(name: str) -> None:
    x_0, x_1, is_valid = batch()
    paired = build(Coupling, name).pair(x_0, x_1, is_valid)
    order = [int((x_0 == row).all(dim=(1, 2)).nonzero()) for row in paired]
    assert sorted(order) == list(range(6))


def test_independent_changes_nothing() -> None:
    x_0, x_1, is_valid = batch()
    assert build(Coupling, "independent").pair(x_0, x_1, is_valid) is x_0


def test_optimal_transport_has_the_least_cost_of_all_orders_on_common_frames() -> None:
    for seed in range(5):
        x_0, x_1, is_valid = batch(seed)

        def cost(noise: Tensor, x_1: Tensor = x_1) -> float:
            return (noise - x_1)[:, :5].square().sum().item()

        paired = build(Coupling, "minibatch_ot").pair(x_0, x_1, is_valid)
        least = min(cost(x_0[list(order)]) for order in itertools.permutations(range(6)))
        assert cost(paired) == pytest.approx(least, rel=1e-6)
        x_0[:, 5:] *= 100
        assert torch.equal(build(Coupling, "minibatch_ot").pair(x_0, x_1, is_valid)[:, :5], paired[:, :5])


def test_a_batch_without_common_frames_is_left_in_some_order() -> None:
    x_0, x_1, is_valid = batch()
    paired = build(Coupling, "minibatch_ot").pair(x_0, x_1, torch.zeros_like(is_valid))
    assert torch.equal(paired.sum(dim=0).sort().values, x_0.sum(dim=0).sort().values)


@pytest.mark.parametrize("data", [moons, eight])
def test_optimal_transport_makes_the_flow_straighter(data) -> None:
    path = build(Path, "cond_ot")
    plain, transported = (
        two_dimensions.bend(two_dimensions.train(path, build(Coupling, name), data, updates=250))
        for name in ("independent", "minibatch_ot")
    )
    assert transported < 0.1 * plain
