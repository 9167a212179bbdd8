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
_LEAST_RANGE, _NOISY = 12.0, 36.0  # dB from floor to speech: between them a recording is noisy
_BAND = 100.0, 8_000.0  # Hz: where speech is looked for in noise
_OF_NOISE, _TIMES = 0.12, 3.0  # share of frames that are noise; times its power is what rises out of it
_UNDER = 30.0  # dB under the loudest of what rises: no speech
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
    silence there is around the speech or in its pauses, and of what kind, changes nothing. In a noisy recording what
    rises out of the noise counts, in each band of frequencies by itself, so that weak sounds are not hidden by it.
    """
    if len(samples) == 0 or not (peak := float(np.abs(samples).max())):
        return []
    scaled = samples / np.float32(peak)
    levels = frame_levels(scaled, sample_rate)
    tells = _telling(levels)
    floor, speech = np.quantile(levels[tells], [0.02, 0.95]).tolist()
    threshold = min(max(floor + 0.4 * (speech - floor), speech - 35), speech - 12)
    beyond = 0.0
    if _LEAST_RANGE < speech - floor < _NOISY:
        above = _above_noise(scaled, sample_rate, levels, tells)
        if len(rising := above[above > _QUIETEST]):
            levels, threshold = above, float(np.quantile(rising, 0.95)) - _UNDER
            beyond = _HOP  # as a mean over three frames reaches on either side
    end_of_all = len(samples) / sample_rate
    runs = [Span(a * _HOP, min(b * _HOP, end_of_all)) for a, b in _runs(levels > threshold)]
    spans: list[Span] = []
    for span in runs:
        if spans and span.start - spans[-1].end < _GAP:
            spans[-1] = Span(spans[-1].start, span.end)
        else:
            spans.append(span)
    spans = [Span(span.start + beyond, span.end - beyond) for span in spans]
    return [span for span in spans if span.seconds >= _BLIP]


def _above_noise(
    samples: Float[ndarray, " s"], sample_rate: int, levels: Float[ndarray, " n"], tells: Bool[ndarray, " n"]
) -> Float[ndarray, " n"]:
    """Return the levels of what rises out of the noise: in each band what is above thrice the power of the quietest frames.

    Noise alone is often as loud in one frame, seldom in the mean of three.
    """
    power = np.pad(_band_powers(samples, sample_rate), ((1, 1), (0, 0)), mode="edge")
    power = (power[:-2] + power[1:-1] + power[2:]) / 3
    quietest = tells & (levels <= np.quantile(levels[tells], _OF_NOISE))
    above = (power - _TIMES * power[quietest].mean(axis=0)).clip(min=0).sum(axis=1)
    return (10 * np.log10(above + 1e-30)).clip(min=_QUIETEST)


def _band_powers(samples: Float[ndarray, " s"], sample_rate: int) -> Float[ndarray, "n f"]:
    """Return the power in 24 bands, each wider than the one below it, from 100 to at most 8,000 Hz, of the frames above."""
    window, hop = round(_WINDOW * sample_rate), round(_HOP * sample_rate)
    n = -(-len(samples) // hop)
    padded = np.pad(samples, (window // 2, window + hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[hop // 2 :: hop][:n]
    spectrum = np.square(np.abs(np.fft.rfft(frames * np.hanning(window).astype(np.float32), axis=1))) / window**2
    edges = np.geomspace(*_BAND, 25).clip(max=sample_rate / 2)
    first = np.unique(np.searchsorted(np.fft.rfftfreq(window, 1 / sample_rate), edges))
    return np.diff(np.pad(spectrum.cumsum(axis=1), ((0, 0), (1, 0)))[:, first], axis=1)


def _telling(levels: Float[ndarray, " n"]) -> Bool[ndarray, " n"]:
    """Return which levels tell of floor and speech: those around the speech, of a long silence only its edges."""
    top = float(np.sort(levels)[-min(len(levels), _LOUDEST)])
    loud = np.flatnonzero(levels >= top - _LOUD)
    first, last = max(int(loud[0]) - _EDGE, 0), int(loud[-1]) + 1 + _EDGE
    inside = levels[first:last]
    tells = np.zeros(len(levels), dtype=bool)
    counts = tells[first:last]
    counts[:] = inside >= min(float(inside.max()), _QUIETEST + 1)
    for start, end in _runs(inside < top - _QUIET):
        counts[start + _EDGE : max(end - _EDGE, start + _EDGE)] = False
    return tells


def _runs(is_on: Bool[ndarray, " n"]) -> list[tuple[int, int]]:
    """Return first and end of each run of frames that are on."""
    edges = np.flatnonzero(np.diff(np.pad(is_on.astype(np.int8), 1)))  # starts and ends in turn
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def pauses(spans: list[Span], least: float = 0.2) -> list[Span]:
    """Return the silences of at least ``least`` seconds between ``spans``."""
    between = [Span(a.end, b.start) for a, b in pairwise(spans)]
    return [pause for pause in between if pause.seconds >= least]
