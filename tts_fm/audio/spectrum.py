"""The long-term spectrum of speech, and how its channels move together, brought nearer to that of its prompt, in numpy."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

_LOUD = 0.65  # share of the frames that count as speech
_ENOUGH = 150  # loud frames: fewer say less about the voice, and more about the words
_OWN = 0.5  # how much of each covariance between channels is believed: it is known from few frames
_LEAST, _MOST = 0.5, 2.0  # how much any direction may be stretched


def like(mel: Float[ndarray, "n c"], prompt: Float[ndarray, "p c"], strength: float) -> Float[ndarray, "n c"]:
    """Return ``mel`` with mean and covariance of its loud frames moved towards those of ``prompt``.

    Log-mels. A small model speaks with something of an average voice; the long-term statistics of a voice and a room can
    be corrected afterwards, by the optimal transport map between two Gaussians. ``strength = 0`` changes nothing, 1 moves
    all the way.
    """
    if strength == 0 or min(len(mel), len(prompt)) == 0:
        return mel
    spoken, heard = mel[_is_loud(mel)].astype(np.float64), prompt[_is_loud(prompt)].astype(np.float64)
    strength = strength * min(1.0, len(spoken) / _ENOUGH)
    if len(spoken) < 2 or len(heard) < 2:
        return mel
    moved = (mel - spoken.mean(axis=0)) @ transport(_covariance(spoken), _covariance(heard)) + heard.mean(axis=0)
    return (mel + strength * (moved - mel)).astype(mel.dtype)


def transport(a: Float[ndarray, "c c"], b: Float[ndarray, "c c"]) -> Float[ndarray, "c c"]:
    """Return the symmetric ``A`` with ``A a A = b``, which moves a Gaussian of covariance ``a`` to one of ``b`` at least cost.

    ``a^(-1/2) (a^(1/2) b a^(1/2))^(1/2) a^(-1/2)`` (Dowson and Landau 1982), its stretches bounded.
    """
    root = _power(a, 0.5)
    inverse = _power(a, -0.5)
    stretches, directions = np.linalg.eigh(inverse @ _power(root @ b @ root, 0.5) @ inverse)
    return directions * stretches.clip(_LEAST, _MOST) @ directions.T


def _covariance(frames: Float[ndarray, "n c"]) -> Float[ndarray, "c c"]:
    """Return the covariance between channels, half of what lies beside the diagonal left out."""
    whole = np.atleast_2d(np.cov(frames.T))
    return _OWN * whole + (1 - _OWN) * np.diag(np.diag(whole)) + 1e-4 * np.eye(len(whole))


def _power(symmetric: Float[ndarray, "c c"], exponent: float) -> Float[ndarray, "c c"]:
    values, vectors = np.linalg.eigh(symmetric)
    return vectors * values.clip(1e-8) ** exponent @ vectors.T


def _is_loud(mel: Float[ndarray, "n c"]) -> Bool[ndarray, " n"]:
    level = mel.mean(axis=1)
    return level > np.quantile(level, 1 - _LOUD)
