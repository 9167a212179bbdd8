"""What telephones and browsers record, .m4a, .aac, .webm and .amr: decoded by PyAV (the extra ``av``)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from tts_fm.errors import InputError

SOUNDS = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".webm", ".aif", ".aiff"}
"""How the names of recordings end."""
_Stream = io.BufferedReader | io.BytesIO


class Track(NamedTuple):
    """The first sound in a file: its rate, its channels, and its samples ``(n channels)`` block by block."""

    sample_rate: int
    channels: int
    blocks: Iterator[np.ndarray]


def kind_of(head: bytes) -> str | None:
    """Return FFmpeg's name of the format that begins with the bytes ``head``; None for one that libsndfile may read."""
    if head[4:8] == b"ftyp":
        return "mp4"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "matroska"
    if head[:5] == b"#!AMR":
        return "amr"
    return "aac" if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0 else None  # ADTS; layer 0 is no MP3


@contextmanager
def opened(file: _Stream, name: str, kind: str) -> Iterator[Track]:
    """Yield the sound in ``file``; ``name`` is what to call it, ``kind`` is from :func:`kind_of`.

    Raises:
        InputError: the extra is not installed, or the file has no sound that can be decoded, also while it is read.
    """
    if find_spec("av") is None:
        raise InputError(
            f"{name} is {kind.upper()}, which PyAV reads; pip install 'tts-fm[av]', or convert it to WAV, FLAC or MP3"
        )
    import av  # pyright: ignore[reportMissingImports] (an extra)

    try:
        with av.open(file, format=kind) as container:
            if not container.streams.audio:
                raise InputError(f"{name} has no sound in it; give a recording of speech")
            stream = container.streams.audio[0]
            if stream.codec_context is None:
                raise InputError(f"{name} is in a codec that is not known; convert it to WAV, FLAC or MP3")
            yield Track(stream.codec_context.sample_rate, stream.codec_context.channels, _blocks(container, stream))
    except (av.FFmpegError, OSError, ValueError, OverflowError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(f"{name} is no audio that can be read ({reason}); record or copy it again") from None


def _blocks(container: Any, stream: Any) -> Iterator[np.ndarray]:
    from av import AudioResampler  # pyright: ignore[reportMissingImports] (an extra)

    sound = stream.codec_context
    to_float = AudioResampler(format="fltp", layout=sound.layout, rate=sound.sample_rate)
    for frame in container.decode(stream):
        for block in to_float.resample(frame):
            yield block.to_ndarray().T  # n c
