"""How loud a recording is, and where in it somebody speaks."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

_WINDOW, _HOP = 0.025, 0.010  # seconds
_QUIETEST = -100.0  # dB, digital silence
_LOUDEST, _EDGE = (
    20,
    10,
)  # frames: as many are as loud as the speech can be; as many of a silence say what noise is in it
_LOUD, _QUIET = 20.0, 30.0  # dB under the loudest: certainly speech, and certainly silence
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


def loudness(samples: Float[Tensor, " s"], sample_rate: int) -> float:
    """Return the root of the mean square of the speech, its pauses left out; 0 where nobody speaks."""
    spans = speech_spans(samples, sample_rate)
    spoken = [samples[round(span.start * sample_rate) : round(span.end * sample_rate)] for span in spans]
    return rms(torch.cat(spoken)) if spoken else 0.0


def without_offset(samples: Float[Tensor, " s"]) -> Float[Tensor, " s"]:
    """Return ``samples`` with mean 0; a constant beginning or end, as digital silence is, does not count and becomes 0."""
    changes = samples.diff().nonzero().flatten()
    if len(changes) == 0:
        return torch.zeros_like(samples)
    start, end = int(changes[0]), int(changes[-1]) + 2
    inside = samples[start:end] - samples[start:end].double().mean().float()
    return F.pad(inside, (start, len(samples) - end))


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

    The threshold lies 40 % of the way from the floor to the speech, but between 35 and 12 dB under the speech. How much
    silence there is around the speech or in its pauses, and of what kind, changes nothing.
    """
    if len(samples) == 0 or not (peak := float(samples.abs().max())):
        return []
    levels = frame_levels(samples / peak, sample_rate)
    telling = _telling(levels)
    floor, speech = torch.quantile(telling, torch.tensor([0.02, 0.95])).tolist()
    threshold = min(max(floor + 0.4 * (speech - floor), speech - 35), speech - 12)
    end_of_all = len(samples) / sample_rate
    found = [Span(a * _HOP, min(b * _HOP, end_of_all)) for a, b in _runs(levels > threshold)]
    spans: list[Span] = []
    for span in found:
        if spans and span.start - spans[-1].end < _GAP:
            spans[-1] = Span(spans[-1].start, span.end)
        else:
            spans.append(span)
    return [span for span in spans if span.seconds >= _BLIP]


def _telling(levels: Float[Tensor, " n"]) -> Float[Tensor, " k"]:
    """Return the levels that tell of floor and speech: those around the speech, of a long silence only its edges."""
    top = float(levels.topk(min(len(levels), _LOUDEST)).values[-1])
    loud = (levels >= top - _LOUD).nonzero().flatten().tolist()
    inside = levels[max(loud[0] - _EDGE, 0) : loud[-1] + 1 + _EDGE]
    counts = inside >= min(float(inside.max()), _QUIETEST + 1)
    for start, end in _runs(inside < top - _QUIET):
        counts[start + _EDGE : max(end - _EDGE, start + _EDGE)] = False
    return inside[counts]


def _runs(is_on: Bool[Tensor, " n"]) -> list[tuple[int, int]]:
    """Return first and end of each run of frames that are on."""
    edges = F.pad(is_on.int(), (1, 1)).diff().nonzero().flatten()  # starts and ends in turn
    return [(start, end) for start, end in edges.reshape(-1, 2).tolist()]


def pauses(spans: list[Span], least: float = 0.2) -> list[Span]:
    """Return the silences of at least ``least`` seconds between ``spans``."""
    between = [Span(a.end, b.start) for a, b in pairwise(spans)]
    return [pause for pause in between if pause.seconds >= least]
