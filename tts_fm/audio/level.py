"""How loud a recording is, and where in it somebody speaks: tensors, measured by :mod:`tts_fm.audio.spans`."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm.audio import spans
from tts_fm.audio.spans import Span, pauses

__all__ = ["Span", "frame_levels", "loudness", "pauses", "raised", "rms", "speech_spans", "without_offset"]


def rms(samples: Float[Tensor, " s"]) -> float:
    """Return the root of the mean square: 0.1 is -20 dBFS."""
    return spans.rms(samples.detach().cpu().numpy())


def loudness(samples: Float[Tensor, " s"], sample_rate: int) -> float:
    """Return the root of the mean square of the speech, its pauses left out; 0 where nobody speaks."""
    spans = speech_spans(samples, sample_rate)
    spoken = [samples[round(span.start * sample_rate) : round(span.end * sample_rate)] for span in spans]
    return rms(torch.cat(spoken)) if spoken else 0.0


def without_offset(samples: Float[Tensor, " s"]) -> Float[Tensor, " s"]:
    """Return ``samples`` with mean 0, see :func:`spans.without_offset`."""
    return torch.from_numpy(spans.without_offset(samples.detach().cpu().numpy())).to(samples.device)


def raised(samples: Float[Tensor, " s"], target_rms: float = 0.1) -> tuple[Float[Tensor, " s"], float]:
    """Return ``samples``, made louder if below ``target_rms``, and the gain that undoes it, 1 where it was louder."""
    gain = spans.gain(samples.detach().cpu().numpy(), target_rms)
    return (samples if gain == 1.0 else samples / gain), gain


def frame_levels(samples: Float[Tensor, " s"], sample_rate: int) -> Float[Tensor, " n"]:
    """Return the level in dBFS of 25 ms windows, centred every 10 ms: ``n = ceil(seconds / 0.010)``."""
    return torch.from_numpy(spans.frame_levels(samples.detach().cpu().numpy(), sample_rate))


def speech_spans(samples: Float[Tensor, " s"], sample_rate: int) -> list[Span]:
    """Return the stretches of speech, see :func:`spans.speech_spans`."""
    return spans.speech_spans(samples.detach().cpu().numpy(), sample_rate)
