"""What was said, and how."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from tts_fm.audio.io import Waveform


@dataclass(frozen=True, eq=False)
class Speech:
    """Speech that a model made.

    Attributes:
        waveform: the sound.
        mel: the generated log-mel, without the prompt.
        text: the text as it was read, normalised.
        chunks: the pieces it was spoken in.
        unknown: tokens of the text that the model does not know.
        seconds: computing time.
    """

    waveform: Waveform
    mel: Float[Tensor, "n c"]
    text: str
    chunks: tuple[str, ...]
    unknown: tuple[str, ...]
    seconds: float

    @property
    def real_time_factor(self) -> float:
        """Computing time over the length of the speech."""
        return self.seconds / self.waveform.seconds
