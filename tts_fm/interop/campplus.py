"""The weights of CAM++ as the 3D-Speaker project publishes them (``campplus_cn_en_common.pt``)."""

from __future__ import annotations

from pathlib import Path

import torch

from tts_fm.audio import kaldi
from tts_fm.errors import ModelError
from tts_fm.nn.campplus import N_BANDS, CAMPPlus, SpeakerEncoder
from tts_fm.torch_files import load_state
from tts_fm.types import MelSpec


def load(path: Path, mel: MelSpec, scale: float = 1.0) -> SpeakerEncoder:
    """Return the encoder in ``path``, frozen, for log-mels that were divided by ``scale``.

    Raises:
        ModelError: the file is not there, or holds another network.
        ValueError: the mel ends below 8 kHz.
    """
    encoder = SpeakerEncoder(mel.n_mels, rate(mel))
    state = load_state(path, is_old_format_read=True)
    try:
        encoder.network.load_state_dict(state)
    except RuntimeError:
        raise ModelError(f"{path} does not hold CAM++ with {CAMPPlus.DIM} numbers a voice") from None
    with torch.no_grad():
        encoder.bands.weight.copy_(scale * kaldi.energies_of(mel, N_BANDS))
    return encoder.eval().requires_grad_(False)


def rate(mel: MelSpec) -> float:
    """Return how many of Kaldi's frames one of the mel is."""
    return kaldi.FRAMES_PER_SECOND * mel.hop_length / mel.sample_rate
