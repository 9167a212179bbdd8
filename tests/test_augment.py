"""Changed recordings: each change is the one that its name and its numbers say."""

import math

import pytest
import torch

from tts_fm.audio.mel import MelScale, log_mel
from tts_fm.augment import AugmentOptions, formant_curves, mel_centres, reshaped, response, vary, warped
from tts_fm.types import Batch, MelSpec

MEL = MelSpec()
CENTRES = mel_centres(MEL)
FLOOR = math.log(1e-5)


def tone(hertz: float) -> torch.Tensor:
    return log_mel(0.3 * torch.sin(2 * torch.pi * hertz * torch.arange(24_000) / 24_000), MEL)[20:40]


def batch(mel: torch.Tensor) -> Batch:
    b, n, _ = mel.shape
    return Batch(mel, torch.arange(n).expand(b, n) < n - 2, torch.zeros(b, 1, dtype=torch.long), None)


def changed(mel: torch.Tensor, seed: int = 0, **options) -> torch.Tensor:
    return vary(batch(mel), AugmentOptions(**options), MEL, MelScale(), torch.Generator().manual_seed(seed)).mel


@pytest.mark.parametrize("hertz", [300, 1000, 3000, 8000])
def test_the_loudest_channel_of_a_tone_is_the_one_centred_there(hertz):
    channel = int(tone(hertz).mean(dim=0).argmax())
    assert channel == pytest.approx(int((CENTRES - hertz).abs().argmin()), abs=1)


@pytest.mark.parametrize("factor", [0.85, 1.0, 1.15])
def test_warping_moves_a_tone_to_where_the_tone_of_that_frequency_lies(factor):
    moved = warped(tone(1500)[None], torch.tensor([factor]), CENTRES)[0]
    assert int(moved.mean(dim=0).argmax()) == pytest.approx(int(tone(1500 * factor).mean(dim=0).argmax()), abs=1)


def test_a_warp_of_one_changes_nothing_and_lowered_sound_leaves_silence_above():
    mel = torch.randn(1, 5, 100) - 3
    assert torch.equal(warped(mel, torch.ones(1), CENTRES), mel)
    lowered = warped(mel, torch.tensor([0.8]), CENTRES)[0]
    top = 0.8 * float(CENTRES[-1])
    assert (lowered[:, top * 1.03 < CENTRES] == FLOOR).all() and (lowered[:, top * 0.97 > CENTRES] > FLOOR).all()


def voice(pitch: float, formant: float) -> torch.Tensor:
    """The mel of harmonics of ``pitch`` under one broad formant, both in Hz."""
    seconds = torch.arange(24_000) / 24_000
    heights = pitch * torch.arange(1, int(9000 / pitch))
    levels = 0.05 * torch.exp(-0.5 * ((heights.log2() - math.log2(formant)) / 0.7) ** 2)
    return log_mel((levels[:, None] * torch.sin(2 * torch.pi * heights[:, None] * seconds)).sum(dim=0), MEL)[20:40]


def envelope(mel: torch.Tensor) -> torch.Tensor:
    cosines = torch.cos(math.pi * (torch.arange(100) + 0.5) / 100 * torch.arange(13)[:, None])
    cosines = cosines / cosines.norm(dim=1, keepdim=True)
    return (mel @ cosines.T @ cosines).mean(dim=0)


@pytest.mark.parametrize("factor", [0.85, 1.0, 1.15])
def test_reshaping_moves_the_formant_and_leaves_the_harmonics_where_they_are(factor):
    mel = voice(220, 1200)
    moved = reshaped(mel[None], torch.full((1, 100), factor), CENTRES)[0]
    other = voice(220, 1200 * factor)
    lower = CENTRES < 4000
    apart = (envelope(moved) - envelope(other))[lower].abs().mean()
    assert apart < 0.25  # a throat 1.15 times as long differs by 1 there
    fine, before = (one.mean(dim=0) - envelope(one) for one in (moved, mel))
    assert torch.corrcoef(torch.stack([fine[lower], before[lower]]))[0, 1] > 0.99


def test_reshaping_by_one_changes_nothing_and_silence_stays_silent():
    mel = torch.randn(1, 5, 100) - 3
    mel[:, :, 60:] = FLOOR
    assert torch.allclose(reshaped(mel, torch.ones(1, 100), CENTRES), mel, atol=1e-5)
    assert (reshaped(mel, torch.full((1, 100), 1.2), CENTRES)[:, :, 60:] == FLOOR).all()


def test_formants_at_the_two_ends_are_drawn_apart_and_only_where_something_is_changed():
    curves = formant_curves((torch.arange(4000) % 2).float(), 100, torch.Generator().manual_seed(0))
    assert (curves[::2] == 0).all() and curves.abs().max() <= 1
    ends = curves[1::2][:, [0, -1]].T
    assert ends.square().mean(dim=1).tolist() == pytest.approx([1 / 3, 1 / 3], abs=0.02)
    assert abs(float(torch.corrcoef(ends)[0, 1])) < 0.06
    assert torch.allclose(curves.diff(dim=1).diff(dim=1), torch.zeros(()), atol=1e-6)


def test_responses_are_smooth_of_mean_zero_and_deviation_one():
    curves = response(torch.randn(4000, 4, generator=torch.Generator().manual_seed(0)), 100)
    assert curves.mean(dim=1).abs().max() < 1e-5
    assert curves.square().mean().sqrt() == pytest.approx(1, abs=0.02)
    assert curves.diff(dim=1).abs().mean() < 0.1


def test_response_and_level_are_in_decibels_and_the_same_in_every_frame():
    mel = torch.full((2000, 4, 100), -2.0)
    added = (changed(mel, probability=1.0, response_db=5.0) - mel)[:, :2] * 20 / math.log(10)
    assert torch.equal(added[:, 0], added[:, 1])
    assert added.square().mean().sqrt() == pytest.approx(5.0, abs=0.15)
    level = (changed(mel, probability=1.0, level_db=6.0) - mel)[:, 0] * 20 / math.log(10)
    assert level.abs().max() == pytest.approx(6.0, abs=0.05) and (level.std(dim=1) < 1e-4).all()


def test_a_cut_leaves_nothing_above_a_frequency_from_a_telephone_on():
    mel = torch.full((500, 4, 100), -2.0)
    gone = (changed(mel, cut=0.4) == FLOOR)[:, 0]
    is_cut = gone.any(dim=1)
    assert is_cut.float().mean() == pytest.approx(0.4, abs=0.06)
    assert not gone[:, CENTRES <= 3400].any()
    lowest = torch.stack([CENTRES[row].min() for row in gone[is_cut]])
    assert lowest.min() < 3700 and lowest.max() > 10_000
    assert (gone.int().diff(dim=1) >= 0).all()


def test_each_utterance_has_its_own_coin_padding_stays_zero_and_a_seed_repeats():
    mel = torch.randn(400, 6, 100) - 3
    options = {"probability": 0.5, "warp": 1.2, "formants": 1.1, "response_db": 4.0, "level_db": 3.0}
    out = changed(mel, **options)
    is_same = (out[:, :4] == mel[:, :4].clamp(min=FLOOR)).all(dim=(1, 2))
    assert is_same.float().mean() == pytest.approx(0.5, abs=0.08)
    assert (out[:, 4:] == 0).all()
    assert torch.equal(out, changed(mel, **options)) and not torch.equal(out, changed(mel, seed=1, **options))


def test_no_augmentation_returns_the_very_batch():
    given = batch(torch.randn(2, 5, 100))
    assert vary(given, AugmentOptions(), MEL, MelScale(), torch.Generator()) is given
