"""From noise to a mel by a network in onnxruntime: Euler's steps, guided, with the noise that PyTorch draws from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from tts_fm.audio import spectrum
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


def sample(
    velocities: Velocities,
    x_0: Float[ndarray, "n c"],
    prompt: Float[ndarray, "n c"],
    is_prompt: Bool[ndarray, " n"],
    is_valid: Bool[ndarray, " n"],
    manifest: Manifest,
) -> Float[ndarray, "n c"]:
    """Return the scaled mel, the prompt's frames as they were given, the others moved towards them and settled."""
    before, last = manifest.times[:-1], manifest.times[-2:]
    x_s = integrate(velocities, x_0, x_0, prompt, is_prompt, before, manifest)
    x_t = integrate(velocities, x_s, x_0, prompt, is_prompt, last, manifest)
    given, is_missing = is_prompt[:, None], is_valid & ~is_prompt
    x_1 = np.where(given, prompt, _end(x_s, x_t, last, manifest))
    x_1[is_missing] = spectrum.like(x_1[is_missing], prompt[is_prompt], manifest.match_prompt)
    if len(manifest.settling) == 1:
        return x_1
    x_t = _on_path(x_0, x_1, np.float32(manifest.settling[0]), manifest)
    return np.where(given, prompt, integrate(velocities, x_t, x_0, prompt, is_prompt, manifest.settling, manifest))


def _sigma(t: np.float32, manifest: Manifest) -> np.float32:
    return 1 - np.float32(1 - manifest.sigma_min) * t


def _on_path(x_0: ndarray, x_1: ndarray, t: np.float32, manifest: Manifest) -> ndarray:
    return _sigma(t, manifest) * x_0 + t * x_1


def _end(x_s: ndarray, x_t: ndarray, times: Sequence[float], manifest: Manifest) -> ndarray:
    """Return the ``x_1`` of the path through ``x_s`` and ``x_t`` at two ``times``."""
    s, t = np.array(times, np.float32)
    if t == 1:
        return x_t
    noise_s, noise_t = _sigma(s, manifest), _sigma(t, manifest)
    return (noise_s * x_t - noise_t * x_s) / (noise_s * t - noise_t * s)


def integrate(
    velocities: Velocities,
    x_t: Float[ndarray, "n c"],
    x_0: Float[ndarray, "n c"],
    prompt: Float[ndarray, "n c"],
    is_prompt: Bool[ndarray, " n"],
    grid: Sequence[float],
    manifest: Manifest,
) -> Float[ndarray, "n c"]:
    """Return where ``x_t`` gets from the first time of ``grid`` to the last.

    ``v = v_all + guidance (v_all - v_nothing)``; in leaps the network has its guidance in it.
    """
    given = is_prompt[:, None]
    times = np.array(grid, np.float32)
    for t, until in zip(times[:-1], times[1:], strict=True):
        if manifest.follows_prompt:
            x_t = np.where(given, _on_path(x_0, prompt, t, manifest), x_t)
        velocity, *away = velocities(x_t, t, until if manifest.is_leaping else t)
        if away:
            velocity = velocity + np.float32(manifest.guidance) * (velocity - away[0])
        x_t = x_t + (until - t) * velocity
    return x_t
