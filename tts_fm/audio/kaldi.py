"""Kaldi's filterbank energies of 16 kHz, read off a log-mel of another kind."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm.audio.mel import between, filter_edges
from tts_fm.types import MelSpec

FRAMES_PER_SECOND = 100
LOWEST_HZ = 20.0
HIGHEST_HZ = 8000.0


def energies_of(mel: MelSpec, n_bands: int) -> Float[Tensor, "b c"]:
    """Return weights that make log-energies of a log-mel, read between its channels at the centres of ``n_bands`` bands of Kaldi.

    They are those of Kaldi but for a constant in each band.

    Raises:
        ValueError: the mel ends below 8 kHz.
    """
    if mel.highest_hz < HIGHEST_HZ:
        raise ValueError(
            f"an encoder of speakers hears up to {HIGHEST_HZ:g} Hz, this mel ends at {mel.highest_hz:g} Hz"
        )
    edges = torch.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), n_bands + 2, dtype=torch.float64)
    wanted = 700 * ((edges[1:-1] / 1127).exp() - 1)
    above, share = between(filter_edges(mel)[1:-1], wanted)
    channels, share = torch.eye(mel.n_mels, dtype=torch.float64), share[:, None]
    return 2 * ((1 - share) * channels[above - 1] + share * channels[above]).float()  # of amplitudes, energies


def _mel(hertz: float) -> float:
    return 1127 * math.log1p(hertz / 700)
