"""What is wrong with a sound file: a codec that is not trusted, a promise that is not kept, too much, too little, silence."""

from __future__ import annotations

import os

import numpy as np
import soundfile

from tts_fm.audio.source import File
from tts_fm.errors import InputError

MIN_RATE, MAX_RATE = 8_000, 192_000  # Hz
MAX_CHANNELS = 8
MIN_PEAK = 1e-3  # -60 dBFS
# libsndfile's readers of other codecs (IMA ADPCM: CVE-2026-37555) are not trusted with other people's files
_SUBTYPES = {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "VORBIS", "OPUS"}
_SUBTYPES |= {"MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III", "ALAC_16", "ALAC_20", "ALAC_24", "ALAC_32"}
_WAV_CODECS = {1, 3, 6, 7, 0x50, 0x55, 0xFFFE}  # PCM, float, A-law, mu-law, MPEG, MP3, extensible


def check_wav_header(file: File, name: str) -> None:
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
                    raise truncated(name, f"{length:,} bytes of sound", f"{size - position - 8:,}")
                break
            position += 8 + length + length % 2
    file.seek(0)


def check_header(sound: soundfile.SoundFile, name: str, max_seconds: float) -> None:
    """Refuse what is not worth decoding."""
    if sound.subtype not in _SUBTYPES:
        raise InputError(f"{name} is in codec {sound.subtype}, which is not read; convert it to 16-bit PCM WAV or FLAC")
    check_shape(sound.samplerate, sound.channels, name)
    if sound.frames > max_seconds * sound.samplerate:
        raise too_long(name, max_seconds)


def check_shape(rate: int, channels: int, name: str) -> None:
    """Refuse rates and channels of nobody's recorder."""
    if not MIN_RATE <= rate <= MAX_RATE:
        raise InputError(
            f"{name} has a sample rate of {rate} Hz; {MIN_RATE} to {MAX_RATE} Hz are accepted, so resample it"
        )
    if channels > MAX_CHANNELS:
        raise InputError(f"{name} has {channels} channels; at most {MAX_CHANNELS} are accepted, so mix it down")


def truncated(name: str, promised: str, held: str) -> InputError:
    """What to raise for a file that holds less than it promises."""
    return InputError(f"{name} is truncated: it promises {promised} and holds {held}; copy it again")


def too_long(name: str, max_seconds: float) -> InputError:
    """What to raise for a file of more than ``max_seconds``."""
    return InputError(f"{name} lasts more than {max_seconds:g} s, the most that is read; give a shorter recording")


def check_sound(samples: np.ndarray, rate: int, name: str, min_seconds: float) -> None:
    """Refuse what was decoded where nothing can be made of it."""
    if len(samples) == 0:
        raise InputError(f"{name} holds no sound (0 samples, or cut off too early); record or copy it again")
    if not np.isfinite(samples).all():
        raise InputError(f"{name} is damaged: it holds values that are not finite numbers; export it again")
    if len(samples) < min_seconds * rate:
        raise InputError(f"{name} lasts {len(samples) / rate:.2f} s; at least {min_seconds:g} s are needed")
    if (peak := float(np.abs(samples).max())) <= MIN_PEAK:
        loudness = f"{20 * np.log10(peak):.0f} dBFS" if peak > 0 else "digital silence"
        raise InputError(f"{name} is silent (peak {loudness}, above -60 dBFS is needed); check the microphone")
