"""What is said of a text, by whom: one turn, or several where its mark-up is read, which is bounded."""

from __future__ import annotations

import re

from tts_fm import story
from tts_fm.serving import wire
from tts_fm.story import MAIN, Turn
from tts_fm.text import clean

_TAG = re.compile(r"(?<!\\)\[\w|<\w")


def turns(text: str, *, has_markup: bool) -> tuple[Turn, ...]:
    """Return who says what of ``text``; the first voice, and who else is not named, is called ``main``.

    Raises:
        InputError: a text that cannot be spoken, or mark-up that is not understood.
        ValueError: more tags or longer silence than a request may have.
    """
    clean.check(text)
    if not has_markup:
        return (Turn(MAIN, text),)
    n_tags = len(_TAG.findall(text))
    if n_tags > wire.MAX_TAGS:
        raise ValueError(f"the text has {n_tags} tags, {wire.MAX_TAGS} at most can be read; ask in several requests")
    directed = story.directed(text)
    if len(directed) > wire.MAX_TAGS:
        raise ValueError(
            f"the text falls into {len(directed)} stretches, {wire.MAX_TAGS} at most can be spoken; ask in several requests"
        )
    silence = sum(turn.pause for turn in directed[1:])
    if silence > wire.MAX_SILENCE:
        raise ValueError(
            f"the pauses last {silence:g} s, {wire.MAX_SILENCE:g} s at most can be asked for; shorten them"
        )
    return directed
