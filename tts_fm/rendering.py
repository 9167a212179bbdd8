"""From a mel that a model made to sound: without the model's scale, through the vocoder."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from tts_fm.audio.io import Waveform
from tts_fm.config import ModelConfig
from tts_fm.vocoders import Vocoder


@dataclass(frozen=True, eq=False)
class Renderer:
    """What it takes: how a model hears, and its vocoder."""

    config: ModelConfig
    vocoder: Vocoder

    def log_mel(self, mel: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        """Return a scaled ``mel`` without the scale."""
        return self.config.mel_scale.unscaled(mel)

    def sound(
        self, log_mel: Float[Tensor, "n c"], gain: float = 1.0, start: int = 0, end: int | None = None
    ) -> Waveform:
        """Return the sound of the frames from ``start`` to ``end``, as it is among all of them, times ``gain``."""
        end = len(log_mel) if end is None else end
        samples = self.vocoder.decode_part(log_mel[None], start, end)[0].float().cpu() * gain
        return Waveform(samples, self.config.mel.sample_rate)
