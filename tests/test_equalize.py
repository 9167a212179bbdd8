"""The long-term spectrum moves towards the prompt's."""

import pytest
import torch

from tts_fm.audio import spectrum
from tts_fm.audio.equalize import like

DRAW = torch.Generator().manual_seed(0)
SPEECH = torch.randn(400, 10, generator=DRAW)
PROMPT = 1.3 * torch.randn(300, 10, generator=DRAW) + torch.arange(10.0)


def loud(mel: torch.Tensor) -> torch.Tensor:
    level = mel.mean(dim=1)
    return mel[level > level.quantile(0.35)]


def test_strength_0_changes_nothing():
    assert torch.equal(like(SPEECH, PROMPT, 0.0), SPEECH)


@pytest.mark.parametrize("strength", [0.25, 0.5, 1.0])
def test_the_mean_over_speech_moves_by_the_strength(strength):
    moved = like(SPEECH, PROMPT, strength)
    is_loud = SPEECH.mean(dim=1) > SPEECH.mean(dim=1).quantile(0.35)
    expected = (1 - strength) * loud(SPEECH).mean(0) + strength * loud(PROMPT).mean(0)
    assert (moved[is_loud].mean(0) - expected).abs().max() < 1e-5


def test_speech_of_its_own_spectrum_stays_as_it_is():
    assert (like(SPEECH, SPEECH, 1.0) - SPEECH).abs().max() < 1e-5


def test_a_few_frames_move_less():
    short, whole = like(SPEECH[:20], PROMPT, 1.0) - SPEECH[:20], like(SPEECH, PROMPT, 1.0) - SPEECH
    assert short.abs().mean() < 0.3 * whole.abs().mean()
    assert torch.equal(like(SPEECH[:1], PROMPT, 1.0), SPEECH[:1])


def transport(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(spectrum.transport(a.numpy(), b.numpy()))


def covariance(seed: int, spread: float) -> torch.Tensor:
    """A covariance near the identity."""
    factor = torch.eye(6).double() + spread * torch.randn(6, 6, generator=torch.Generator().manual_seed(seed)).double()
    return factor @ factor.mT


def test_transport_is_symmetric_and_turns_one_covariance_into_the_other():
    a, b = covariance(1, 0.1), covariance(2, 0.1)
    move = transport(a, b)
    assert (move @ a @ move - b).abs().max() < 1e-10 and (move - move.mT).abs().max() < 1e-12
    assert (transport(b, a) @ move - torch.eye(6)).abs().max() < 1e-10


def test_transport_between_variances_is_the_ratio_of_deviations_within_bounds():
    a, b = torch.tensor([1.0, 1.0, 1.0, 1.0]).double(), torch.tensor([1.0, 2.25, 0.01, 100.0]).double()
    assert (transport(a.diag(), b.diag()).diagonal() - torch.tensor([1.0, 1.5, 0.5, 2.0])).abs().max() < 1e-10


def test_channels_that_move_together_in_the_prompt_move_together_afterwards():
    common = torch.randn(300, 1, generator=torch.Generator().manual_seed(3))
    moved = loud(like(SPEECH, 0.8 * PROMPT + 0.8 * common, 1.0))

    def between(mel: torch.Tensor) -> torch.Tensor:
        correlations = torch.corrcoef(mel.mT)
        return correlations[~torch.eye(10, dtype=torch.bool)].mean()

    assert between(moved) > between(loud(SPEECH)) + 0.05


def test_nothing_to_move_and_nothing_to_move_to_are_left_as_they_are():
    assert torch.equal(like(SPEECH, PROMPT[:0], 1.0), SPEECH)
    assert like(SPEECH[:0], PROMPT, 1.0).shape == (0, 10)
