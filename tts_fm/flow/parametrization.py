"""What a network may predict on a path: velocity, noise, clean sample or score; each gives the others.

With ``x_t = alpha x_1 + sigma x_0`` and a velocity ``d_alpha x_1 + d_sigma x_0`` two unknowns meet two equations. The
conversions are linear, so they hold for predictions (expectations given ``x_t``) as they hold for the true values.
``t`` has the shape ``()`` or one entry per element of the batch.

Where a path stands still or holds only noise or only data (its ends, mostly) one prediction need not tell another; what
is not determined there is not finite.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from tts_fm.flow.paths import Path

Prediction = Literal["velocity", "noise", "clean", "score"]


def convert(path: Path, value: Tensor, x_t: Tensor, t: Tensor, *, given: Prediction, wanted: Prediction) -> Tensor:
    """Return the ``wanted`` prediction at ``x_t`` from the ``given`` one."""
    if given == wanted:
        return value
    noise = {"velocity": noise_from_velocity, "clean": noise_from_clean, "score": noise_from_score}
    x_0 = value if given == "noise" else noise[given](path, value, x_t, t)
    of_noise = {"velocity": velocity_from_noise, "clean": clean_from_noise, "score": score_from_noise}
    return x_0 if wanted == "noise" else of_noise[wanted](path, x_0, x_t, t)


def noise_from_velocity(path: Path, velocity: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """Return ``(d_alpha x_t - alpha v) / (d_alpha sigma - alpha d_sigma)``; ``x_t`` itself at ``t = 0``."""
    t = _over(x_t, t)
    alpha, d_alpha = path.alpha(t), path.d_alpha(t)
    noise = (d_alpha * x_t - alpha * velocity) / (d_alpha * path.sigma(t) - alpha * path.d_sigma(t))
    return torch.where(alpha == 0, x_t, noise)


def noise_from_clean(path: Path, x_1: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """Return ``(x_t - alpha x_1) / sigma``."""
    t = _over(x_t, t)
    return (x_t - path.alpha(t) * x_1) / path.sigma(t)


def noise_from_score(path: Path, score: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """Return ``-sigma score``."""
    return -path.sigma(_over(x_t, t)) * score


def velocity_from_noise(path: Path, x_0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """Return ``d_alpha x_1 + d_sigma x_0`` with the clean sample that belongs to ``x_0``."""
    x_1, t = clean_from_noise(path, x_0, x_t, t), _over(x_t, t)
    return path.d_alpha(t) * x_1 + path.d_sigma(t) * x_0


def clean_from_noise(path: Path, x_0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """Return ``(x_t - sigma x_0) / alpha``."""
    t = _over(x_t, t)
    return (x_t - path.sigma(t) * x_0) / path.alpha(t)


def score_from_noise(path: Path, x_0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
    """Return ``grad log p_t(x_t) = -E[x_0 | x_t] / sigma`` (Tweedie)."""
    return -x_0 / path.sigma(_over(x_t, t))


def _over(x: Tensor, t: Tensor) -> Tensor:
    """``t``, to be broadcast over ``x``."""
    return t if t.dim() == 0 else t.reshape(-1, *[1] * (x.dim() - 1))
