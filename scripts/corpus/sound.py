"""Samples in and out: read, resample, warp, trim, level, write."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import soundfile
import soxr

from tts_fm.alignment.phones import SAMPLE_RATE, Span

_LEVEL, _PEAK = 0.08, 0.95
_BEFORE, _AFTER = 0.2, 0.25  # seconds of silence to keep around the speech
_FADE = 0.005


def read(path: Path) -> tuple[np.ndarray, int]:
    """The first channel without its DC offset, and its sample rate."""
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return audio[:, 0] - audio[:, 0].mean(), rate


def resample(audio: np.ndarray, source: float, target: float) -> np.ndarray:
    return audio if source == target else soxr.resample(audio, source, target)


def warp(audio: np.ndarray, factor: float) -> np.ndarray:
    """``factor`` times as fast, as high and with formants as high."""
    return soxr.resample(audio, SAMPLE_RATE * factor, SAMPLE_RATE)


def level(audio: np.ndarray) -> np.ndarray:
    """RMS 0.08, less where a peak would clip."""
    audio = audio - audio.mean()
    rms, peak = float(np.sqrt(np.mean(audio**2))), float(np.abs(audio).max())
    return audio * min(_LEVEL / max(rms, 1e-6), _PEAK / max(peak, 1e-6))


def trim(audio: np.ndarray, spans: list[list[Span]], borders: Span) -> tuple[np.ndarray, list[list[Span]]]:
    """What lies around ``spans`` and inside ``borders``, and the spans in its own time."""
    start = max(borders[0], spans[0][0][0] - _BEFORE, 0.0)
    end = min(borders[1], spans[-1][-1][1] + _AFTER, len(audio) / SAMPLE_RATE)
    first = round(start * SAMPLE_RATE)
    cut = _faded(audio[first : round(end * SAMPLE_RATE)])
    start = first / SAMPLE_RATE
    return cut, [[(max(0.0, a - start), b - start) for a, b in word] for word in spans]


def _faded(audio: np.ndarray) -> np.ndarray:
    ramp, faded = np.linspace(0, 1, round(_FADE * SAMPLE_RATE), dtype=np.float32), audio.copy()
    faded[: len(ramp)] *= ramp
    faded[-len(ramp) :] *= ramp[::-1]
    return faded


def padded(audio: np.ndarray, spans: list[list[Span]]) -> tuple[np.ndarray, list[list[Span]]]:
    """Enough silence around what a machine said at once."""
    before, after = round(_BEFORE * SAMPLE_RATE), round(_AFTER * SAMPLE_RATE)
    shift = before / SAMPLE_RATE
    return np.pad(_faded(audio), (before, after)), [[(a + shift, b + shift) for a, b in word] for word in spans]


def on_floor(audio: np.ndarray, seed: str, below_db: tuple[float, float] = (60, 75)) -> np.ndarray:
    """The audio on noise so far below it, for digital silence is like nothing that a microphone hears."""
    rng = np.random.default_rng(zlib.crc32(seed.encode()))
    rms = float(np.sqrt(np.mean(audio**2)))
    return audio + rng.standard_normal(len(audio), np.float32) * rms * 10 ** (-rng.uniform(*below_db) / 20)


def write(path: Path, audio: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, SAMPLE_RATE, subtype="PCM_16")
