"""Log-mel to waveform: the interface; each other file here is one vocoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from tts_fm.plugins import Options, Plugin
from tts_fm.types import MelSpec


class Vocoder(nn.Module, Plugin, ABC):
    """Makes a waveform from a log-mel.

    Args:
        options: this vocoder's block of the configuration.
        mel: the mel it will be given.

    Raises:
        ValueError: ``mel`` is not what this vocoder was made for.
    """

    around: ClassVar[int] = 16
    """Frames on each side of a part that are heard with it; of HiFi-GAN's 14 matter."""

    def __init__(self, options: Options, mel: MelSpec) -> None:
        super().__init__()
        self.options, self.mel = options, mel

    def hold_weights(self) -> None:
        """Hold the weights as they are multiplied where they are, which rounds them; most vocoders leave them alone."""

    @abstractmethod
    def decode(self, mel: Float[Tensor, "b n c"]) -> Float[Tensor, "b s"]:
        """Return samples in [-1, 1]; ``s`` is about ``n * hop_length``."""

    def decode_part(self, mel: Float[Tensor, "b n c"], start: int, end: int) -> Float[Tensor, "b s"]:
        """Return the samples of the frames from ``start`` to ``end``, as they are among all of them."""
        first, hop = max(start - self.around, 0), self.mel.hop_length
        samples = self.decode(mel[:, first : end + self.around])
        return samples[:, (start - first) * hop : None if end == mel.shape[1] else (end - first) * hop]
