"""How loud the voices of a story are beside each other, and what brings them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tts_fm.audio import level
from tts_fm.audio.io import Waveform

_SAME_LOUDNESS = 1.6  # 4 dB: as much may lie between voices that nobody would call louder or softer


@dataclass(frozen=True)
class Level:
    """How loud somebody speaks, and the loudest sample."""

    loudness: float
    peak: float

    @classmethod
    def of(cls, waveform: Waveform, gain: float = 1.0) -> Level:
        """Measure ``waveform``, multiplied by ``gain``."""
        samples = waveform.samples * gain
        return cls(level.loudness(samples, waveform.sample_rate), float(samples.abs().max()))


def gains(levels: Mapping[str, Level]) -> dict[str, float]:
    """Return what brings each voice to the loudness of the loudest, as far as its peaks allow; 1 where it is near to it."""
    wanted = max(each.loudness for each in levels.values())
    return {name: _gain(each, wanted) for name, each in levels.items()}


def _gain(own: Level, wanted: float) -> float:
    if own.loudness == 0 or wanted <= _SAME_LOUDNESS * own.loudness:
        return 1.0
    return max(1.0, min(wanted / own.loudness, 1 / own.peak))
