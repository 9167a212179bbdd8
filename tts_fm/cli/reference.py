"""The voice that options name: a recording and its words, a voice of the library, or a voice's file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tts_fm.cli.terminal import Report

if TYPE_CHECKING:
    from tts_fm.audio.prompt import Prompt
    from tts_fm.text.lexicon import Lexicon


def recording(ref_audio: Path, ref_text: str | None, report: Report) -> Prompt:
    """Return the recording with its words, which the extra ``asr`` writes down where they are not given."""
    from tts_fm.audio.prompt import Prompt

    if ref_text is not None:
        return Prompt.load(ref_audio, ref_text)
    from tts_fm import transcribe
    from tts_fm.audio.io import read

    transcribe.check_available()
    transcript = transcribe.transcribe(read(ref_audio))
    report.say(f"the recording says: {transcript}")
    return Prompt.load(ref_audio, transcript)


def kept(voice: str) -> Prompt | None:
    """Return the voice of the library called ``voice``, or in the file ``voice``; None for the model's own."""
    from tts_fm.audio import library

    if voice == library.BUNDLED:
        return None
    if Path(voice).suffix == ".flac" or Path(voice).name != voice:
        return library.read_voice(Path(voice)).prompt
    return library.VoiceLibrary().load(voice).prompt


def lexicon(voice: str) -> Lexicon | None:
    """Return the voice's own lexicon, ``NAME.lexicon.tsv`` beside its file, if it has one."""
    from tts_fm.audio import library
    from tts_fm.text.lexicon import Lexicon

    if voice == library.BUNDLED:
        return None
    is_file = Path(voice).suffix == ".flac" or Path(voice).name != voice
    beside = library.lexicon_of(Path(voice) if is_file else library.VoiceLibrary().folder / f"{voice}.flac")
    return Lexicon.load(beside) if beside.is_file() else None
