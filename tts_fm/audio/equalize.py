"""Mels on any device, their long-term spectrum brought nearer to that of their prompt."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm.audio import spectrum


def like(mel: Float[Tensor, "n c"], prompt: Float[Tensor, "p c"], strength: float) -> Float[Tensor, "n c"]:
    """Return ``mel`` moved towards ``prompt``, see :func:`spectrum.like`."""
    if strength == 0:
        return mel
    return torch.from_numpy(spectrum.like(mel.cpu().numpy(), prompt.cpu().numpy(), strength)).to(mel.device)
