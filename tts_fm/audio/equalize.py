"""The long-term spectrum of speech, and how its channels move together, brought nearer to that of its prompt."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_LOUD = 0.65  # share of the frames that count as speech
_ENOUGH = 150  # loud frames: fewer say less about the voice, and more about the words
_OWN = 0.5  # how much of each covariance between channels is believed: it is known from few frames
_LEAST, _MOST = 0.5, 2.0  # how much any direction may be stretched


def like(mel: Float[Tensor, "n c"], prompt: Float[Tensor, "p c"], strength: float) -> Float[Tensor, "n c"]:
    """Return ``mel`` with mean and covariance of its loud frames moved towards those of ``prompt``.

    Log-mels. A small model speaks with something of an average voice; the long-term statistics of a voice and a room can
    be corrected afterwards, by the optimal transport map between two Gaussians. ``strength = 0`` changes nothing, 1 moves
    all the way.
    """
    spoken, heard = mel[_is_loud(mel)].double(), prompt[_is_loud(prompt)].double()
    strength = strength * min(1.0, len(spoken) / _ENOUGH)
    if strength == 0 or len(spoken) < 2 or len(heard) < 2:
        return mel
    moved = (mel.double() - spoken.mean(dim=0)) @ transport(_covariance(spoken), _covariance(heard))
    return torch.lerp(mel, (moved + heard.mean(dim=0)).to(mel.dtype), strength)


def transport(a: Float[Tensor, "c c"], b: Float[Tensor, "c c"]) -> Float[Tensor, "c c"]:
    """Return the symmetric ``A`` with ``A a A = b``, which moves a Gaussian of covariance ``a`` to one of ``b`` at least cost.

    ``a^(-1/2) (a^(1/2) b a^(1/2))^(1/2) a^(-1/2)`` (Dowson and Landau 1982), its stretches bounded.
    """
    root = _power(a, 0.5)
    inverse = _power(a, -0.5)
    stretches, directions = torch.linalg.eigh(inverse @ _power(root @ b @ root, 0.5) @ inverse)
    return directions * stretches.clamp(_LEAST, _MOST) @ directions.mT


def _covariance(frames: Float[Tensor, "n c"]) -> Float[Tensor, "c c"]:
    """Return the covariance between channels, half of what lies beside the diagonal left out."""
    whole = torch.cov(frames.mT)
    return torch.lerp(whole.diagonal().diag(), whole, _OWN) + 1e-4 * torch.eye(len(whole)).to(whole)


def _power(symmetric: Float[Tensor, "c c"], exponent: float) -> Float[Tensor, "c c"]:
    values, vectors = torch.linalg.eigh(symmetric)
    return vectors * values.clamp(min=1e-8) ** exponent @ vectors.mT


def _is_loud(mel: Float[Tensor, "n c"]) -> Tensor:
    level = mel.mean(dim=1)
    return level > torch.quantile(level, 1 - _LOUD)
