"""A sound and its mel as two small files, for a page to show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from tts_fm.audio import picture
from tts_fm.audio.io import Waveform
from tts_fm.audio.mel import log_mel
from tts_fm.types import MelSpec

_COLOURS = 64  # of a picture: enough for the eye, and a third of the bytes


@dataclass(frozen=True)
class Exhibit:
    """Where the sound and its mel are, relative to the page's folder, and how long it lasts."""

    audio: str
    mel: str
    seconds: float


def save(page: Path, name: str, waveform: Waveform, mel: Float[Tensor, "n c"] | None = None) -> Exhibit:
    """Write ``name.ogg`` and ``name.png`` in the folder ``page``; ``mel`` is computed if None."""
    from PIL import Image

    audio, drawing = page / f"{name}.ogg", page / f"{name}.png"
    audio.parent.mkdir(parents=True, exist_ok=True)
    waveform.save(audio)
    picture.save(_mel(waveform) if mel is None else mel, drawing)
    with Image.open(drawing) as drawn:
        small = drawn.quantize(_COLOURS)
    small.save(drawing)
    return Exhibit(f"{name}.ogg", f"{name}.png", round(waveform.seconds, 2))


def _mel(waveform: Waveform) -> Float[Tensor, "n c"]:
    spec = MelSpec()
    return log_mel(waveform.resampled(spec.sample_rate).samples, spec)
