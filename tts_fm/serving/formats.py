"""Sound as bytes while it is made: mp3, opus, aac and pcm flow; wav and flac say their length first, so they are whole."""

from __future__ import annotations

import io
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import soundfile
import soxr

from tts_fm.audio.io import Waveform

MEDIA_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
WHOLE = frozenset(("wav", "flac"))
"""Formats whose beginning tells of their end: they are sent when all is made."""

OPUS_RATES = frozenset((8_000, 12_000, 16_000, 24_000, 48_000))  # Hz
_LIBSNDFILE = {
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "opus": ("OGG", "OPUS"),
    "flac": ("FLAC", "PCM_16"),
    "wav": ("WAV", "PCM_16"),
}
_BLOCK = 65_536  # frames
_AAC_BITRATE = 64_000  # bits per second


class Encoder(ABC):
    """Turns the pieces of one sound into the bytes of one file."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._resampler: soxr.ResampleStream | None = None
        self._gain = 1.0

    def add(self, waveform: Waveform) -> bytes:
        """Return what ``waveform`` adds to the file, as far as it cannot change any more."""
        samples = waveform.samples.float().cpu().numpy()
        if not np.isfinite(samples).all():
            raise ValueError("the sound holds values that are not finite numbers; leave out steps and guidance")
        if waveform.sample_rate != self._rate:
            if self._resampler is None:  # one for all pieces: each alone would fade at its ends
                self._resampler = soxr.ResampleStream(waveform.sample_rate, self._rate, 1)
            samples = self._resampler.resample_chunk(samples)
        return self._write(self._unclipped(samples))

    def end(self) -> bytes:
        """Return the rest of the file."""
        data = b""
        if self._resampler is not None:
            data = self._write(self._unclipped(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True)))
        return data + self._close()

    def _unclipped(self, samples: np.ndarray) -> np.ndarray:
        """Return ``samples`` scaled down where they would clip, and all that follow as much, so that none stands out."""
        self._gain = min(self._gain, 1 / max(1.0, float(np.abs(samples).max(initial=0))))
        return samples * np.float32(self._gain)

    @abstractmethod
    def _write(self, samples: np.ndarray) -> bytes:
        """Return what ``samples`` at the file's own rate add to it."""

    @abstractmethod
    def _close(self) -> bytes:
        """Return what comes after all samples."""


def check(format: str, sample_rate: int) -> None:
    """Refuse what cannot be written. Raises ValueError with what to do."""
    if format == "opus" and sample_rate not in OPUS_RATES:
        rates = ", ".join(map(str, sorted(OPUS_RATES)))
        raise ValueError(f"opus has no sample rate of {sample_rate} Hz; choose one of {rates}, or another format")
    if format == "aac" and find_spec("av") is None:
        raise ValueError(
            "this server writes no aac, for which it needs PyAV (pip install 'tts-fm[av]'); "
            "choose mp3, opus, flac, wav or pcm"
        )


def encoder(format: str, sample_rate: int, facts: Mapping[str, Any]) -> Encoder:
    """Return what writes ``format``; ``facts`` go into the file's tags where it has any."""
    if format == "pcm":
        return _Pcm(sample_rate)
    return _Aac(sample_rate) if format == "aac" else _Libsndfile(format, sample_rate, facts)


class _Pcm(Encoder):
    """16 bits, little endian, mono, nothing else."""

    def _write(self, samples: np.ndarray) -> bytes:
        return (samples * 32_767).round().astype("<i2").tobytes()

    def _close(self) -> bytes:
        return b""


class _Libsndfile(Encoder):
    """mp3, Ogg Opus, flac and wav."""

    def __init__(self, format: str, sample_rate: int, facts: Mapping[str, Any]) -> None:
        super().__init__(sample_rate)
        self._format, self._sent = format, 0
        self._file = io.BytesIO()
        kind, subtype = _LIBSNDFILE[format]
        constant = {"bitrate_mode": "CONSTANT", "compression_level": 0.6} if format == "mp3" else {}
        self._sound = soundfile.SoundFile(self._file, "w", sample_rate, 1, format=kind, subtype=subtype, **constant)
        self._sound.comment = json.dumps({name: str(value) for name, value in facts.items()})
        self._sound.software = str(facts["software"])

    def _write(self, samples: np.ndarray) -> bytes:
        for start in range(0, len(samples), _BLOCK):  # one long write of Ogg overflows libsndfile's stack
            self._sound.write(samples[start : start + _BLOCK])
        is_beginning = self._sent == 0
        data = b"" if self._format in WHOLE else self._new()
        return _without_empty_frame(data) if is_beginning and self._format == "mp3" else data

    def _close(self) -> bytes:
        self._sound.close()
        return self._new()

    def _new(self) -> bytes:
        data = self._file.getvalue()[self._sent :]
        self._sent += len(data)
        return data


class _Aac(Encoder):
    """AAC in ADTS frames, by PyAV."""

    def __init__(self, sample_rate: int) -> None:
        import av  # pyright: ignore[reportMissingImports] (an extra)

        super().__init__(sample_rate)
        self._sent, self._time = 0, 0
        self._file = io.BytesIO()
        self._container = av.open(self._file, "w", format="adts")
        self._stream = self._container.add_stream("aac", rate=sample_rate, layout="mono", bit_rate=_AAC_BITRATE)

    def _write(self, samples: np.ndarray) -> bytes:
        import av  # pyright: ignore[reportMissingImports] (an extra)

        if not len(samples):  # the resampler has begun to hear, no more
            return b""
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = self._rate, self._time
        self._time += len(samples)
        self._container.mux(self._stream.encode(frame))
        return self._new()

    def _close(self) -> bytes:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._new()

    def _new(self) -> bytes:
        data = self._file.getvalue()[self._sent :]
        self._sent += len(data)
        return data


def _without_empty_frame(data: bytes) -> bytes:
    """Return the beginning of an mp3 without the frame in which the encoder would note the length at the end.

    That note never comes into a file that has been sent, and players would take its zeros for a length.
    """
    tags = 0
    if data[:3] == b"ID3":
        tags = 10 + sum(byte << 7 * place for place, byte in enumerate(reversed(data[6:10])))
    end = data.find(b"\xff", tags + 4)
    is_empty = end > 0 and not any(data[tags + 4 : end])
    return data[:tags] + data[end:] if is_empty else data
