"""Likelihood: the closed forms of Gaussians and mixtures, the error that probes state, and real recordings."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import Finished
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from scripts import likelihood_figures
from tts_fm import Synthesizer, plugins
from tts_fm.audio import io
from tts_fm.evaluation import likelihood as scoring
from tts_fm.evaluation import pairs
from tts_fm.evaluation.likelihood import ScoreOptions
from tts_fm.flow import likelihood
from tts_fm.flow.solvers import Solver
from tts_fm.types import VelocityField

MIDPOINT = plugins.load(Solver, "midpoint")()
GRID = torch.linspace(0, 1, 201, dtype=torch.float64)
WEIGHTS = torch.tensor([0.3, 0.7], dtype=torch.float64)


def spread(components: int, dims: int) -> tuple[Tensor, Tensor]:
    """Return the means and the full covariances of a mixture."""
    generator = torch.Generator().manual_seed(dims)
    means = 2 * torch.randn(components, dims, generator=generator, dtype=torch.float64)
    root = 0.4 * torch.randn(components, dims, dims, generator=generator, dtype=torch.float64)
    return means, root @ root.mT + 0.3 * torch.eye(dims, dtype=torch.float64)


def density(weights: Tensor, means: Tensor, covariances: Tensor) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(weights), MultivariateNormal(means, covariances))


def mixture_field(weights: Tensor, means: Tensor, covariances: Tensor) -> VelocityField:
    """The marginal velocity of a Gaussian mixture on the straight path, in closed form.

    Each component is ``x_t ~ N(t m, t^2 S + (1 - t)^2)`` and moves by ``m + (t S - (1 - t)) cov^-1 (x - t m)``.
    """
    eye = torch.eye(means.shape[1], dtype=means.dtype)

    def field(x_t: Tensor, t: Tensor) -> Tensor:
        x = x_t.flatten(1)[:, None]  # b 1 d
        covariance = t**2 * covariances + (1 - t) ** 2 * eye
        away = x - t * means  # b k d
        turned = torch.einsum("kij,bkj->bki", (t * covariances - (1 - t) * eye) @ covariance.inverse(), away)
        likely = MultivariateNormal(t * means, covariance).log_prob(x) + weights.log()
        return ((means + turned) * likely.softmax(dim=1)[..., None]).sum(dim=1).reshape(x_t.shape)

    return field


@pytest.mark.parametrize(("components", "frames", "channels"), [(1, 1, 1), (1, 1, 2), (1, 3, 2), (2, 1, 2), (2, 2, 2)])
def test_the_exact_divergence_gives_the_closed_form(components: int, frames: int, channels: int) -> None:
    means, covariances = spread(components, frames * channels)
    weights = WEIGHTS[:components] / WEIGHTS[:components].sum()
    torch.manual_seed(0)
    x_1 = density(weights, means, covariances).sample((6,)).reshape(6, frames, channels)
    found = likelihood.log_likelihood(mixture_field(weights, means, covariances), x_1, MIDPOINT, GRID)
    expected = density(weights, means, covariances).log_prob(x_1.flatten(1))
    assert (found.total - expected).abs().max() < 1e-3
    assert found.per_frame.shape == (6, frames) and found.standard_error.isnan().all()


def test_probes_come_within_the_error_they_state() -> None:
    means, covariances = spread(2, 6)
    torch.manual_seed(1)
    x_1 = density(WEIGHTS, means, covariances).sample((40,)).reshape(40, 2, 3)
    field = mixture_field(WEIGHTS, means, covariances)
    probes = torch.randn(64, 2, 3, dtype=torch.float64)
    grid = GRID[::5]
    exact = likelihood.log_likelihood(field, x_1, MIDPOINT, grid).total
    found = likelihood.log_likelihood(field, x_1, MIDPOINT, grid, probes)
    assert (found.standard_error > 0.02).all(), "there is something to estimate"
    errors = (found.total - exact).abs() / found.standard_error
    assert errors.max() < 4 and (errors < 2).double().mean() > 0.8


def test_four_times_the_probes_halve_the_error() -> None:
    means, covariances = spread(1, 6)
    field, x_1 = mixture_field(WEIGHTS[:1] / WEIGHTS[0], means, covariances), means.reshape(1, 2, 3)
    few, many = (
        likelihood.log_likelihood(field, x_1, MIDPOINT, GRID[::40], likelihood.rademacher(3, p, 2, 3).double())
        for p in (100, 400)
    )
    assert (many.standard_error / few.standard_error).item() == pytest.approx(0.5, abs=0.08)


def test_independent_frames_have_their_own_densities() -> None:
    deviation = torch.tensor([[0.5], [2.0], [1.0]], dtype=torch.float64)  # n 1
    x_1 = torch.randn(4, 3, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def field(x_t: Tensor, t: Tensor) -> Tensor:
        return x_t * (t * deviation**2 - (1 - t)) / (t**2 * deviation**2 + (1 - t) ** 2)

    exact = likelihood.log_likelihood(field, x_1, MIDPOINT, GRID)
    expected = torch.distributions.Normal(torch.zeros_like(deviation), deviation).log_prob(x_1)[..., 0]
    assert torch.allclose(exact.per_frame, expected, atol=1e-3)
    probed = likelihood.log_likelihood(field, x_1, MIDPOINT, GRID, likelihood.rademacher(0, 2, 3, 1).double())
    assert torch.allclose(probed.per_frame, exact.per_frame), "probes of -1 and 1 are exact where nothing mixes"


def test_a_constant_flow_moves_the_normal_density() -> None:
    x_1 = torch.randn(2, 3, 2, generator=torch.Generator().manual_seed(4))
    found = likelihood.log_likelihood(lambda x, t: torch.full_like(x, 0.5), x_1, MIDPOINT, torch.linspace(0, 1, 3))
    expected = -0.5 * ((x_1 - 0.5).square() + math.log(2 * math.pi)).sum(dim=(1, 2))
    assert torch.allclose(found.total, expected, atol=1e-5)


def test_differences_by_the_same_probes_lose_their_common_error() -> None:
    means, covariances = spread(1, 4)
    weight, x_1 = torch.ones(1, dtype=torch.float64), means.reshape(1, 2, 2)
    probes = likelihood.rademacher(0, 16, 2, 2).double()
    one, other = (
        likelihood.log_likelihood(mixture_field(weight, means + by, covariances), x_1, MIDPOINT, GRID[::5], probes)
        for by in (0.0, 0.3)
    )
    expected = [density(weight, means + by, covariances).log_prob(means).item() for by in (0.0, 0.3)]
    difference = one.minus(other)
    assert difference.total.item() == pytest.approx(expected[0] - expected[1], abs=1e-3)
    assert difference.standard_error.item() < 1e-6 < 0.01 < one.standard_error.item()


def test_probes_depend_on_their_seed_alone() -> None:
    probes = likelihood.rademacher(5, 200, 7, 3)
    assert torch.equal(probes, likelihood.rademacher(5, 200, 7, 3)) and probes.abs().min() == 1
    assert abs(probes.mean().item()) < 0.05
    assert not torch.equal(probes, likelihood.rademacher(6, 200, 7, 3))


def test_a_score_is_per_dimension_and_the_same_for_the_same_words(model_folder: Path, voice_file: Path) -> None:
    synthesizer, recording = Synthesizer.load(str(model_folder)), io.read(voice_file)
    torch.manual_seed(0)
    with torch.no_grad():  # as it is made, its velocity is zero
        for parameter in synthesizer.backbone.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    options = ScoreOptions(steps=2, probes=2)
    found = scoring.score(synthesizer, recording, ["Some words.", "Some words.", "Others."], options=options)
    same, again, other = found.with_text
    assert (same.nats, same.error) == pytest.approx((again.nats, again.error), rel=1e-5)
    assert other.nats != pytest.approx(same.nats, rel=1e-6)
    for figure, gain in zip(found.with_text, found.gain, strict=True):
        assert gain.nats == pytest.approx(figure.nats - found.without_text.nats, abs=1e-5)
        assert figure.nats == pytest.approx(sum(figure.per_frame) / len(figure.per_frame), rel=1e-4)
        assert -10 < figure.nats < 0 and figure.error > 0


@pytest.mark.slow
def test_the_bundled_voice_finds_the_right_words_more_probable_than_shuffled_ones() -> None:
    short = [pair for pair in pairs.read(pairs.BUNDLED) if pair.id in SCORED]
    found = likelihood_figures.measure(Synthesizer.load("default"), short)
    assert all(math.isfinite(one.own + one.shuffled + one.without) and one.error > 0 for one in found)
    assert sum(one.own - one.shuffled for one in found) > 0


SCORED = ("real-84-01", "real-1462-01", "real-174-02")

Command = Callable[..., Finished]


def test_the_command_prints_figures_and_what_they_can_not_tell(
    tts_fm_command: Command, model_folder: Path, voice_file: Path
) -> None:
    common = ("score", voice_file, "--ref-text", "Some words.", "--model", model_folder, "--steps", 1, "--probes", 2)
    done = tts_fm_command(*common, "--text", "Others.")
    names = [line.split("  ")[0].strip() for line in done.stdout.splitlines()]
    assert names == ["with its words", "with text 1", "without text", "gain by its words", "gain by text 1"]
    assert done.code == 0 and done.line == scoring.CAUTION
    done = tts_fm_command(*common, "--json")
    record = json.loads(done.stdout)
    assert (done.code, done.stderr, record["noise"], record["texts"]) == (0, "", 0.4, ["Some words."])
    assert len(record["with_text"][0]["per_frame"]) == len(record["gain"][0]["per_frame"]) > 200
    assert record["caution"] == scoring.CAUTION


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["{voice}"], 2, "Missing option '--ref-text'"),
        (["nope.wav", "--ref-text", "x"], 3, "there is no file nope.wav"),
        (["{voice}", "--ref-text", "..."], 3, "there is nothing to speak in '...'"),
        (["{voice}", "--ref-text", "hi", "--text", " "], 3, "the text is empty"),
        (
            ["{voice}", "--ref-text", "hi", "--noise", "0"],
            2,
            "score: noise is 0.0: Input should be greater than or equal",
        ),
        (
            ["{voice}", "--ref-text", "hi", "--probes", "1"],
            2,
            "score: probes is 1: Input should be greater than or equal",
        ),
        (["{voice}", "--ref-text", "hi", "--model", "nope"], 4, "there is no model 'nope'"),
    ],
)
def test_mistakes_are_one_line(
    tts_fm_command: Command, voice_file: Path, arguments: list[str], code: int, line: str
) -> None:
    done = tts_fm_command("score", *(argument.format(voice=voice_file) for argument in arguments))
    assert done.code == code and line in done.line


def test_a_recording_longer_than_the_model_holds_is_refused(model_folder: Path) -> None:
    long = io.Waveform(torch.zeros(24_000 * 23), 24_000)
    with pytest.raises(ValueError, match="lasts 23.0 s; this model takes 22 s"):
        scoring.score(Synthesizer.load(str(model_folder)), long, ["x"])


def test_a_lower_precision_is_refused(model_folder: Path, voice_file: Path) -> None:
    synthesizer = Synthesizer.load(str(model_folder), device="cpu", precision="bfloat16")
    with pytest.raises(ValueError, match="float32, not bfloat16"):
        scoring.score(synthesizer, io.read(voice_file), ["Some words."])
