"""From a log-mel to magnitudes by least squares, and from magnitudes to a waveform by Griffin and Lim's iterations."""

from __future__ import annotations

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.nn.functional import pad

from tts_fm.audio.mel import filterbank, hann_window
from tts_fm.types import MelSpec


def magnitude(mel: Float[Tensor, "b n c"], spec: MelSpec) -> Float[Tensor, "b f n"]:
    """Return the magnitude spectrum of least norm whose mel is ``mel``, without its negative parts."""
    inverse = torch.linalg.pinv(filterbank(spec, mel.device).double())  # (c f)
    return (mel.double().exp() @ inverse).clamp(min=0).float().mT


def griffin_lim(
    magnitude: Float[Tensor, "b f n"],
    direction: Complex[Tensor, "b f n"],
    spec: MelSpec,
    iterations: int,
    momentum: float = 0.99,
) -> Float[Tensor, "b s"]:
    """Return a waveform whose STFT has about this ``magnitude``, starting from the phases of ``direction`` (modulus 1).

    The fast variant of Perraudin et al. 2013; ``momentum = 0`` is the original algorithm. Frames are centred:
    ``s = (n - 1) * hop_length``.
    """
    shape, half = (spec.n_fft, spec.hop_length, spec.win_length), spec.n_fft // 2
    window = hann_window(spec.win_length, magnitude.device)
    previous = torch.zeros((), device=magnitude.device)
    for _ in range(iterations):
        samples = torch.istft(magnitude * direction, *shape, window)
        agreed = torch.stft(pad(samples, (half, half)), *shape, window, center=False, return_complex=True)
        direction = agreed - previous * (momentum / (1 + momentum))
        direction, previous = direction / direction.abs().clamp(min=1e-12), agreed
    return torch.istft(magnitude * direction, *shape, window)
