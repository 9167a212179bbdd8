"""A log-mel as a picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d

from tts_fm import atomic

_COLOURS = np.array(
    [(8, 8, 32), (70, 24, 110), (170, 50, 110), (240, 120, 60), (252, 230, 120), (255, 255, 245)], dtype=float
)
_HEIGHT = 4  # pixels per mel channel
_MOST_COLUMNS = 2_000  # of a picture for the screen


def save(mel: Float[Tensor, "n c"], path: str | Path) -> None:
    """Draw ``mel`` as a PNG: time to the right, pitch upwards, the loudest 10 nepers from dark to bright."""
    from PIL import Image

    check_target(path)
    picture = Image.fromarray(_pixels(mel).repeat(_HEIGHT, axis=0).repeat(2, axis=1))
    try:
        with atomic.replacing(Path(path)) as beside:
            picture.save(beside, format="PNG")
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror or error}") from None


def png(mel: Float[Tensor, "n c"], loudest: float | None = None) -> bytes:
    """Return the same picture as the bytes of a PNG: a pixel for each value, a long mel squeezed to 2,000 columns.

    ``loudest`` is the value that is brightest, where several pictures have one scale.
    """
    from PIL import Image

    if len(mel) > _MOST_COLUMNS:
        mel = adaptive_avg_pool1d(mel.detach().float().T, _MOST_COLUMNS).T
    file = io.BytesIO()
    Image.fromarray(_pixels(mel, loudest)).save(file, format="PNG")
    return file.getvalue()


def _pixels(mel: Float[Tensor, "n c"], loudest: float | None = None) -> np.ndarray:
    """Return red, green and blue of each value, the highest channel first."""
    values = mel.detach().float().cpu().numpy().T[::-1]  # c n
    top = values.max(initial=-100.0) if loudest is None else loudest
    share = np.clip((values - top) / 10 + 1, 0, 1)
    place = share * (len(_COLOURS) - 1)
    stops = np.arange(len(_COLOURS))
    return np.stack([np.interp(place, stops, channel) for channel in _COLOURS.T], axis=-1).astype(np.uint8)


def check_target(path: str | Path) -> None:
    """Refuse a path that :func:`save` could not write. Raises ValueError."""
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: a mel is drawn as PNG; use the suffix .png")
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(
            f"{path} cannot be written: {'it is a folder' if path.is_dir() else f'there is no folder {path.parent}'}"
        )
