"""Sampling: an utterance's mel depends on its condition and its seed, and on nothing else."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from tts_fm import infill, plugins
from tts_fm.audio.equalize import like
from tts_fm.backbones import Backbone
from tts_fm.flow import noise
from tts_fm.flow.solvers import Solver
from tts_fm.sampler import Sampler, SamplingOptions
from tts_fm.types import Condition

N_MELS = 12
SEEDS = [5, 6, 7, 8]


class Pull(Backbone):
    """``v = strength - x`` where the condition is told, else ``-x``; counts its evaluations."""

    def __init__(self) -> None:
        super().__init__(plugins.Options(), N_MELS, 10)
        self.strength = torch.nn.Parameter(torch.tensor(2.0))
        self.batches: list[int] = []
        self.times: list[float] | None = []

    @property
    def token_table(self) -> torch.nn.Embedding:
        raise NotImplementedError

    def prepare(self, condition: Condition, times: Tensor | None = None) -> Condition:
        self.times = None if times is None else times.tolist()
        return condition

    def velocity(self, x_t: Tensor, t: Tensor, prepared: Condition) -> Tensor:
        self.batches.append(len(x_t))
        assert self.times is None or t.item() in self.times
        return (self.strength * prepared.has_text[:, None, None] - x_t) * prepared.is_valid[..., None]


def small_dit() -> Backbone:
    kind = plugins.load(Backbone, "dit")
    torch.manual_seed(0)
    backbone = kind(
        kind.Options(dim=32, depth=2, heads=2, head_dim=16, ff_mult=2, text_dim=16, conv_layers=1), N_MELS, 10
    )
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return backbone.eval()


def utterances() -> list[Condition]:
    generator = torch.Generator().manual_seed(1)
    sizes = ((12, 40), (3, 90), (30, 37), (8, 20))
    return [
        infill.continue_prompt(torch.randn(given, N_MELS, generator=generator), list(range(i, i + 5)), frames)
        for i, (given, frames) in enumerate(sizes)
    ]


@pytest.mark.parametrize("guidance", [0.0, 2.0])
def test_the_same_alone_in_a_batch_and_in_other_groups(guidance: float) -> None:
    backbone, conditions = small_dit(), utterances()
    options = SamplingOptions(steps=4, guidance=guidance)
    alone = [Sampler(backbone, options).sample([c], [s])[0] for c, s in zip(conditions, SEEDS, strict=True)]
    for max_frames in (1, 100, 100_000):
        for order in ([0, 1, 2, 3], [2, 0, 3, 1], [1, 2]):
            sampler = Sampler(backbone, options, max_frames=max_frames)
            mels = sampler.sample([conditions[i] for i in order], [SEEDS[i] for i in order])
            for i, mel in zip(order, mels, strict=True):
                assert mel.shape == alone[i].shape
                assert (mel - alone[i]).abs().max() <= 1e-5 * alone[i].abs().max()


def test_prompt_frames_are_returned_exactly() -> None:
    for condition, mel in zip(
        utterances(), Sampler(small_dit(), SamplingOptions(steps=2)).sample(utterances(), SEEDS), strict=True
    ):
        given = int(condition.is_prompt.sum())
        assert torch.equal(mel[:given], condition.prompt_mel[0, :given])


def test_no_guidance_costs_one_evaluation_and_guidance_one_stacked_one() -> None:
    for strength, size in ((0.0, 4), (1.5, 8)):
        backbone = Pull()
        Sampler(backbone, SamplingOptions(steps=3, guidance=strength)).sample(utterances(), SEEDS)
        assert backbone.batches == [size] * 3


@pytest.mark.parametrize("solver", plugins.names(Solver))
def test_the_solution_is_that_of_the_guided_field(solver: str) -> None:
    condition = infill.continue_prompt(torch.zeros(1, N_MELS), [1, 2], 6)
    options = SamplingOptions(solver=solver, grid="uniform", steps=400, guidance=0.5, sway=0)
    (mel,) = Sampler(Pull(), options).sample([condition], [3])
    x_0, goal, e = noise.noise(3, 6, N_MELS), (1 + 0.5) * 2.0, 2.718281828
    assert torch.allclose(mel[1:], (goal + (x_0 - goal) / e)[1:], atol=5e-3)


@pytest.mark.parametrize("solver", plugins.names(Solver))
def test_every_solver_works_on_a_real_backbone(solver: str) -> None:
    """Modulations come from a table, or are computed where the times are not known before."""
    few, many = (
        Sampler(small_dit(), SamplingOptions(solver=solver, steps=steps, tolerance=1e-4)).sample(utterances()[:1], [5])
        for steps in (40, 120)
    )
    for a, b in zip(few, many, strict=True):
        assert (a - b).abs().max() <= 0.03 * b.abs().max()


def test_error_control_takes_no_heed_of_the_steps_and_keeps_its_tolerance() -> None:
    condition = infill.continue_prompt(torch.zeros(1, N_MELS), [1, 2], 6)
    x_0, goal = noise.noise(3, 6, N_MELS), 2.0
    exact, costs, calls = goal + (x_0 - goal) * math.exp(-1), [], []
    for tolerance in (1e-2, 1e-6):
        backbone = Pull()
        options = SamplingOptions(solver="dopri5", steps=5, guidance=0, tolerance=tolerance)
        (mel,) = Sampler(backbone, options).sample([condition], [3], lambda *done: calls.append(done))
        assert (mel - exact)[1:].abs().max() < 10 * tolerance
        costs.append(len(backbone.batches))
    assert costs[0] < costs[1] and calls == [(5, 5)] * 2


@pytest.mark.parametrize("start", [1.0, 0.6])
def test_what_the_way_points_to_is_matched_and_said_anew_from_the_time_told(start: float) -> None:
    """In the field ``2 - x``; all that is matched at 1 stays."""
    prompt = 3 * torch.randn(80, N_MELS, generator=torch.Generator().manual_seed(1)) + 1
    condition = infill.continue_prompt(prompt, [1, 2], 320)
    options = SamplingOptions(solver="dopri5", grid="uniform", sway=0, steps=5, guidance=0, tolerance=1e-6)
    (mel,) = Sampler(Pull(), options, match_prompt=0.8, settle_from=start).sample([condition], [3])
    x_0 = noise.noise(3, 320, N_MELS)[80:]
    x_s, x_t = (2 + (x_0 - 2) * math.exp(-t) for t in (start - 0.2, start))
    pointed = x_s + (1.2 - start) / 0.2 * (x_t - x_s)
    matched = like(pointed, prompt, 0.8)
    expected = 2 + ((1 - start) * x_0 + start * matched - 2) * math.exp(start - 1)
    torch.testing.assert_close(mel[80:], expected, rtol=0, atol=2e-4)
    assert torch.equal(mel[:80], prompt) and (matched - pointed).abs().mean() > 0.3


def test_matched_and_said_anew_an_utterance_is_the_same_alone_and_each_step_is_told() -> None:
    backbone, options, calls = small_dit(), SamplingOptions(grid="uniform", sway=0, steps=4), []
    alone = [
        Sampler(backbone, options, match_prompt=0.7, settle_from=0.6).sample([c], [s])[0]
        for c, s in zip(utterances(), SEEDS, strict=True)
    ]
    sampler = Sampler(backbone, options, match_prompt=0.7, settle_from=0.6)
    together = sampler.sample(utterances(), SEEDS, lambda *done: calls.append(done))
    for one, other in zip(alone, together, strict=True):
        assert (one - other).abs().max() <= 1e-4 * one.abs().max()
    torch.testing.assert_close(sampler.settling, torch.tensor([0.6, 0.75, 1.0]))
    assert calls == [(i, 4) for i in range(1, 5)]
    assert Sampler(backbone, options, settle_from=0.6).settling.tolist() == [1.0]


def test_only_the_first_steps_of_the_whole_way_stand_still() -> None:
    """``cfg_zero`` does not begin anew where the way is settled."""
    backbone, modes = Pull(), {"cfg_zero": {"still_steps": 1}}
    options = SamplingOptions(grid="uniform", sway=0, steps=4, guidance_modes=modes)
    Sampler(backbone, options, match_prompt=0.7, settle_from=0.6).sample(utterances(), SEEDS)
    assert len(backbone.batches) == 3


def test_as_a_diffusion_an_utterance_depends_on_its_own_seed_alone() -> None:
    backbone, conditions = small_dit(), utterances()
    options = SamplingOptions(steps=4, noise=1.0)
    alone = [Sampler(backbone, options).sample([c], [s])[0] for c, s in zip(conditions, SEEDS, strict=True)]
    together = Sampler(backbone, options).sample(conditions, SEEDS)
    other = Sampler(backbone, options).sample(conditions, [seed + 10 for seed in SEEDS])
    flow = Sampler(backbone, SamplingOptions(steps=4)).sample(conditions, SEEDS)
    for a, b, c, d in zip(alone, together, other, flow, strict=True):
        assert (a - b).abs().max() <= 1e-5 * a.abs().max()
        assert not torch.allclose(a, c, atol=0.1) and not torch.allclose(a, d, atol=0.1)


def test_a_diffusion_costs_one_evaluation_a_step() -> None:
    backbone = Pull()
    Sampler(backbone, SamplingOptions(steps=7, noise=0.5, guidance=0)).sample(utterances(), SEEDS)
    assert backbone.batches == [4] * 7


def test_the_noise_of_a_diffusion_is_not_that_of_its_start() -> None:
    draws = [next(stream) for stream in [noise.stream(5, 2000, 10)] for _ in range(3)]
    assert torch.equal(draws[0], noise.noise(5, 2000, 10))
    correlation = torch.corrcoef(torch.stack([draw.flatten() for draw in draws])) - torch.eye(3)
    assert correlation.abs().max() < 3 / math.sqrt(20_000)


def test_progress_counts_every_step_of_every_group() -> None:
    seen: list[tuple[int, int]] = []
    sampler = Sampler(Pull(), SamplingOptions(steps=3), max_frames=90)
    sampler.sample(utterances(), SEEDS, lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(1, seen[-1][1] + 1))
    assert seen[-1][0] == seen[-1][1]


def test_nothing_to_sample_gives_nothing() -> None:
    assert Sampler(Pull(), SamplingOptions()).sample([], []) == []


def test_a_seed_gives_one_mel() -> None:
    sampler, condition = Sampler(small_dit(), SamplingOptions(steps=2)), utterances()[0]
    a, b, c = sampler.sample([condition] * 3, [1, 1, 2])
    assert torch.allclose(a, b) and not torch.allclose(a, c)


def test_lower_precision_keeps_the_state_in_float32() -> None:
    sampler = Sampler(small_dit(), SamplingOptions(steps=2), dtype=torch.bfloat16)
    low, high = (
        sampler.sample(utterances(), SEEDS),
        Sampler(small_dit(), SamplingOptions(steps=2)).sample(utterances(), SEEDS),
    )
    for a, b in zip(low, high, strict=True):
        assert a.dtype == torch.float32
        assert (a - b).abs().max() <= 0.1 * b.abs().max()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("guidance", float("nan")),
        ("guidance", -1.0),
        ("sway", -2.0),
        ("solver", "rk9"),
        ("grid", "linear"),
        ("shift", 0.0),
        ("noise", -0.1),
        ("tolerance", 0.0),
    ],
)
def test_impossible_settings_are_refused(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field if field != "solver" else "rk9"):
        SamplingOptions(**{field: value})


def test_settings_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match="solver 'heun' cannot integrate one, leave it at 'euler'"):
        SamplingOptions(solver="heun", noise=1.0)
    with pytest.raises(ValueError, match="shift 100 and sway 1.75 make steps of no length"):
        SamplingOptions(steps=1000, shift=100, sway=1.75)


@pytest.mark.parametrize("follows", [True, False])
def test_the_prompt_is_shown_on_its_true_path_when_asked_for(follows: bool) -> None:
    shown: list[tuple[float, Tensor]] = []

    class Watch(Pull):
        def velocity(self, x_t: Tensor, t: Tensor, prepared: Condition) -> Tensor:
            shown.append((t.item(), x_t[0].clone()))
            return super().velocity(x_t, t, prepared)

    prompt = torch.randn(4, N_MELS, generator=torch.Generator().manual_seed(2))
    options = SamplingOptions(grid="uniform", steps=4, guidance=0, follow_prompt=follows)
    Sampler(Watch(), options).sample([infill.continue_prompt(prompt, [1], 9)], [5])
    x_0 = noise.noise(5, 9, N_MELS)[:4]
    is_true = [torch.allclose(x_t[:4], (1 - t) * x_0 + t * prompt, atol=1e-6) for t, x_t in shown]
    assert is_true == ([True] * 4 if follows else [True, False, False, False])


class Hears(Pull):
    """As :class:`Pull`; counts the frames that it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[int] = []

    def velocity(self, x_t: Tensor, t: Tensor, prepared: Condition) -> Tensor:
        self.frames.append(x_t.shape[0] * x_t.shape[1])
        return super().velocity(x_t, t, prepared)


def test_lean_guidance_computes_nothing_of_the_prompt_where_it_is_told_nothing() -> None:
    plain = SamplingOptions(grid="uniform", steps=4, guidance=1.5, follow_prompt=True)
    lean = SamplingOptions(**{**plain.model_dump(), "lean_guidance": True})
    prompt = torch.randn(7, N_MELS, generator=torch.Generator().manual_seed(2))
    conditions = [
        infill.continue_prompt(prompt, [1, 2], 16),
        infill.fill_between(prompt, prompt[:5], 9, [1, 2]),  # a gap
    ]
    for condition in conditions:
        heard, told = Hears(), condition.is_valid.shape[1]
        (expected,) = Sampler(Hears(), plain).sample([condition], [5])
        (mel,) = Sampler(heard, lean).sample([condition], [5])
        assert heard.frames == [told, 9] * 4
        assert torch.allclose(mel, expected, atol=1e-6)  # each frame of this network is alone
    real, fast = (Sampler(small_dit(), each).sample(utterances(), SEEDS) for each in (plain, lean))
    assert all(not torch.equal(a, b) and a.shape == b.shape for a, b in zip(real, fast, strict=True))
    alone = Sampler(small_dit(), lean, max_frames=1).sample(utterances(), SEEDS)
    assert all((a - b).abs().max() <= 1e-5 * a.abs().max() for a, b in zip(alone, fast, strict=True))


def test_lean_guidance_needs_the_prompt_on_its_path() -> None:
    with pytest.raises(ValueError, match="set follow_prompt, too"):
        SamplingOptions(lean_guidance=True)


def test_temperature_is_the_deviation_of_the_noise_that_the_flow_starts_from() -> None:
    starts = []

    class Still(Pull):
        def velocity(self, x_t: Tensor, t: Tensor, prepared: Condition) -> Tensor:
            starts.append(x_t.clone())
            return torch.zeros_like(x_t)

    for temperature in (1.0, 0.5):
        options = SamplingOptions(grid="uniform", steps=1, guidance=0.0, sway=0.0, temperature=temperature)
        Sampler(Still(), options).sample(utterances()[:1], SEEDS[:1])
    assert starts[0].std() == pytest.approx(1, abs=0.1) and torch.equal(0.5 * starts[0], starts[1])
