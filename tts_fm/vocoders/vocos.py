"""Vocos (arXiv 2306.00814): a ConvNeXt predicts every frame's complex spectrum, and one inverse STFT makes the waveform."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Complex, Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import fold, gelu

from tts_fm import plugins
from tts_fm.audio import phase
from tts_fm.audio.mel import hann_window
from tts_fm.types import MelSpec
from tts_fm.vocoders import Vocoder

MAX_MAGNITUDE = 1e2


class Vocos(Vocoder):
    """The architecture of charactr/vocos-mel-24khz with its sizes as options.

    Written here and not imported from the package `vocos`, which is under the MIT licence but needs one release of encodec
    whose licence forbids commercial use, and loads it on import. Both compute the same, and a file of either is read by both
    (tests compare). The package's head gives no spectrum, whose phases ``refinements`` start from, and fails on a single
    frame. Its discriminators judge where ``discriminators.published`` is set.
    """

    class Options(plugins.Options):
        """Sizes; the defaults are those of the published 24 kHz model.

        ``padding`` says how frames lie on the waveform: ``center`` (frame ``i`` is centred at sample ``i * hop_length``)
        or ``same`` (``n`` frames make exactly ``n * hop_length`` samples). With ``refinements`` only the phases are the
        network's: they start so many iterations of Griffin and Lim towards the mel's own magnitudes (``center`` only).
        """

        dim: int = Field(default=512, gt=0, le=16_384)
        intermediate_dim: int = Field(default=1536, gt=0, le=65_536)
        layers: int = Field(default=8, gt=0, le=256)
        padding: Literal["center", "same"] = "center"
        refinements: int = Field(default=0, ge=0, le=1000)

    options: Options

    def __init__(self, options: Options, mel: MelSpec) -> None:
        super().__init__(options, mel)
        if mel.flavour != "vocos" or mel.win_length != mel.n_fft:
            made_for = MelSpec(mel.sample_rate, mel.n_fft, mel.hop_length, mel.n_fft, mel.n_mels, "vocos")
            raise ValueError(f"the vocoder vocos was made for {made_for}, it was given {mel}; choose another vocoder")
        dim = options.dim
        self.embed = nn.Conv1d(mel.n_mels, dim, kernel_size=7, padding=3)
        self.norm_in = nn.LayerNorm(dim, eps=1e-6)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(dim, options.intermediate_dim, scale=1 / options.layers) for _ in range(options.layers)
        )
        self.norm_out = nn.LayerNorm(dim, eps=1e-6)
        self.to_spectrum = nn.Linear(dim, mel.n_fft + 2)
        self.apply(_initialise)

    def decode(self, mel: Float[Tensor, "b n c"]) -> Float[Tensor, "b s"]:
        """Return the waveform: ``s`` is ``(n - 1) * hop_length`` where frames are centred, else ``n * hop_length``."""
        if mel.shape[-1] != self.mel.n_mels:
            raise ValueError(f"the vocoder expects {self.mel.n_mels} mel channels, it was given {mel.shape[-1]}")
        spectrum = self.spectrum(mel)
        if self.options.refinements == 0 or mel.shape[1] < 2:
            return self.to_samples(spectrum)
        direction = spectrum / spectrum.abs().clamp(min=1e-12)
        magnitude = phase.magnitude(mel, self.mel)
        return phase.griffin_lim(magnitude, direction, self.mel, self.options.refinements).clamp(-1, 1)

    def spectrum(self, mel: Float[Tensor, "b n c"]) -> Complex[Tensor, "b f n"]:
        """Return the predicted STFT, ``min(exp(a), 100) * exp(i p)`` from a linear layer's halves ``a`` and ``p``."""
        x = self.norm_in(self.embed(mel.mT).mT)  # (b n d)
        for block in self.blocks:
            x = block(x)
        with torch.autocast(x.device.type, enabled=False):  # a phase of 8 bits is audible
            halves = self.to_spectrum(self.norm_out(x.to(self.to_spectrum.weight.dtype))).float()
        log_magnitude, angle = halves.mT.chunk(2, dim=1)  # (b f n)
        magnitude = log_magnitude.exp().clamp(max=MAX_MAGNITUDE)
        return torch.complex(magnitude * angle.cos(), magnitude * angle.sin())

    def to_samples(self, spectrum: Complex[Tensor, "b f n"]) -> Float[Tensor, "b s"]:
        """Return the inverse STFT of ``spectrum``."""
        n_fft, hop, window = self.mel.n_fft, self.mel.hop_length, hann_window(self.mel.n_fft, spectrum.device)
        if self.options.padding == "center":
            if spectrum.shape[-1] < 2:  # one centred frame spans no hop
                return spectrum.real.new_zeros(spectrum.shape[0], 0)
            return torch.istft(spectrum, n_fft, hop, n_fft, window, center=True)
        frames = torch.fft.irfft(spectrum, n_fft, dim=1) * window[:, None]  # (b w n)
        weights = window.square()[None, :, None].expand(1, -1, spectrum.shape[-1])
        return self._overlap_add(frames) / self._overlap_add(weights)

    def _overlap_add(self, frames: Float[Tensor, "b w n"]) -> Float[Tensor, "b s"]:
        n_fft, hop = self.mel.n_fft, self.mel.hop_length
        length, margin = (frames.shape[-1] - 1) * hop + n_fft, (n_fft - hop) // 2
        added = fold(frames, output_size=(1, length), kernel_size=(1, n_fft), stride=(1, hop))[:, 0, 0]
        return added[:, margin : length - margin]


class ConvNeXtBlock(nn.Module):
    """``x + scale * MLP(LayerNorm(depthwise(x)))``: frames mix in a convolution of 7, channels in the MLP."""

    def __init__(self, dim: int, intermediate_dim: int, scale: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(dim, dim, kernel_size=7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.expand = nn.Linear(dim, intermediate_dim)
        self.contract = nn.Linear(intermediate_dim, dim)
        self.scale = nn.Parameter(torch.full((dim,), scale))

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Return the block's output."""
        y = self.norm(self.depthwise(x.mT).mT)
        return x + self.scale * self.contract(gelu(self.expand(y)))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv1d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
