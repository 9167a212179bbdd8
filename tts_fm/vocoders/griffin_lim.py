"""Griffin-Lim: no weights, works for every mel, sounds metallic; a yardstick and a fallback."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn.functional import pad

from tts_fm import plugins
from tts_fm.audio import phase
from tts_fm.types import MelSpec
from tts_fm.vocoders import Vocoder


class GriffinLim(Vocoder):
    """Least squares undo the mel filters; then the phase is what an STFT of the waveform agrees with."""

    class Options(plugins.Options):
        """``momentum`` is that of the fast variant (Perraudin et al. 2013); 0 is the original algorithm."""

        iterations: int = Field(default=60, ge=1, le=10_000)
        momentum: float = Field(default=0.99, ge=0, lt=1)

    options: Options

    def __init__(self, options: Options, mel: MelSpec) -> None:
        super().__init__(options, mel)
        if not mel.n_mels <= mel.n_fft // 2 + 1 or not 2 * mel.hop_length <= mel.win_length <= mel.n_fft:
            wanted = "n_mels <= n_fft / 2 + 1 and 2 hop_length <= win_length <= n_fft"
            raise ValueError(f"the vocoder griffin_lim was made for mels of {wanted}, it was given {mel}")

    def decode(self, mel: Float[Tensor, "b n c"]) -> Float[Tensor, "b s"]:
        """Return the waveform; the phase's start is drawn from a seed of its own, so that it is always the same."""
        if mel.shape[-1] != self.mel.n_mels:
            raise ValueError(f"the vocoder expects {self.mel.n_mels} mel channels, it was given {mel.shape[-1]}")
        hop = self.mel.hop_length
        margin = 0 if self.mel.is_centred else hop // 2  # its frames begin half a hop later
        if mel.shape[1] < 2:
            return mel.new_zeros(mel.shape[0], 2 * margin * mel.shape[1])
        magnitude = phase.magnitude(mel, self.mel)  # (b f n)
        rng = torch.Generator().manual_seed(0)
        angle = 2 * math.pi * torch.rand(magnitude.shape[1:], generator=rng).to(mel.device)
        start = torch.polar(torch.ones_like(magnitude), angle.expand_as(magnitude))
        samples = phase.griffin_lim(magnitude, start, self.mel, self.options.iterations, self.options.momentum)
        return pad(samples, (margin, hop - margin) if margin else (0, 0)).clamp(-1, 1)
