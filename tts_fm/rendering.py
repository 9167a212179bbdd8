"""From a mel that a model made to sound: without the model's scale, in the prompt's colour, through the vocoder."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from tts_fm.audio.equalize import like
from tts_fm.audio.io import Waveform
from tts_fm.config import ModelConfig
from tts_fm.vocoders import Vocoder

AROUND = 16
"""Frames on each side that the vocoder hears too; HiFi-GAN sees 14."""


@dataclass(frozen=True, eq=False)
class Renderer:
    """What it takes: how a model hears, and its vocoder."""

    config: ModelConfig
    vocoder: Vocoder

    def log_mel(self, mel: Float[Tensor, "q c"], prompt: Float[Tensor, "p c"]) -> Float[Tensor, "q c"]:
        """Return a scaled ``mel`` without the scale, equalised to the ``prompt`` that it continues."""
        unscaled = self.config.mel_scale.unscaled
        return like(unscaled(mel), unscaled(prompt), self.config.match_prompt)

    def sound(
        self, log_mel: Float[Tensor, "n c"], gain: float = 1.0, start: int = 0, end: int | None = None
    ) -> Waveform:
        """Return the sound of the frames from ``start`` to ``end``, as it is among all of them, times ``gain``."""
        end = len(log_mel) if end is None else end
        first, hop = max(start - AROUND, 0), self.config.mel.hop_length
        samples = self.vocoder.decode(log_mel[None, first : end + AROUND])[0].float().cpu() * gain
        last = None if end == len(log_mel) else (end - first) * hop
        return Waveform(samples[(start - first) * hop : last], self.config.mel.sample_rate)
