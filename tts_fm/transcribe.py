"""What is said in a recording, by faster-whisper (the extra ``asr``)."""

from __future__ import annotations

from importlib.util import find_spec

from tts_fm import whisper_files
from tts_fm.audio.io import Waveform
from tts_fm.errors import ArgumentError, InputError, ModelError

MODEL = "small"
_RATE = 16_000


def is_available() -> bool:
    """Return whether the extra is installed."""
    return find_spec("faster_whisper") is not None


def check_available() -> None:
    """Raise ValueError where the extra is not installed; the message says what to do instead."""
    if not is_available():
        raise ArgumentError(
            "a recording needs exactly the words in it; to have it transcribed: pip install 'tts-fm[asr]'", "ref_text"
        )


def transcribe(waveform: Waveform) -> str:
    """Return the words in ``waveform``; the transcriber is fetched once, after saying so, unless ``HF_HUB_OFFLINE`` forbids it.

    Raises:
        InputError: it hears no words.
        ModelError: the transcriber is not on this machine and cannot be fetched.
    """
    check_available()
    from faster_whisper import WhisperModel  # pyright: ignore[reportMissingImports] (an extra)

    try:
        folder = whisper_files.folder(MODEL)
        model = WhisperModel(str(folder), device="cpu", compute_type="int8")
    except (OSError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ModelError(
            f"the recording cannot be transcribed: {reason}; or type the words in it, as its transcript"
        ) from None
    segments, _ = model.transcribe(waveform.resampled(_RATE).samples.numpy(), beam_size=5)
    words = " ".join("".join(segment.text for segment in segments).split())
    if not words:
        raise InputError("no words are heard in the recording; type them, as its transcript")
    return words
