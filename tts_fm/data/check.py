"""What is wrong with a recording: broken, silent, clipped, or of a length that cannot belong to its text."""

from __future__ import annotations

from pathlib import Path

from tts_fm.audio import io
from tts_fm.audio.io import Waveform
from tts_fm.duration import FASTEST, SLOWEST, count_units, pause_seconds
from tts_fm.errors import InputError

LENGTH_TOLERANCE = 0.1
"""Seconds by which a file may differ from its line in the manifest."""
_FULL_SCALE, _MOST_CLIPPED = 0.999, 0.001  # a sample at full scale; the share of them that is heard as distortion
_SILENCE = 1.0  # seconds around the speech that say nothing against it
_REFUSALS = {
    "is empty": "empty",
    "holds no sound": "empty",
    "is truncated": "truncated",
    "is silent": "silent",
    "lasts more": "too long",
}


def fault(waveform: Waveform, text: str, seconds: float) -> str | None:
    """Return what is wrong with a recording as ``KIND: details``; None if nothing is.

    Args:
        waveform: the recording, already read.
        text: what is said in it.
        seconds: how long it should last.
    """
    if (reason := other_length(waveform, seconds)) is not None:
        return reason
    clipped = float((waveform.samples.abs() >= _FULL_SCALE).float().mean())
    if clipped > _MOST_CLIPPED:
        return f"clipped: {clipped:.1%} of its samples are at full scale"
    units = count_units(text)
    if units == 0:
        return "no text: there is nothing to say"
    rate, speech = units / waveform.seconds, waveform.seconds - _SILENCE - pause_seconds(text)
    if rate > FASTEST or units < SLOWEST * speech:
        return f"text and length: {rate:.1f} letters per second, {SLOWEST:g} to {FASTEST:g} are plausible"
    return None


def other_length(waveform: Waveform, seconds: float) -> str | None:
    """Return that a recording does not last ``seconds``, as a truncated one or one of another rate; None if it does."""
    if abs(waveform.seconds - seconds) <= LENGTH_TOLERANCE:
        return None
    return f"other length: it lasts {waveform.seconds:.2f} s, the manifest says {seconds:.2f} s"


def read_fault(audio: Path, text: str, seconds: float) -> str | None:
    """Read a recording and return what is wrong with it; None if nothing is."""
    try:
        waveform = io.read(audio)
    except InputError as error:
        return unreadable(error, audio)
    return fault(waveform, text, seconds)


def unreadable(error: InputError, audio: Path) -> str:
    """Return why :func:`tts_fm.audio.io.read` refused the file ``audio`` as ``KIND: details``."""
    said = str(error).removeprefix(str(audio)).strip()
    kind = next((kind for words, kind in _REFUSALS.items() if said.startswith(words)), "unreadable")
    return f"{kind}: {error}"


def kind_of(reason: str) -> str:
    """Return the part of a reason that many recordings share."""
    return reason.partition(":")[0]
