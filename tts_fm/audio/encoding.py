"""Samples as the bytes of a sound file, with tags: what can be written, without torch."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import soundfile
from jaxtyping import Float
from numpy import ndarray

FORMATS = {"wav": "PCM_16", "flac": "PCM_16", "ogg": "VORBIS", "mp3": "MPEG_LAYER_III"}
"""What can be written: suffix (and libsndfile's format) -> subtype."""
BLOCK = 65_536
"""Frames that libsndfile is given or asked for at a time."""

_WIDE = {"wav": {"PCM_24", "FLOAT"}, "flac": {"PCM_24"}}


def encode(
    samples: Float[ndarray, " s"],
    sample_rate: int,
    format: str,
    metadata: Mapping[str, Any] | None = None,
    subtype: str | None = None,
) -> bytes:
    """Return a whole file as bytes; samples beyond [-1, 1] are scaled down together, not clipped.

    Raises:
        ValueError: an unknown format, a rate that it has not, or samples that are no numbers.
    """
    if format not in FORMATS:
        raise ValueError(f"format is {format!r}; choose one of {', '.join(FORMATS)}")
    if not np.isfinite(samples).all():
        raise ValueError(
            "the sound holds values that are not finite numbers, so nothing was written; "
            "a solver with too few steps may end so: take more of them, or euler"
        )
    chosen = subtype if subtype in _WIDE.get(format, ()) else FORMATS[format]
    if chosen != "FLOAT":
        samples = samples / max(1.0, float(np.abs(samples).max(initial=0)))
    tags = {} if metadata is None else {key: str(value) for key, value in metadata.items()}
    file = io.BytesIO()
    try:
        with soundfile.SoundFile(file, "w", sample_rate, 1, format=format, subtype=chosen) as sound:
            if tags:
                sound.comment = json.dumps(tags)  # the one field that all four formats keep as it is
                sound.software = tags.get("software", "tts_fm")
            for start in range(0, len(samples), BLOCK):  # one long write of Vorbis overflows libsndfile's stack
                sound.write(samples[start : start + BLOCK])
    except soundfile.LibsndfileError as error:
        raise ValueError(f"no {format} at {sample_rate} Hz ({error.error_string}); use wav") from None
    return file.getvalue()
