"""What a vocoder and its discriminators minimise: hinges, feature matching, and distances of spectra.

As in the package `vocos`, but for a mean over the judges in place of the sum, which is taken in float32 whatever the judges
compute in; a test compares. (Why that package is not imported here: :mod:`tts_fm.vocoders.vocos`.)
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import l1_loss

from tts_fm.audio.mel import hann_window
from tts_fm.training.discriminators import Verdict


def judging(verdicts: list[Verdict]) -> Float[Tensor, ""]:
    """Return the mean hinge ``max(0, 1 - real) + max(0, 1 + fake)``; each batch is the real half, then the fake half."""
    hinges = []
    for verdict in verdicts:
        real, fake = verdict.scores.float().chunk(2)
        hinges.append((1 - real).relu().mean() + (1 + fake).relu().mean())
    return torch.stack(hinges).mean()


def pleasing(on_fake: list[Verdict]) -> Float[Tensor, ""]:
    """Return the mean over the judges of ``max(0, 1 - fake)``."""
    return torch.stack([(1 - verdict.scores.float()).relu().mean() for verdict in on_fake]).mean()


def feature_distance(on_real: list[Verdict], on_fake: list[Verdict]) -> Float[Tensor, ""]:
    """Return the mean over judges of the summed L1 distances of their hidden layers."""
    distances = [
        (a - b).abs().mean(dtype=torch.float32)
        for real, fake in zip(on_real, on_fake, strict=True)
        for a, b in zip(real.features, fake.features, strict=True)
    ]
    return torch.stack(distances).sum() / len(on_real)


def stft_distance(real: Float[Tensor, "b s"], fake: Float[Tensor, "b s"], sizes: tuple[int, ...]) -> Float[Tensor, ""]:
    """Return the mean over ``sizes`` of spectral convergence and log-magnitude L1 (arXiv 1910.11480)."""
    terms = []
    for n_fft in sizes:
        a, b = (_magnitude(samples.float(), n_fft) for samples in (real, fake))
        convergence = (a - b).norm() / a.norm().clamp(min=1e-3)
        terms.append(convergence + l1_loss(b.log(), a.log()))
    return torch.stack(terms).mean()


def _magnitude(samples: Float[Tensor, "b s"], n_fft: int) -> Float[Tensor, "b f n"]:
    window = hann_window(n_fft, samples.device)
    spectrum = torch.stft(samples, n_fft, n_fft // 4, window=window, return_complex=True)
    return (torch.view_as_real(spectrum).square().sum(-1) + 1e-8).sqrt()
