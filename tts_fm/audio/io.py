"""Audio files: the one door through which sound comes in and goes out."""

from __future__ import annotations

import io
import json
import math
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import soundfile
import soxr
import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm import atomic
from tts_fm.audio import containers, encoding
from tts_fm.audio.encoding import BLOCK, FORMATS
from tts_fm.errors import InputError

MIN_RATE, MAX_RATE = 8_000, 192_000  # Hz
MAX_CHANNELS = 8
_SILENT, _LOST = 1e-4, 0.05  # of the louder channel's power: a channel that says nothing, a mean in which both cancel
_OVERSHOOT = 2.0  # of a lossy codec; more is another scale
MAX_SECONDS = 120.0  # that are read where nothing else is said
MIN_PEAK = 1e-3  # -60 dBFS
_MAX_PIPED_BYTES = 200_000_000
# libsndfile's readers of other codecs (IMA ADPCM: CVE-2026-37555) are not trusted with other people's files
_SUBTYPES = {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "VORBIS", "OPUS"}
_SUBTYPES |= {"MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III", "ALAC_16", "ALAC_20", "ALAC_24", "ALAC_32"}
_File = io.BufferedReader | io.BytesIO
_WAV_CODECS = {1, 3, 6, 7, 0x50, 0x55, 0xFFFE}  # PCM, float, A-law, mu-law, MPEG, MP3, extensible


@runtime_checkable
class Readable(Protocol):
    """A stream of bytes to read, which need not be able to seek."""

    def read(self, size: int = -1, /) -> bytes: ...


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
    with _opened(source) as (file, name):
        kind = containers.kind_of(file.read(12))
        file.seek(0)
        decode = _from_libsndfile if kind is None else partial(_from_container, kind=kind)
        samples, rate = decode(file, name, max_seconds)
    _check_sound(samples, rate, name, min_seconds)
    return Waveform(torch.from_numpy(samples), rate)


def _from_libsndfile(file: _File, name: str, max_seconds: float) -> tuple[np.ndarray, int]:
    """Return samples and sample rate of a file that libsndfile knows."""
    _check_wav_header(file, name)
    try:
        with soundfile.SoundFile(file) as sound:
            _check_header(sound, name, max_seconds)
            rate, promised = sound.samplerate, sound.frames
            samples = _decode(_blocks(sound), rate, name, max_seconds)
    except (soundfile.LibsndfileError, TypeError) as error:
        reason = str(getattr(error, "error_string", error)).removeprefix("Error : ").rstrip(".")
        raise InputError(
            f"{name} is no audio that can be read ({reason}); give a whole WAV, FLAC, OGG or MP3"
        ) from None
    if 0 < len(samples) < 0.9 * promised:
        raise _truncated(name, f"{promised / rate:.1f} s", f"{len(samples) / rate:.1f} s")
    return samples, rate


def _from_container(file: _File, name: str, max_seconds: float, kind: str) -> tuple[np.ndarray, int]:
    """Return samples and sample rate of a file that PyAV knows."""
    with containers.opened(file, name, kind) as track:
        _check_shape(track.sample_rate, track.channels, name)
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
            raise ValueError(f"{_shown(target)} cannot be written: {error.strerror}") from None
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
    path, name = Path(path), _shown(path)
    chosen = path.suffix.lower().removeprefix(".") if format is None else format
    if chosen not in FORMATS:
        got = f"suffix {path.suffix!r}" if format is None else f"format {format!r}"
        raise ValueError(f"{name}: {got} is none of {', '.join(FORMATS)}; use one of these as suffix")
    try:
        if path.is_dir():
            raise ValueError(f"{name} is a folder; name a file in it")
        if not path.parent.is_dir():
            raise ValueError(f"{name} cannot be written: there is no folder {_shown(path.parent)}; make it first")
        place = path if path.exists() and not path.is_file() else Path(os.path.realpath(path)).parent
        if not os.access(place, os.W_OK):
            raise ValueError(f"{name} cannot be written: no permission in {_shown(place)}; choose another folder")
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
    with _opened(source) as (file, name):
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
    with _opened(path) as (file, name):
        if containers.kind_of(file.read(12)) is not None:
            return "PCM_16"
        file.seek(0)
        try:
            return soundfile.info(file).subtype
        except soundfile.LibsndfileError as error:
            raise InputError(f"{name} cannot be read as audio ({error.error_string})") from None


@contextmanager
def _opened(source: str | Path | Readable) -> Iterator[tuple[_File, str]]:
    """Yield a seekable file that is not empty, and what to call it in a message."""
    if not isinstance(source, (str, Path)):
        yield _held(source, "the audio stream"), "the audio stream"
        return
    name = _shown(source)
    try:
        with open(source, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                yield _held(file, name), name
                return
            if status.st_size == 0:
                raise InputError(f"{name} is empty (0 bytes); record or copy it again")
            yield file, name
    except FileNotFoundError:
        raise InputError(f"there is no file {name}; check its name and folder") from None
    except IsADirectoryError:
        raise InputError(f"{name} is a folder; name an audio file in it") from None
    except OSError as error:
        raise InputError(f"{name} cannot be opened: {error.strerror}; check its permissions") from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} is no file name; check it") from None


def _held(stream: Readable, name: str) -> io.BytesIO:
    """The bytes of a stream, which need not be able to seek."""
    data = stream.read(_MAX_PIPED_BYTES + 1)
    if len(data) > _MAX_PIPED_BYTES:
        raise InputError(f"{name} has more than {_MAX_PIPED_BYTES // 1_000_000} MB; give a shorter recording")
    if not data:
        raise InputError(f"{name} is empty (0 bytes); record or copy it again")
    return io.BytesIO(data)


def _check_wav_header(file: _File, name: str) -> None:
    """Refuse a WAV file in a codec that is not trusted, before libsndfile sees it, and one that is cut short."""
    if file.read(12)[:4] == b"RIFF":
        size = file.seek(0, os.SEEK_END)
        position = 12
        while position + 8 <= size:
            file.seek(position)
            chunk, length = file.read(4), int.from_bytes(file.read(4), "little")
            codec = int.from_bytes(file.read(2), "little")
            if chunk == b"fmt " and position + 10 <= size and codec not in _WAV_CODECS:
                raise InputError(f"{name} is a WAV in codec {codec:#06x}, which is not read; convert it to 16-bit PCM")
            if chunk == b"data":
                is_streamed = length >= 0x7FFF_0000  # a pipe's writer did not know the length
                if not is_streamed and length > 1.1 * (size - position - 8) + 1024:
                    raise _truncated(name, f"{length:,} bytes of sound", f"{size - position - 8:,}")
                break
            position += 8 + length + length % 2
    file.seek(0)


def _check_header(sound: soundfile.SoundFile, name: str, max_seconds: float) -> None:
    """Refuse what is not worth decoding."""
    if sound.subtype not in _SUBTYPES:
        raise InputError(f"{name} is in codec {sound.subtype}, which is not read; convert it to 16-bit PCM WAV or FLAC")
    _check_shape(sound.samplerate, sound.channels, name)
    if sound.frames > max_seconds * sound.samplerate:
        raise _too_long(name, max_seconds)


def _check_shape(rate: int, channels: int, name: str) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        raise InputError(
            f"{name} has a sample rate of {rate} Hz; {MIN_RATE} to {MAX_RATE} Hz are accepted, so resample it"
        )
    if channels > MAX_CHANNELS:
        raise InputError(f"{name} has {channels} channels; at most {MAX_CHANNELS} are accepted, so mix it down")


def _blocks(sound: soundfile.SoundFile) -> Iterator[np.ndarray]:
    while len(block := sound.read(BLOCK, dtype="float32", always_2d=True)):
        yield block


def _decode(blocks: Iterator[np.ndarray], rate: int, name: str, max_seconds: float) -> np.ndarray:
    """Return mono float32 samples; whatever the header says, stop soon after ``max_seconds``."""
    parts: list[np.ndarray] = []
    total = 0
    for block in blocks:
        total += len(block)
        if total > max_seconds * rate:
            raise _too_long(name, max_seconds)
        parts.append(block if block.shape[1] == 2 else block.mean(axis=1, keepdims=True))
    return _in_range(_mixed(np.concatenate(parts))) if parts else np.zeros(0, np.float32)


def _mixed(channels: np.ndarray) -> np.ndarray:
    """Return the mean of the channels; the louder one where the other is silent, or so like its opposite that both vanish."""
    mean = channels.mean(axis=1)
    if channels.shape[1] == 1 or not np.isfinite(mean).all():
        return mean
    powers = np.square(channels, dtype=np.float64).mean(axis=0)
    is_lost = np.square(mean, dtype=np.float64).mean() < _LOST * powers.max()
    return channels[:, powers.argmax()].copy() if powers.min() < _SILENT * powers.max() or is_lost else mean


def _in_range(samples: np.ndarray) -> np.ndarray:
    """Return samples far beyond [-1, 1], of a float recorder or as whole numbers, divided by the power of two that fits."""
    peak = float(np.abs(samples).max(initial=0))
    if not _OVERSHOOT < peak < math.inf:
        return samples
    return np.ldexp(samples, -math.ceil(math.log2(peak))).astype(np.float32)


def _truncated(name: str, promised: str, held: str) -> InputError:
    return InputError(f"{name} is truncated: it promises {promised} and holds {held}; copy it again")


def _too_long(name: str, max_seconds: float) -> InputError:
    return InputError(f"{name} lasts more than {max_seconds:g} s, the most that is read; give a shorter recording")


def _check_sound(samples: np.ndarray, rate: int, name: str, min_seconds: float) -> None:
    if len(samples) == 0:
        raise InputError(f"{name} holds no sound (0 samples, or cut off too early); record or copy it again")
    if not np.isfinite(samples).all():
        raise InputError(f"{name} is damaged: it holds values that are not finite numbers; export it again")
    if len(samples) < min_seconds * rate:
        raise InputError(f"{name} lasts {len(samples) / rate:.2f} s; at least {min_seconds:g} s are needed")
    if (peak := float(np.abs(samples).max())) <= MIN_PEAK:
        loudness = f"{20 * np.log10(peak):.0f} dBFS" if peak > 0 else "digital silence"
        raise InputError(f"{name} is silent (peak {loudness}, above -60 dBFS is needed); check the microphone")


def _shown(path: str | Path) -> str:
    """A path as one printable line."""
    return str(path) if str(path).isprintable() else repr(str(path))
