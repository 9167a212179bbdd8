"""The long-term spectrum moves towards the prompt's."""

import pytest
import torch

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
