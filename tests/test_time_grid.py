"""Time grids lead from 0 to 1, and are the published ones; so are the laws of time in training."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch

from tts_fm.flow import objective, time_grid
from tts_fm.flow.objective import MAX_MODE_SCALE, TimeLaw
from tts_fm.flow.time_grid import GridName

NAMES = [name for name in get_args(GridName) if name != "optimal"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [*range(1, 65), 1000])
def test_grids_lead_from_0_to_1_in_the_steps_asked_for(name: GridName, steps: int) -> None:
    for sway in (-1.0, 0.0, 1.0):
        for shift in (0.3, 1.0, 3.0):
            times = time_grid.build(name, steps, sway, shift)
            assert times.shape == (steps + 1,) and times[0] == 0 and times[-1] == 1 and (times.diff() > 0).all()


@pytest.mark.parametrize(
    ("at", "first", "rest"),
    [
        (0.6, [0, 0.25, 0.5], [0.6, 0.75, 1]),
        (0.5, [0, 0.25, 0.5], [0.5, 0.75, 1]),
        (0.1, [0, 0.25], [0.1, 0.25, 0.5, 0.75, 1]),
        (1.0, [0, 0.25, 0.5, 0.75, 1], [1]),
    ],
)
def test_a_grid_is_split_where_it_is_told(at: float, first: list[float], rest: list[float]) -> None:
    before, behind = time_grid.split(time_grid.uniform(4), at)
    assert before.tolist() == first
    torch.testing.assert_close(behind, torch.tensor(rest, dtype=behind.dtype), rtol=0, atol=1e-7)


def test_uniform_steps_are_equal() -> None:
    assert time_grid.uniform(4).tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_pruned_grids_lie_on_32_steps() -> None:
    for steps in (5, 6, 7, 10, 12, 16):
        times = time_grid.epss(steps) * 32
        assert torch.equal(times, times.round())
        assert times.diff().min() == times.diff()[0], "the first steps are the finest"
    assert torch.equal(time_grid.epss(32), time_grid.uniform(32))


def test_cosine_is_the_uniform_grid_swayed_by_minus_1() -> None:
    assert time_grid.cosine(3).tolist() == pytest.approx([0, 1 - math.sqrt(3) / 2, 0.5, 1], abs=1e-15)
    assert torch.equal(time_grid.build("cosine", 9), time_grid.build("uniform", 9, -1.0))


def test_linear_quadratic_is_the_published_parabola() -> None:
    for steps, slope in ((2, 0.025), (7, 0.025), (16, 0.1), (64, 0.025)):
        half = steps // 2
        a = (half - slope * steps) / (half * (steps - half) ** 2)
        b = slope / half - 2 * (half - slope * steps) / (steps - half) ** 2
        published = [i * slope / half if i < half else a * i * i + b * i + a * half * half for i in range(steps)]
        assert time_grid.linear_quadratic(steps, slope).tolist() == pytest.approx([*published, 1.0], abs=1e-12)
    assert time_grid.linear_quadratic(16)[8].item() == pytest.approx(0.025, abs=1e-15)


def test_shift_closed_forms() -> None:
    t = time_grid.uniform(4)
    assert torch.equal(time_grid.shift(t, 1.0), t)
    assert time_grid.shift(t, 0.5).tolist() == pytest.approx([0, 1 / 7, 1 / 3, 3 / 5, 1])
    assert torch.allclose(1 - time_grid.shift(1 - t, 3.0), time_grid.shift(t, 1 / 3)), "from the other end"
    assert torch.allclose(time_grid.shift(time_grid.shift(t, 0.2), 5.0), t)


@pytest.mark.parametrize("strength", [-1.0, -0.5, 0.0, 0.7, 2 / (math.pi - 2)])
def test_sway_is_monotonic_and_keeps_the_ends(strength: float) -> None:
    swayed = time_grid.sway(time_grid.uniform(1000), strength)
    assert swayed[0].item() == 0 and swayed[-1].item() == pytest.approx(1, abs=1e-12)
    assert (swayed.diff() >= -1e-12).all()


def test_sway_closed_forms() -> None:
    t = time_grid.uniform(50)
    assert torch.equal(time_grid.sway(t, 0.0), t)
    assert torch.allclose(time_grid.sway(t, -1.0), 1 - torch.cos(math.pi / 2 * t))
    assert torch.allclose(time_grid.sway(t, 1.0), 2 * t + torch.cos(math.pi / 2 * t) - 1)


@pytest.mark.parametrize("law", get_args(TimeLaw))
def test_times_lie_between_noise_and_data_and_follow_the_seed(law: TimeLaw) -> None:
    one, same, other = (objective.draw_times(law, 10_000, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert one.min() >= 0 and one.max() <= 1
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert one.mean().item() == pytest.approx(0.5, abs=0.01)


def test_the_law_logit_normal_has_its_mean_and_scale() -> None:
    t = objective.draw_times("logit_normal", 20_000, torch.Generator().manual_seed(0), mean=-0.4, scale=1.5)
    assert torch.logit(t).mean().item() == pytest.approx(-0.4, abs=0.05)
    assert torch.logit(t).std().item() == pytest.approx(1.5, abs=0.05)


def test_the_law_mode_is_that_of_stable_diffusion_3() -> None:
    scale = 1.29
    t = objective.draw_times("mode", 200_000, torch.Generator().manual_seed(0), scale=scale)
    u = torch.linspace(0, 1, 1001)
    published = 1 - u - scale * (torch.cos(math.pi / 2 * u) ** 2 - 1 + u)  # falls from 1 to 0
    share = torch.linspace(0.1, 0.9, 9)
    assert torch.allclose(t[:100_000].quantile(share), published.flip(0)[(share * 1000).long()], atol=0.005)
    middle = ((t > 0.495) & (t < 0.505)).float().mean().item()
    assert middle == pytest.approx(0.01 / (1 - scale * (math.pi / 2 - 1)), rel=0.1), "the density is highest there"


def test_the_law_mode_may_not_run_backwards() -> None:
    from tts_fm.config import FlowOptions, parse

    assert FlowOptions(time_law="mode", time_scale=MAX_MODE_SCALE).time_scale == MAX_MODE_SCALE
    with pytest.raises(ValueError, match="time_scale is 2; time_law 'mode' takes at most 1.7519"):
        parse(FlowOptions, {"time_law": "mode", "time_scale": 2.0}, "run.yaml")
