"""espeak-ng as a library, for it tells when each phoneme begins: what it reads needs no aligner."""

from __future__ import annotations

import ctypes
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import espeakng_loader
import numpy as np

from tts_fm.alignment.phones import STRESS, Phone, Span

_RETRIEVAL, _PHONEME_EVENTS_IN_IPA, _UTF8 = 2, 3, 1
_END, _PHONEME = 0, 7
_SPEED, _PITCH = 1, 3
_STOPS = "ptkbdɡʔ"
_SHORTEST = 0.03  # seconds that the phone before a stop keeps
Mark = tuple[str, float]
"""A phoneme in IPA (empty: a pause) and when it begins, in seconds."""


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int),
        ("length", ctypes.c_int), ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", _Id),
    )  # fmt: skip


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@cache
def _library() -> tuple[ctypes.CDLL, int]:
    """A copy of espeak-ng of our own, for its state is global and the frontend uses it too; and its sample rate."""
    with tempfile.TemporaryDirectory() as folder:
        library = ctypes.CDLL(str(shutil.copy(espeakng_loader.get_library_path(), Path(folder) / "espeak-ng.so")))
    data = str(espeakng_loader.get_data_path()).encode()
    return library, library.espeak_Initialize(_RETRIEVAL, 0, data, _PHONEME_EVENTS_IN_IPA)


def read_aloud(text: str, name: str, pitch: int, speed: int) -> tuple[np.ndarray, int, list[Mark]]:
    """Samples, their rate, and a mark for every phoneme."""
    library, rate = _library()
    chunks: list[np.ndarray] = []
    marks: list[Mark] = []

    @_Callback
    def listen(samples, count, events):
        if samples and count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while events[i].type != _END:
            if events[i].type == _PHONEME:
                marks.append((events[i].id.string.decode(errors="replace"), events[i].sample / rate))
            i += 1
        return 0

    library.espeak_SetSynthCallback(listen)
    if library.espeak_SetVoiceByName(name.encode()) != 0:
        raise ValueError(f"espeak-ng has no voice {name}")
    library.espeak_SetParameter(_SPEED, speed, 0)
    library.espeak_SetParameter(_PITCH, pitch, 0)
    written = text.encode()
    library.espeak_Synth(written, len(written) + 1, 0, 1, 0, _UTF8, None, None)
    audio = np.concatenate(chunks or [np.zeros(1, np.int16)])
    return audio.astype(np.float32) / 32768, rate, marks


def with_closures(marks: Sequence[Mark], audio: np.ndarray, rate: int) -> list[Mark]:
    """The marks with every stop beginning where the silence before its burst does, as an aligner would have it."""
    quiet = 0.01 * float(np.abs(audio).max())
    step = rate // 200
    moved = [marks[0]] if marks else []
    for (before, earliest), (phoneme, start) in zip(marks, marks[1:], strict=False):
        if before and phoneme.lstrip(STRESS)[:1] in tuple(_STOPS):
            i = round(start * rate)
            while i - step > (earliest + _SHORTEST) * rate and np.abs(audio[i - step : i]).max() < quiet:
                i -= step
            start = i / rate
        moved.append((phoneme, start))
    return moved


def spans(marks: Sequence[Mark], tokens: Sequence[str], words: Sequence[Sequence[Phone]]) -> list[list[Span]]:
    """The span of every phone of ``words``; ValueError where espeak read other phones than ``tokens`` say."""
    symbols: list[str] = []
    times: list[Span] = []
    for (phoneme, start), (_, end) in zip(marks, marks[1:], strict=False):
        heard = [symbol for symbol in phoneme if symbol not in STRESS]
        symbols += heard
        step = (end - start) / max(1, len(heard))
        times += [(start + step * i, start + step * (i + 1)) for i in range(len(heard))]
    if symbols != [tokens[i] for word in words for phone in word for i in phone.tokens]:
        raise ValueError("espeak read it otherwise")
    position = iter(times)
    found = [[[next(position) for _ in phone.tokens] for phone in word] for word in words]
    return [[(parts[0][0], parts[-1][1]) for parts in word] for word in found]
