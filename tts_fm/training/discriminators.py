"""What tells real speech from a vocoder's: waveforms folded at prime periods, and spectra at several resolutions."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad
from torch.nn.utils.parametrizations import weight_norm

from tts_fm.audio.mel import hann_window
from tts_fm.plugins import Options

SLOPE = 0.1


class DiscriminatorOptions(Options):
    """Which views are judged, and how wide the judges are; the defaults are for a CPU.

    With ``published`` the judges are those of the package `vocos` (the extra ``vocos``), whose widths are fixed: they are for
    a GPU, and ``period_widths`` and ``resolution_widths`` say nothing then.
    """

    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    period_widths: tuple[int, ...] = Field(default=(16, 64, 128, 128), min_length=1)
    resolutions: tuple[int, ...] = (512, 1024, 2048)
    resolution_widths: tuple[int, ...] = Field(default=(16, 32, 32), min_length=1)
    published: bool = False


class Verdict(NamedTuple):
    """One discriminator's scores, and the hidden layers that feature matching compares."""

    scores: Tensor
    features: tuple[Tensor, ...]


class Discriminators(nn.Module):
    """All judges together."""

    def __init__(self, options: DiscriminatorOptions) -> None:
        super().__init__()
        self.judges = nn.ModuleList(
            _published(options)
            if options.published
            else [PeriodDiscriminator(period, options.period_widths) for period in options.periods]
            + [ResolutionDiscriminator(n_fft, options.resolution_widths) for n_fft in options.resolutions]
        )

    def forward(self, samples: Float[Tensor, "b s"]) -> list[Verdict]:
        """Return every judge's verdict."""
        return [judge(samples) for judge in self.judges]


class Published(nn.Module):
    """A judge of the package `vocos`; its last hidden layer are its scores."""

    def __init__(self, judge: nn.Module) -> None:
        super().__init__()
        self.judge = judge

    def forward(self, samples: Float[Tensor, "b s"]) -> Verdict:
        """Return the verdict on ``samples``."""
        scores, features = self.judge(samples)
        return Verdict(scores, tuple(features))


def _published(options: DiscriminatorOptions) -> list[Published]:
    try:
        from vocos.discriminators import DiscriminatorP, DiscriminatorR
    except ModuleNotFoundError:
        raise ValueError(
            "discriminators.published takes those of the package vocos; run: pip install 'tts-fm[vocos]', or leave it out"
        ) from None
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # it calls weight_norm by its older name
        judges = [DiscriminatorP(period) for period in options.periods]
        judges += [DiscriminatorR(n_fft) for n_fft in options.resolutions]
    return [Published(judge) for judge in judges]


class PeriodDiscriminator(nn.Module):
    """Sees every ``period``-th sample side by side (HiFi-GAN, arXiv 2010.05646)."""

    def __init__(self, period: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.period = period
        pairs = list(zip((1, *widths[:-1]), widths, strict=True))
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(a, b, (5, 1), (4 if i < len(pairs) - 1 else 1, 1), (2, 0)))
            for i, (a, b) in enumerate(pairs)
        )
        self.score = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, samples: Float[Tensor, "b s"]) -> Verdict:
        """Return the verdict on ``samples``."""
        samples = pad(samples, (0, -samples.shape[-1] % self.period), mode="reflect")
        x = samples.unflatten(-1, (-1, self.period))[:, None]  # (b 1 s/p p)
        return judge(x, self.layers, self.score)


class ResolutionDiscriminator(nn.Module):
    """Sees the complex spectrum as an image of two channels (Vocos; UnivNet, arXiv 2106.07889)."""

    def __init__(self, n_fft: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.n_fft, width = n_fft, widths[-1]
        pairs = zip((2, *widths[:-1]), widths, strict=True)
        self.layers = nn.ModuleList(  # the first layer is most of the cost: it takes every fourth frequency
            [weight_norm(nn.Conv2d(a, b, (3, 9), (1, 2 if i else 4), (1, 4))) for i, (a, b) in enumerate(pairs)]
            + [weight_norm(nn.Conv2d(width, width, (3, 3), padding=1))]
        )
        self.score = weight_norm(nn.Conv2d(width, 1, (3, 3), padding=1))

    def forward(self, samples: Float[Tensor, "b s"]) -> Verdict:
        """Return the verdict on ``samples``."""
        window = hann_window(self.n_fft, samples.device)
        samples = samples - samples.mean(dim=-1, keepdim=True)
        samples = 0.8 * samples / (samples.abs().amax(dim=-1, keepdim=True) + 1e-5)
        spectrum = torch.stft(samples, self.n_fft, self.n_fft // 4, window=window, return_complex=True)
        return judge(torch.view_as_real(spectrum).permute(0, 3, 2, 1).contiguous(), self.layers, self.score)


def judge(x: Tensor, layers: nn.ModuleList, score: nn.Module) -> Verdict:
    """Return what ``layers`` see in ``x``, and the ``score`` of it."""
    x = x.contiguous(memory_format=torch.channels_last)
    features = []
    for layer in layers:
        x = leaky_relu(layer(x), SLOPE)
        features.append(x)
    return Verdict(score(x), tuple(features))
