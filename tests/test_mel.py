"""tts_fm.audio.mel against goldens, closed forms and invariances."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tts_fm.audio.mel import FLOOR, filterbank, log_mel
from tts_fm.types import MelSpec

GOLDEN = load_file(Path(__file__).parent / "data" / "goldens" / "mel.golden.safetensors")  # computed by f5-tts 1.1.22
HIFIGAN = MelSpec(22_050, 1024, 256, 1024, 80, "hifigan")
FLAVOURS = [MelSpec(), MelSpec(flavour="bigvgan"), HIFIGAN]
CPU = torch.device("cpu")


@pytest.mark.parametrize("spec", FLAVOURS[:2], ids=lambda spec: spec.flavour)
def test_mel_is_the_golden_one(spec):
    mel = log_mel(GOLDEN["wav"].reshape(-1), spec)
    assert mel.shape[-1] == spec.n_mels
    torch.testing.assert_close(mel.mT, GOLDEN[f"mel.{spec.flavour}"][0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("spec", FLAVOURS, ids=lambda spec: spec.flavour)
def test_a_row_of_a_batch_is_the_mel_of_its_samples(spec):
    samples = torch.randn(3, 5000, generator=torch.Generator().manual_seed(0))
    batch = log_mel(samples, spec)
    assert batch.ndim == 3
    for row, alone in zip(batch, samples, strict=True):
        torch.testing.assert_close(row, log_mel(alone, spec), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("spec", "extra"), [(FLAVOURS[0], 1), (FLAVOURS[1], 0), (HIFIGAN, 0)])
@pytest.mark.parametrize("n_samples", [2560, 2561, 2815])
def test_number_of_frames(spec, extra, n_samples):
    assert log_mel(torch.zeros(n_samples), spec).shape == (n_samples // spec.hop_length + extra, spec.n_mels)
    assert spec.n_frames(n_samples) == n_samples // spec.hop_length + extra


@pytest.mark.parametrize("spec", FLAVOURS[1:], ids=lambda spec: spec.flavour)
def test_slaney_filters_are_librosas(spec):
    from librosa.filters import mel

    theirs = mel(sr=spec.sample_rate, n_fft=spec.n_fft, n_mels=spec.n_mels, fmin=0, fmax=spec.highest_hz)
    torch.testing.assert_close(filterbank(spec, CPU).mT, torch.from_numpy(theirs), rtol=0, atol=1e-7)


def test_hifigans_mel_is_the_one_that_its_own_code_computes():
    """``meldataset.mel_spectrogram`` of jik876/hifi-gan, by librosa and numpy."""
    import librosa
    import numpy as np

    samples = torch.randn(5000, generator=torch.Generator().manual_seed(0)) * 0.1
    padded = np.pad(samples.double().numpy(), 384, mode="reflect")
    power = np.abs(librosa.stft(padded, n_fft=1024, hop_length=256, center=False)) ** 2
    filters = librosa.filters.mel(sr=22_050, n_fft=1024, n_mels=80, fmin=0, fmax=8000, dtype=np.float64)
    expected = np.log(np.maximum(filters @ np.sqrt(power + 1e-9), 1e-5)).T
    torch.testing.assert_close(log_mel(samples, HIFIGAN).double(), torch.from_numpy(expected), rtol=0, atol=1e-5)


def test_silence_is_the_floor():
    mel = log_mel(torch.zeros(4096), MelSpec())
    assert mel.eq(mel[0, 0]).all()
    assert float(mel[0, 0]) == pytest.approx(math.log(FLOOR))


def test_twice_the_level_adds_log_two():
    samples = torch.randn(4096, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        log_mel(2 * samples, MelSpec()) - log_mel(samples, MelSpec()), torch.full((17, 100), math.log(2))
    )


@pytest.mark.parametrize("spec", FLAVOURS, ids=lambda spec: spec.flavour)
def test_a_tone_is_loudest_in_the_channel_of_its_frequency(spec):
    seconds = torch.arange(12_000) / spec.sample_rate
    frequencies = torch.linspace(0, spec.sample_rate / 2, spec.n_fft // 2 + 1)
    for hertz in (500.0, 2000.0, 6000.0):
        channel = log_mel(torch.sin(2 * math.pi * hertz * seconds), spec)[20].argmax()
        weights = filterbank(spec, CPU)[:, channel]
        centre = float((weights * frequencies).sum() / weights.sum())
        assert centre == pytest.approx(hertz, rel=0.05)


def test_slaney_filters_have_equal_areas_and_htk_filters_equal_peaks():
    width = 24_000 / 1024
    slaney, htk = filterbank(replace(FLAVOURS[1], n_fft=8192), CPU), filterbank(replace(FLAVOURS[0], n_fft=8192), CPU)
    torch.testing.assert_close(slaney.sum(0) * width / 8, torch.ones(100), rtol=0, atol=0.02)
    assert htk.amax(0).min() > 0.85


def test_a_mel_is_float32_inside_autocast():
    samples = torch.randn(4096, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        inside = log_mel(samples, MelSpec())
    assert torch.equal(inside, log_mel(samples, MelSpec()))


@pytest.mark.parametrize("spec", FLAVOURS, ids=lambda spec: spec.flavour)
def test_too_few_samples_are_an_error_that_says_how_many(spec):
    with pytest.raises(ValueError, match=r"needs more than \d+ samples, it got 100"):
        log_mel(torch.zeros(100), spec)


def test_a_mel_has_a_gradient():
    samples = torch.randn(4096, generator=torch.Generator().manual_seed(0)).requires_grad_()
    log_mel(samples, MelSpec()).sum().backward()
    assert samples.grad is not None and samples.grad.isfinite().all()


def test_what_is_cached_in_inference_mode_can_be_trained_through():
    spec = MelSpec(n_mels=17)
    with torch.inference_mode():
        log_mel(torch.zeros(4096), spec)
    samples = torch.zeros(4096, requires_grad=True)
    log_mel(samples + 0.1, spec).sum().backward()
    assert samples.grad is not None
