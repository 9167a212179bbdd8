"""How loud a recording is, and where in it somebody speaks."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_WINDOW, _HOP = 0.025, 0.010  # seconds
_QUIETEST = -100.0  # dB, digital silence
_GAP, _BLIP = 0.15, 0.05  # seconds: a shorter gap belongs to the speech around it, a shorter sound is no speech


class Span(NamedTuple):
    """A stretch of time in seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.end - self.start


def rms(samples: Float[Tensor, " s"]) -> float:
    """Return the root of the mean square: 0.1 is -20 dBFS."""
    return float(samples.double().square().mean().sqrt())


def without_offset(samples: Float[Tensor, " s"]) -> Float[Tensor, " s"]:
    """Return ``samples`` with mean 0."""
    return samples - samples.double().mean().float()


def raised(samples: Float[Tensor, " s"], target_rms: float = 0.1) -> tuple[Float[Tensor, " s"], float]:
    """Return ``samples``, made louder if below ``target_rms``, and the gain that gives speech the former level back.

    As F5-TTS: a loud recording stays as it is and its gain is 1.
    """
    level = rms(samples)
    if level == 0 or level >= target_rms:
        return samples, 1.0
    return samples * (target_rms / level), level / target_rms


def frame_levels(samples: Float[Tensor, " s"], sample_rate: int) -> Float[Tensor, " n"]:
    """Return the level in dBFS of 25 ms windows, centred every 10 ms: ``n = ceil(seconds / 0.010)``."""
    window, hop = round(_WINDOW * sample_rate), round(_HOP * sample_rate)
    n = -(-len(samples) // hop)
    energy = F.pad(samples.double().square().cumsum(0), (1, 0))  # s + 1
    centre = torch.arange(n) * hop + hop // 2
    first, last = (centre - window // 2).clamp(min=0), (centre + window // 2).clamp(max=len(samples))
    power = (energy[last] - energy[first]) / (last - first).clamp(min=1)
    return (10 * torch.log10(power.clamp(min=0) + 1e-30)).clamp(min=_QUIETEST).float()


def speech_spans(samples: Float[Tensor, " s"], sample_rate: int) -> list[Span]:
    """Return the stretches of speech: louder than a threshold between the recording's own noise floor and its speech.

    The threshold lies 40 % of the way from the floor (5th percentile of the frame levels) to the speech (95th), but
    between 35 and 12 dB under the speech.
    """
    levels = frame_levels(samples, sample_rate)
    floor, speech = torch.quantile(levels, torch.tensor([0.05, 0.95])).tolist()
    if speech <= _QUIETEST:
        return []
    threshold = min(max(floor + 0.4 * (speech - floor), speech - 35), speech - 12)
    edges = F.pad((levels > threshold).int(), (1, 1)).diff().nonzero().flatten()  # starts and ends in turn
    end_of_all = len(samples) / sample_rate
    found = [Span(a * _HOP, min(b * _HOP, end_of_all)) for a, b in edges.reshape(-1, 2).tolist()]
    spans: list[Span] = []
    for span in found:
        if spans and span.start - spans[-1].end < _GAP:
            spans[-1] = Span(spans[-1].start, span.end)
        else:
            spans.append(span)
    return [span for span in spans if span.seconds >= _BLIP]


def pauses(spans: list[Span], least: float = 0.2) -> list[Span]:
    """Return the silences of at least ``least`` seconds between ``spans``."""
    between = [Span(a.end, b.start) for a, b in pairwise(spans)]
    return [pause for pause in between if pause.seconds >= least]
