"""A cue sheet: where each chapter of a book begins, for players and burners that read one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tts_fm.books.narrate import SaidChapter

_FRAMES = 75  # of a sheet, in a second


def sheet(title: str, author: str, said: Sequence[SaidChapter], whole: Path | None) -> str:
    """Return a cue sheet of ``whole``, the file of the book, or of the chapters' own files."""
    lines = [*([f'PERFORMER "{_quoted(author)}"'] if author else []), f'TITLE "{_quoted(title)}"']
    if whole is not None:
        lines.append(_file_line(whole))
    for number, one in enumerate(said, 1):
        if whole is None:
            lines.append(_file_line(one.file))
        frames = 0 if whole is None else round(one.start * _FRAMES)
        at = f"{frames // (60 * _FRAMES):02d}:{frames // _FRAMES % 60:02d}:{frames % _FRAMES:02d}"
        lines += [f"  TRACK {number:02d} AUDIO", f'    TITLE "{_quoted(one.title)}"', f"    INDEX 01 {at}"]
    return "\n".join(lines) + "\n"


def _file_line(file: Path) -> str:
    return f'FILE "{_quoted(file.name)}" {"MP3" if file.suffix == ".mp3" else "WAVE"}'


def _quoted(text: str) -> str:
    return " ".join(text.replace('"', "'").split())
