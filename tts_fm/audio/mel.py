"""Waveform to log-mel, in the flavours that published vocoders expect."""

from __future__ import annotations

import math
from functools import cache

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor
from torch.nn.functional import pad

from tts_fm.plugins import Options
from tts_fm.types import MelSpec

FLOOR = 1e-5
"""The smallest mel magnitude: silence is ``log(FLOOR)``, about -11.5."""
SLANEY_STEP = math.log(6.4) / 27
"""Slaney's scale is linear up to 1 kHz (mel 15), and above it each mel is a ratio of ``exp(SLANEY_STEP)``."""


class MelScale(Options):
    """The flow works on ``(mel - mean) / std``; F5-TTS and E2-TTS use the mel as it is."""

    mean: float = Field(default=0.0, ge=-100, le=100)
    std: float = Field(default=1.0, ge=1e-3, le=1e3)

    def scaled(self, mel: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
        """Return a log-mel as the flow has it."""
        return (mel - self.mean) / self.std

    def unscaled(self, mel: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
        """Return the log-mel of what the flow has."""
        return mel * self.std + self.mean


def log_mel(samples: Float[Tensor, "*b s"], spec: MelSpec) -> Float[Tensor, "*b n c"]:
    """Return ``log(max(mel, 1e-5))`` of the magnitude spectrum, in float32.

    ``vocos`` centres its frames: ``n = s // hop_length + 1``. ``bigvgan`` and ``hifigan`` pad by
    ``(n_fft - hop_length) / 2`` on each side: ``n = s // hop_length``, and their magnitude is
    ``sqrt(re^2 + im^2 + 1e-9)``.

    Raises:
        ValueError: fewer samples than the reflected edges need.
    """
    margin = spec.n_fft // 2 if spec.is_centred else (spec.n_fft - spec.hop_length) // 2
    if samples.shape[-1] <= margin:
        raise ValueError(f"a mel needs more than {margin} samples, it got {samples.shape[-1]}; give it longer audio")
    batch = samples.float().reshape(-1, samples.shape[-1])
    with torch.autocast(samples.device.type, enabled=False):  # a mel is float32, whatever the network runs in
        spectrum = torch.stft(
            pad(batch, (margin, margin), mode="reflect"),
            spec.n_fft,
            spec.hop_length,
            spec.win_length,
            hann_window(spec.win_length, samples.device),
            center=False,
            return_complex=True,
        )
        magnitude = spectrum.abs() if spec.is_centred else (torch.view_as_real(spectrum).square().sum(-1) + 1e-9).sqrt()
        mel = magnitude.mT @ filterbank(spec, samples.device)  # (b n c)
        return mel.clamp(min=FLOOR).log().reshape(*samples.shape[:-1], *mel.shape[1:])


@cache
@torch.inference_mode(False)  # else what is kept could not be trained through
def hann_window(length: int, device: torch.device) -> Float[Tensor, " w"]:
    """Return the periodic Hann window; it is shared, do not write to it."""
    return torch.hann_window(length, device=device)


@cache
@torch.inference_mode(False)
def filterbank(spec: MelSpec, device: torch.device) -> Float[Tensor, "f c"]:
    """Return the triangular filters from ``n_fft / 2 + 1`` frequencies to mel channels; shared, do not write to it.

    ``vocos``: the HTK scale, peaks of 1. ``bigvgan`` and ``hifigan``: the Slaney scale, areas of 1, as
    ``librosa.filters.mel`` has them.
    """
    n_freqs, top = spec.n_fft // 2 + 1, spec.sample_rate / 2
    if spec.flavour == "vocos":
        from torchaudio.functional import melscale_fbanks  # slow to import, and not needed before the first mel

        return melscale_fbanks(n_freqs, 0.0, top, spec.n_mels, spec.sample_rate, norm=None, mel_scale="htk").to(device)
    # torchaudio's Slaney filters are float32 throughout: an error of 1e-5 in the log-mel
    frequencies = torch.linspace(0, top, n_freqs, dtype=torch.float64)
    edges = filter_edges(spec)
    rising = (frequencies[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies[:, None]) / (edges[2:] - edges[1:-1])
    filters = torch.minimum(rising, falling).clamp(min=0) * 2 / (edges[2:] - edges[:-2])
    return filters.float().to(device)


def filter_edges(spec: MelSpec) -> Float[Tensor, " e"]:
    """Return where filters begin, peak and end in Hz, ``n_mels + 2`` edges: filter ``i`` lies from edge ``i`` to edge ``i + 2``.

    They are evenly spaced on the flavour's mel scale: HTK's ``2595 log10(1 + f / 700)``, or Slaney's.
    """
    top = spec.highest_hz
    if spec.flavour == "vocos":
        mels = torch.linspace(0, 2595 * math.log10(1 + top / 700), spec.n_mels + 2, dtype=torch.float64)
        return 700 * (10 ** (mels / 2595) - 1)
    end = 15 + math.log(top / 1000) / SLANEY_STEP if top >= 1000 else top * 3 / 200
    mels = torch.linspace(0, end, spec.n_mels + 2, dtype=torch.float64)
    return torch.where(mels < 15, mels * 200 / 3, 1000 * ((mels - 15) * SLANEY_STEP).exp())


def between(centres: Float[Tensor, " c"], wanted: Float[Tensor, "*b"]) -> tuple[Int[Tensor, "*b"], Float[Tensor, "*b"]]:
    """Return which channel lies above each frequency ``wanted``, and its share beside the one below; at the ends all of one."""
    upper = torch.searchsorted(centres, wanted.contiguous()).clamp(1, len(centres) - 1)
    low, high = centres[upper - 1], centres[upper]
    return upper, ((wanted - low) / (high - low)).clamp(0, 1)
