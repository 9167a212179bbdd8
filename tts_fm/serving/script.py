"""What is said of a text, by whom: one turn, or several where its mark-up is read, which is bounded."""

from __future__ import annotations

from tts_fm import story
from tts_fm.serving import wire
from tts_fm.story import MAIN, Turn
from tts_fm.text import clean


def turns(text: str, *, has_markup: bool) -> tuple[Turn, ...]:
    """Return who says what of ``text``; the first voice, and who else is not named, is called ``main``.

    Raises:
        InputError: a text that cannot be spoken, or mark-up that is not understood or is beyond ``wire.BOUNDS``.
    """
    clean.check(text)
    return story.directed(text, wire.BOUNDS) if has_markup else (Turn(MAIN, text),)
