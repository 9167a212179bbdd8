"""The long-term spectrum of speech, brought nearer to that of its prompt."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_LOUD = 0.65  # share of the frames that count as speech
_ENOUGH = 150  # loud frames: fewer say less about the voice, and more about the words
_LEAST, _MOST = 0.7, 1.6  # how much a channel's deviation may be scaled


def like(mel: Float[Tensor, "n c"], prompt: Float[Tensor, "p c"], strength: float) -> Float[Tensor, "n c"]:
    """Return ``mel`` with each channel's mean and deviation over loud frames moved towards those of ``prompt``.

    Log-mels. A small model speaks with something of an average voice; its long-term spectrum is the part of a voice and
    a room that can be corrected afterwards. ``strength = 0`` changes nothing, 1 moves all the way.
    """
    spoken, heard = mel[_is_loud(mel)], prompt[_is_loud(prompt)]
    strength = strength * min(1.0, len(spoken) / _ENOUGH)
    if strength == 0 or len(spoken) < 2 or len(heard) < 2:
        return mel
    mean, wanted = spoken.mean(dim=0), heard.mean(dim=0)  # c
    ratio = (heard.std(dim=0) / spoken.std(dim=0).clamp(min=1e-3)).clamp(_LEAST, _MOST) ** strength
    return (mel - mean) * ratio + mean + strength * (wanted - mean)


def _is_loud(mel: Float[Tensor, "n c"]) -> Tensor:
    level = mel.mean(dim=1)
    return level > torch.quantile(level, 1 - _LOUD)
