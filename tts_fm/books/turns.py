"""What is said of a chapter, in turns of about a minute, and the silence around its headings, scenes and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tts_fm.audio.join import PARAGRAPH_PAUSE, PAUSE
from tts_fm.books import Part
from tts_fm.text.chunk import chunk
from tts_fm.turns import MAIN, Turn

HEADING_PAUSES = {1: (1.5, 1.0), 2: (1.2, 0.8)}
"""Seconds of silence before and after a heading, by its level; of the others that of ``OTHER_HEADING``."""
OTHER_HEADING = (0.9, 0.6)
BREAK_PAUSE, NOTE_PAUSE = 1.2, 0.5
"""Seconds of silence between scenes, and around a note."""
STRETCH = 1_000
"""Characters that are said in one go, about a minute."""


def turns(parts: Sequence[Part]) -> list[Turn]:
    """Return what is said of a chapter, about a minute in each turn, with the pauses between."""
    made: list[Turn] = []
    pause, is_open = 0.0, False  # before what comes next; whether it may go on in the last turn
    for part in parts:
        before, after = _pauses(part)
        pause = max(pause, before)
        for i, text in enumerate(chunk(part.text, STRETCH) if part.text else ()):
            text = _ended(f"Footnote: {text}" if part.kind == "note" and i == 0 else text)
            joins = is_open and part.kind == "paragraph" and i == 0 and len(made[-1].text) + len(text) < STRETCH
            if joins:
                made[-1] = replace(made[-1], text=f"{made[-1].text}\n\n{text}")
            else:
                made.append(Turn(MAIN, text, pause=PAUSE if i else pause))
            pause, is_open = after, part.kind == "paragraph"
        if not part.text:
            is_open = False
    return made


def _pauses(part: Part) -> tuple[float, float]:
    """Return the least silence before and after a part."""
    if part.kind == "heading":
        return HEADING_PAUSES.get(part.level, OTHER_HEADING)
    if part.kind == "break":
        return BREAK_PAUSE, BREAK_PAUSE
    pause = NOTE_PAUSE if part.kind == "note" else PARAGRAPH_PAUSE
    return pause, pause


def _ended(text: str) -> str:
    """Return ``text`` with a full stop where no mark ends it, so that it is not read as if it went on."""
    return f"{text}." if text[-1].isalnum() else text
