"""Audio files: the one door through which sound comes in and goes out."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast, runtime_checkable

import numpy as np
import soundfile
import soxr
import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm import atomic
from tts_fm.audio import checks, containers, encoding
from tts_fm.audio.encoding import BLOCK, FORMATS
from tts_fm.audio.source import File, Patient, Readable, opened, shown
from tts_fm.errors import InputError

_SILENT, _LOST = 1e-4, 0.05  # of the loudest channel's power: a channel that says nothing, a mean in which both cancel
_OVERSHOOT = 2.0  # of a lossy codec; more is another scale
MAX_SECONDS = 120.0  # that are read where nothing else is said


@runtime_checkable
class Writable(Protocol):
    """A stream of bytes to write to."""

    def write(self, data: bytes, /) -> Any: ...
    def flush(self) -> None: ...
    def isatty(self) -> bool: ...


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono sound: float32 samples, in [-1, 1] unless something is about to clip."""

    samples: Float[Tensor, " s"]
    sample_rate: int

    def __post_init__(self) -> None:
        if self.samples.dim() != 1:
            raise ValueError(f"a waveform has one axis, got {tuple(self.samples.shape)}; mix the channels down first")

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.sample_rate

    def resampled(self, sample_rate: int) -> Waveform:
        """The same sound at another rate."""
        if sample_rate == self.sample_rate:
            return self
        values = soxr.resample(self.samples.detach().cpu().numpy(), self.sample_rate, sample_rate)
        return Waveform(torch.from_numpy(values), sample_rate)

    def save(self, path: str | Path, metadata: Mapping[str, Any] | None = None) -> None:
        """Write a file whose suffix says the format; see :func:`write`."""
        write(self, path, metadata=metadata)

    @staticmethod
    def load(path: str | Path) -> Waveform:
        """Read a file; see :func:`read`."""
        return read(path)


def read(source: str | Path | Readable, *, min_seconds: float = 0.0, max_seconds: float = MAX_SECONDS) -> Waveform:
    """Return the sound in ``source`` (a path, or a stream of a file's bytes), mixed down to mono at its own rate.

    Those of a float file that go far beyond [-1, 1] are scaled by a power of two, so that nothing is clipped.
    No more than ``max_seconds`` are ever decoded, so that a small file cannot fill the memory.

    Raises:
        InputError: no sound that can be used; one line that says why, and what to do.
    """
    with opened(source) as (file, name):
        kind = containers.kind_of(file.read(12))
        file.seek(0)
        decode = _from_libsndfile if kind is None else partial(_from_container, kind=kind)
        samples, rate = decode(file, name, max_seconds)
    checks.check_sound(samples, rate, name, min_seconds)
    return Waveform(torch.from_numpy(samples), rate)


def _from_libsndfile(file: File, name: str, max_seconds: float) -> tuple[np.ndarray, int]:
    """Return samples and sample rate of a file that libsndfile knows."""
    checks.check_wav_header(file, name)
    try:
        with soundfile.SoundFile(cast(BinaryIO, Patient(file))) as sound:
            checks.check_header(sound, name, max_seconds)
            rate, promised = sound.samplerate, sound.frames
            samples = _decode(_blocks(sound), rate, name, max_seconds)
    except (soundfile.LibsndfileError, TypeError) as error:
        reason = str(getattr(error, "error_string", error)).removeprefix("Error : ").rstrip(".")
        raise InputError(
            f"{name} is no audio that can be read ({reason}); give a whole WAV, FLAC, OGG or MP3"
        ) from None
    if 0 < len(samples) < 0.9 * promised:
        raise checks.truncated(name, f"{promised / rate:.1f} s", f"{len(samples) / rate:.1f} s")
    return samples, rate


def _from_container(file: File, name: str, max_seconds: float, kind: str) -> tuple[np.ndarray, int]:
    """Return samples and sample rate of a file that PyAV knows."""
    with containers.opened(file, name, kind) as track:
        checks.check_shape(track.sample_rate, track.channels, name)
        return _decode(track.blocks, track.sample_rate, name, max_seconds), track.sample_rate


def write(
    waveform: Waveform,
    target: str | Path | Writable,
    format: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    subtype: str | None = None,
) -> None:
    """Write ``waveform`` to a path, to a stream, or, as ``-``, to the standard output.

    The format is ``format``, else what the path's suffix says, else wav. A file appears whole or not at all.
    ``metadata`` goes into the file's tags; :func:`read_metadata` reads it back. ``subtype`` is that of another file
    (:func:`subtype_of`): where the format can, the samples are written as exactly as they were there.

    Raises:
        ValueError: an unknown format, or a path that cannot be written.
    """
    if isinstance(target, (str, Path)) and str(target) != "-":
        chosen = check_target(target, format)
        data = encode(waveform, chosen, metadata, subtype)
        try:
            with atomic.replacing(Path(target)) as beside:
                beside.write_bytes(data)
        except OSError as error:
            raise ValueError(f"{shown(target)} cannot be written: {error.strerror}") from None
        return
    data = encode(waveform, "wav" if format is None else format, metadata, subtype)
    if not isinstance(target, (str, Path)):
        stream = target
    elif sys.stdout is None:
        raise ValueError("audio cannot be written to the standard output, which is closed; name a file")
    else:
        stream = sys.stdout.buffer
    if stream.isatty():
        raise ValueError("audio would flood the terminal; redirect the standard output, or name a file")
    stream.write(data)
    stream.flush()


def check_target(path: str | Path, format: str | None = None) -> str:
    """Return the format in which ``path`` will be written, so that a long work does not end in a typing error.

    Raises:
        ValueError: as :func:`write`.
    """
    path, name = Path(path), shown(path)
    chosen = path.suffix.lower().removeprefix(".") if format is None else format
    if chosen not in FORMATS:
        got = f"suffix {path.suffix!r}" if format is None else f"format {format!r}"
        raise ValueError(f"{name}: {got} is none of {', '.join(FORMATS)}; use one of these as suffix")
    try:
        if path.is_dir():
            raise ValueError(f"{name} is a folder; name a file in it")
        if not path.parent.is_dir():
            raise ValueError(f"{name} cannot be written: there is no folder {shown(path.parent)}; make it first")
        place = path if path.exists() and not path.is_file() else Path(os.path.realpath(path)).parent
        if not os.access(place, os.W_OK):
            raise ValueError(f"{name} cannot be written: no permission in {shown(place)}; choose another folder")
    except OSError as error:
        raise ValueError(f"{name} cannot be written: {error.strerror}") from None
    return chosen


def encode(
    waveform: Waveform, format: str, metadata: Mapping[str, Any] | None = None, subtype: str | None = None
) -> bytes:
    """Return a whole file as bytes; see :func:`encoding.encode`."""
    return encoding.encode(
        waveform.samples.detach().float().cpu().numpy(), waveform.sample_rate, format, metadata, subtype
    )


def open_header(sample_rate: int, metadata: Mapping[str, Any] | None = None) -> bytes:
    """Return the beginning of a WAV of 16 bit whose length nobody knows yet, as pipes have it; :func:`pcm` follows."""
    header = encode(Waveform(torch.zeros(0), sample_rate), "wav", metadata)
    unknown = b"\xff\xff\xff\xff"
    return header[:4] + unknown + header[8:-4] + unknown


def pcm(waveform: Waveform) -> bytes:
    """Return the samples as 16 bit, little-endian; what is beyond [-1, 1] is clipped, as nobody knows what will follow."""
    samples = waveform.samples.detach().float().cpu().clamp(-1, 1).numpy()
    return np.round(samples * 32767).astype("<i2").tobytes()


def read_metadata(source: str | Path | Readable) -> dict[str, str]:
    """Return the metadata that :func:`write` put into a file; empty where there is none."""
    with opened(source) as (file, name):
        try:
            with soundfile.SoundFile(file) as sound:
                value = json.loads(sound.comment)
        except soundfile.LibsndfileError as error:
            raise InputError(f"{name} cannot be read as audio ({error.error_string})") from None
        except (json.JSONDecodeError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def subtype_of(path: str | Path) -> str:
    """Return how the samples in a file are stored, such as ``PCM_16`` or ``FLOAT``."""
    with opened(path) as (file, name):
        if containers.kind_of(file.read(12)) is not None:
            return "PCM_16"
        file.seek(0)
        try:
            return soundfile.info(file).subtype
        except soundfile.LibsndfileError as error:
            raise InputError(f"{name} cannot be read as audio ({error.error_string})") from None


def _blocks(sound: soundfile.SoundFile) -> Iterator[np.ndarray]:
    while len(block := sound.read(BLOCK, dtype="float32", always_2d=True)):
        yield block


def _decode(blocks: Iterator[np.ndarray], rate: int, name: str, max_seconds: float) -> np.ndarray:
    """Return mono float32 samples; whatever the header says, stop soon after ``max_seconds``."""
    parts: list[np.ndarray] = []
    powers, total = 0.0, 0
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused behind, in one line
        for block in blocks:
            total += len(block)
            if total > max_seconds * rate:
                raise checks.too_long(name, max_seconds)
            powers = powers + np.square(block, dtype=np.float64).sum(axis=0)
            parts.append(block if block.shape[1] == 2 else block.mean(axis=1, keepdims=True))
        return _in_range(_mixed(np.concatenate(parts), np.asarray(powers))) if parts else np.zeros(0, np.float32)


def _mixed(channels: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Return the mean of the channels that are not silent, by the ``powers`` of all; ``channels`` are two, or the mean of all.

    Of two that are so like each other's opposite that both vanish in it, it is the louder one.
    """
    mean = channels.mean(axis=1)
    if len(powers) == 1 or not np.isfinite(powers).all():
        return mean
    is_lost = np.square(mean, dtype=np.float64).sum() < _LOST * powers.max()
    if channels.shape[1] == 2 and (powers.min() < _SILENT * powers.max() or is_lost):
        return channels[:, powers.argmax()].copy()
    n_heard = int((powers >= _SILENT * powers.max()).sum())
    return mean if n_heard == len(powers) else mean * np.float32(len(powers) / n_heard)


def _in_range(samples: np.ndarray) -> np.ndarray:
    """Return samples far beyond [-1, 1], of a float recorder or as whole numbers, divided by the power of two that fits."""
    peak = float(np.abs(samples).max(initial=0))
    if not _OVERSHOOT < peak < math.inf:
        return samples
    return np.ldexp(samples, -math.ceil(math.log2(peak))).astype(np.float32)
