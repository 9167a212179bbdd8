"""Flow matching as mathematics: noise and loss in closed form."""

from __future__ import annotations

import pytest
import torch

from tts_fm.flow import noise, objective


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
