"""From noise to a mel by a network in onnxruntime: Euler's steps, guided, with the noise that PyTorch draws from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from tts_fm.runtime.manifest import Manifest

Velocities = Callable[[ndarray, np.float32, np.float32], Sequence[ndarray]]
"""``(x_t, t, until) -> velocities``: told everything, and where guidance asks for it, told nothing."""


def noise(seed: int, n_frames: int, channels: int) -> Float[ndarray, "n c"]:
    """Return what ``torch.randn(n, c)`` draws on a CPU after ``manual_seed(seed)``, to the last bits of its logarithms.

    The Mersenne Twister's lowest 24 bits are uniform numbers; of each 16 the first eight and the last eight make normal
    ones (Box and Muller 1958). Where 16 are not left at the end, the last 16 are drawn anew.
    """
    count = n_frames * channels
    if count < 16:
        raise ValueError(f"{n_frames} frames of {channels} channels are too few: 16 numbers are drawn at a time")
    twister = np.random.RandomState(seed & 0xFFFF_FFFF)
    whole = count - count % 16
    drawn = _uniform(twister, count)
    normal = np.empty(count, np.float32)
    normal[:whole] = _normal(drawn[:whole])
    if whole < count:
        normal[count - 16 :] = _normal(_uniform(twister, 16))
    return normal.reshape(n_frames, channels)


def _uniform(twister: np.random.RandomState, count: int) -> Float[ndarray, " k"]:
    bits = twister.randint(0, 2**32, count, dtype=np.uint32)
    return (bits & 0xFF_FFFF).astype(np.float32) * np.float32(2**-24)


def _normal(uniform: Float[ndarray, " k"]) -> Float[ndarray, " k"]:
    first, second = uniform.reshape(-1, 2, 8).transpose(1, 0, 2)
    radius, angle = np.sqrt(-2 * np.log(1 - first)), np.float32(2 * np.pi) * second
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()


def integrate(
    velocities: Velocities,
    x_0: Float[ndarray, "n c"],
    prompt: Float[ndarray, "n c"],
    is_prompt: Bool[ndarray, " n"],
    manifest: Manifest,
) -> Float[ndarray, "n c"]:
    """Return the scaled mel, the prompt's frames as they were given.

    ``v = v_all + guidance (v_all - v_nothing)``; in leaps the network has its guidance in it.
    """
    x_t, given = x_0, is_prompt[:, None]
    times = np.array(manifest.times, np.float32)
    for t, until in zip(times[:-1], times[1:], strict=True):
        if manifest.follows_prompt:
            sigma = 1 - np.float32(1 - manifest.sigma_min) * t
            x_t = np.where(given, sigma * x_0 + t * prompt, x_t)
        velocity, *away = velocities(x_t, t, until if manifest.is_leaping else t)
        if away:
            velocity = velocity + np.float32(manifest.guidance) * (velocity - away[0])
        x_t = x_t + (until - t) * velocity
    return np.where(given, prompt, x_t)
