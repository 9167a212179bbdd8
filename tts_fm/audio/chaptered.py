"""A long sound in one file with chapters that players show: .m4b, .mp3 or .opus, written by PyAV (the extra ``av``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tts_fm import atomic
from tts_fm.audio.encoding import BLOCK
from tts_fm.errors import InputError


@dataclass(frozen=True)
class _Form:
    container: str
    codec: str
    sample_rate: int | None
    bit_rate: int


_FORMS = {
    ".m4b": _Form("ipod", "aac", None, 64_000),
    ".mp3": _Form("mp3", "libmp3lame", None, 64_000),
    ".opus": _Form("opus", "libopus", 48_000, 32_000),
}
SUFFIXES = tuple(_FORMS)
"""What can be written."""


@dataclass(frozen=True)
class Chapter:
    """A chapter's title, and the file that has its sound."""

    title: str
    file: Path


def is_available() -> bool:
    """Return whether PyAV is installed."""
    return find_spec("av") is not None


def check_target(path: Path) -> None:
    """Find mistakes before anything takes long. Raises ValueError."""
    if path.suffix.lower() not in _FORMS:
        raise ValueError(f"{path}: a sound with chapters is {', '.join(_FORMS)}; use one of these as suffix")
    if not is_available():
        raise ValueError(f"{path.name} is written by PyAV; pip install 'tts-fm[av]'")


def lengths(chapters: Sequence[Chapter]) -> tuple[int, list[int]]:
    """Return the sample rate that the chapters have in common, and how many samples each has.

    Raises:
        InputError: a file that is missing or damaged, or has another rate than the first.
    """
    try:
        infos = [soundfile.info(str(chapter.file)) for chapter in chapters]
    except soundfile.LibsndfileError as error:
        raise InputError(f"a chapter cannot be read ({error}); remove its file and run it again") from None
    if len(rates := {info.samplerate for info in infos}) != 1:
        raise InputError(f"the chapters have different sample rates, {sorted(rates)}; say them again with one model")
    return rates.pop(), [info.frames for info in infos]


def write(path: Path, chapters: Sequence[Chapter], tags: Mapping[str, str]) -> None:
    """Write the sounds of ``chapters`` one after the other; each begins where the lengths of those before it end.

    Raises:
        ValueError: an unknown suffix, or PyAV is not installed.
        InputError: a chapter that cannot be read.
    """
    check_target(path)
    import av  # pyright: ignore[reportMissingImports] (an extra)

    form = _FORMS[path.suffix.lower()]
    rate, sizes = lengths(chapters)
    with atomic.replacing(path) as beside, av.open(str(beside), "w", format=form.container) as container:
        container.metadata.update(tags)
        stream: Any = container.add_stream(form.codec, rate=form.sample_rate or rate, layout="mono")
        stream.bit_rate = form.bit_rate
        container.set_chapters(_marks(chapters, sizes, rate))
        for packet in _packets(stream, chapters, rate):
            container.mux(packet)


def _marks(chapters: Sequence[Chapter], sizes: Sequence[int], rate: int) -> list[Any]:
    starts = list(accumulate(sizes, initial=0))
    base = Fraction(1, rate)
    return [
        {"id": i, "start": starts[i], "end": starts[i + 1], "time_base": base, "metadata": {"title": chapter.title}}
        for i, chapter in enumerate(chapters)
    ]


def _packets(stream: Any, chapters: Sequence[Chapter], rate: int) -> Iterator[Any]:
    from av import AudioFrame, AudioResampler  # pyright: ignore[reportMissingImports] (an extra)

    stream.codec_context.open()  # it tells how many samples it takes at a time
    resampler = AudioResampler(
        format=stream.format, layout="mono", rate=stream.rate, frame_size=stream.codec_context.frame_size or None
    )
    done = 0
    for block in _blocks(chapters):
        frame = AudioFrame.from_ndarray(block, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, done, Fraction(1, rate)
        done += block.shape[1]
        for ready in resampler.resample(frame):
            yield from stream.encode(ready)
    for ready in resampler.resample(None):
        yield from stream.encode(ready)
    yield from stream.encode(None)


def _blocks(chapters: Sequence[Chapter]) -> Iterator[np.ndarray]:
    for chapter in chapters:
        with soundfile.SoundFile(str(chapter.file)) as sound:
            while len(block := sound.read(BLOCK, dtype="int16")):
                yield block.reshape(1, -1)
