"""Whose voice it is: embeddings by Resemblyzer's encoder, compared by their cosine.

The weights beside this file are those of Resemblyzer 0.1.4 (Resemble AI, Apache License 2.0, see
``voice_encoder.LICENSE.txt``) in float16 and without the optimizer's state. So neither a download nor Resemblyzer's own
dependencies are needed.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize, pad

from tts_fm import tensors
from tts_fm.audio.io import Waveform
from tts_fm.audio.level import rms, speech_spans
from tts_fm.audio.mel import filterbank
from tts_fm.types import MelSpec

WEIGHTS = Path(__file__).with_name("voice_encoder.safetensors")
ABOUT = "Resemblyzer 0.1.4's encoder"
"""Its name and version, for the report."""
SIZE = 256
"""Numbers in an embedding."""
_SPEC = MelSpec(sample_rate=16_000, n_fft=400, hop_length=160, win_length=400, n_mels=40, flavour="bigvgan")
_WINDOW, _STEP, _LEAST_COVERED = 160, 77, 0.75  # frames, frames, share of the last window
_LEAST_RMS = 10 ** (-30 / 20)  # quieter speech is raised to this
_KEPT = 0.1  # seconds of silence left around speech


class VoiceEncoder(nn.Module):
    """Three LSTM layers over 1.6 s of a power mel; the last state, projected, rectified and of length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(_SPEC.n_mels, SIZE, num_layers=3, batch_first=True)
        self.linear = nn.Linear(SIZE, SIZE)

    def forward(self, mel: Float[Tensor, "b n c"]) -> Float[Tensor, "b e"]:
        """Return the voice of each window of a mel."""
        _, (hidden, _) = self.lstm(mel)
        return normalize(self.linear(hidden[-1]).relu(), dim=-1)

    @torch.inference_mode()
    def embed(self, waveform: Waveform) -> Float[Tensor, " e"]:
        """Return the voice in ``waveform`` as a vector of length 1; zeros where nothing is heard."""
        samples = voiced(waveform)
        n_samples = len(samples)
        if n_samples == 0:
            return torch.zeros(SIZE)
        starts = window_starts(n_samples)
        samples = pad(samples, (0, max(0, (starts[-1] + _WINDOW) * _SPEC.hop_length - n_samples)))
        mel = power_mel(samples)
        windows = torch.stack([mel[start : start + _WINDOW] for start in starts])
        return normalize(self(windows).mean(dim=0), dim=-1)


@cache
def voice_encoder() -> VoiceEncoder:
    """Return the encoder, read once."""
    encoder = VoiceEncoder()
    tensors.fill(encoder, tensors.read_tensors(WEIGHTS), WEIGHTS)
    return encoder.eval().requires_grad_(False)


def cosine(a: Float[Tensor, " e"], b: Float[Tensor, " e"]) -> float:
    """Return the cosine of two embeddings: 1 is the same voice; two people are at about 0.55."""
    return float(a @ b)


def voiced(waveform: Waveform) -> Float[Tensor, " s"]:
    """Return the speech at 16 kHz, at least at -30 dBFS, long silences left out."""
    samples = waveform.resampled(_SPEC.sample_rate).samples.detach().float().cpu()
    if len(samples) == 0 or (loudness := rms(samples)) == 0:
        return samples[:0]
    samples = samples * max(1.0, _LEAST_RMS / loudness)
    is_kept = torch.zeros(len(samples), dtype=torch.bool)
    for span in speech_spans(samples, _SPEC.sample_rate):
        start, end = (round(at * _SPEC.sample_rate) for at in (span.start - _KEPT, span.end + _KEPT))
        is_kept[max(0, start) : end] = True
    return samples[is_kept]


def power_mel(samples: Float[Tensor, " s"]) -> Float[Tensor, "n c"]:
    """Return the power mel (not its logarithm) of Slaney's filters, frames centred and padded with zeros."""
    spectrum = torch.stft(
        samples,
        _SPEC.n_fft,
        _SPEC.hop_length,
        window=torch.hann_window(_SPEC.win_length),
        pad_mode="constant",
        return_complex=True,
    )
    return spectrum.abs().square().mT @ filterbank(_SPEC, samples.device)


def window_starts(n_samples: int) -> list[int]:
    """Return the first frame of each window; one that sound covers by less than three quarters is left out."""
    n_frames = n_samples // _SPEC.hop_length + 1
    starts = list(range(0, max(1, n_frames - _WINDOW + _STEP + 1), _STEP))
    covered = n_samples / _SPEC.hop_length - starts[-1]
    return starts[:-1] if len(starts) > 1 and covered < _LEAST_COVERED * _WINDOW else starts
