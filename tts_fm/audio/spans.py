"""How loud a recording is, and where in it somebody speaks, in numpy."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

_WINDOW, _HOP = 0.025, 0.010  # seconds
_QUIETEST = -100.0  # dB, digital silence
_LOUDEST = 20  # frames: as many are as loud as the speech can be
_EDGE = 10  # frames: as many of a silence say what noise is in it
_LOUD, _QUIET = 20.0, 30.0  # dB under the loudest: certainly speech, and certainly silence
_NOISY, _WORTH = 36.0, 6.0  # dB from floor to speech: a noisy recording, and what taking its hum away must bring
_HUM = 200.0, 300.0  # Hz: hum is below, what tells of speech above
_GAP, _BLIP = 0.15, 0.05  # seconds: a shorter gap belongs to the speech around it, a shorter sound is no speech


class Span(NamedTuple):
    """A stretch of time in seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.end - self.start


def rms(samples: Float[ndarray, " s"]) -> float:
    """Return the root of the mean square: 0.1 is -20 dBFS."""
    return float(np.sqrt(np.square(samples, dtype=np.float64).mean()))


def without_offset(samples: Float[ndarray, " s"]) -> Float[ndarray, " s"]:
    """Return ``samples`` with mean 0; a constant beginning or end, as digital silence is, does not count and becomes 0."""
    changes = np.flatnonzero(np.diff(samples))
    moved = np.zeros_like(samples)
    if len(changes):
        inside = slice(int(changes[0]), int(changes[-1]) + 2)
        moved[inside] = samples[inside] - samples[inside].mean(dtype=np.float64).astype(samples.dtype)
    return moved


def gain(samples: Float[ndarray, " s"], target_rms: float = 0.1) -> float:
    """Return what ``samples``, made as loud as ``target_rms``, must be multiplied by to be as they are.

    As F5-TTS: a loud recording stays as it is and its gain is 1.
    """
    level = rms(samples)
    return 1.0 if level == 0 or level >= target_rms else level / target_rms


def frame_levels(samples: Float[ndarray, " s"], sample_rate: int) -> Float[ndarray, " n"]:
    """Return the level in dBFS of 25 ms windows, centred every 10 ms: ``n = ceil(seconds / 0.010)``."""
    window, hop = round(_WINDOW * sample_rate), round(_HOP * sample_rate)
    n = -(-len(samples) // hop)
    energy = np.concatenate([[0.0], np.square(samples, dtype=np.float64).cumsum()])  # s + 1
    centre = np.arange(n) * hop + hop // 2
    first, last = (centre - window // 2).clip(min=0), (centre + window // 2).clip(max=len(samples))
    power = (energy[last] - energy[first]) / (last - first).clip(min=1)
    return (10 * np.log10(power.clip(min=0) + 1e-30)).clip(min=_QUIETEST).astype(np.float32)


def speech_spans(samples: Float[ndarray, " s"], sample_rate: int) -> list[Span]:
    """Return the stretches of speech: louder than a threshold between the recording's own noise floor and its speech.

    The threshold lies 40 % of the way from the floor to the speech, but between 35 and 12 dB under the speech. How much
    silence there is around the speech or in its pauses, and of what kind, changes nothing. In a recording with hum
    what lies above it counts, so that it hides no weak sounds; wide noise does hide them.
    """
    if len(samples) == 0 or not (peak := float(np.abs(samples).max())):
        return []
    levels = frame_levels(samples / np.float32(peak), sample_rate)
    floor, speech = _range(levels)
    if speech - floor < _NOISY:
        above = frame_levels(_above_hum(samples / np.float32(peak), sample_rate), sample_rate)
        its_floor, its_speech = _range(above)
        if its_speech - its_floor >= speech - floor + _WORTH:
            levels, floor, speech = above, its_floor, its_speech
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


def _range(levels: Float[ndarray, " n"]) -> tuple[float, float]:
    """Return the level of the noise and that of the speech."""
    floor, speech = np.quantile(_telling(levels), [0.02, 0.95]).tolist()
    return floor, speech


def _above_hum(samples: Float[ndarray, " s"], sample_rate: int) -> Float[ndarray, " s"]:
    """Return ``samples`` without what is below 200 Hz, and less and less of it up to 300 Hz."""
    spectrum = np.fft.rfft(samples)
    frequency = np.fft.rfftfreq(len(samples), 1 / sample_rate)
    return np.fft.irfft(spectrum * np.interp(frequency, _HUM, (0, 1)), len(samples)).astype(np.float32)


def _telling(levels: Float[ndarray, " n"]) -> Float[ndarray, " k"]:
    """Return the levels that tell of floor and speech: those around the speech, of a long silence only its edges."""
    top = float(np.sort(levels)[-min(len(levels), _LOUDEST)])
    loud = np.flatnonzero(levels >= top - _LOUD)
    inside = levels[max(int(loud[0]) - _EDGE, 0) : int(loud[-1]) + 1 + _EDGE]
    counts = inside >= min(float(inside.max()), _QUIETEST + 1)
    for start, end in _runs(inside < top - _QUIET):
        counts[start + _EDGE : max(end - _EDGE, start + _EDGE)] = False
    return inside[counts]


def _runs(is_on: Bool[ndarray, " n"]) -> list[tuple[int, int]]:
    """Return first and end of each run of frames that are on."""
    edges = np.flatnonzero(np.diff(np.pad(is_on.astype(np.int8), 1)))  # starts and ends in turn
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def pauses(spans: list[Span], least: float = 0.2) -> list[Span]:
    """Return the silences of at least ``least`` seconds between ``spans``."""
    between = [Span(a.end, b.start) for a, b in pairwise(spans)]
    return [pause for pause in between if pause.seconds >= least]
