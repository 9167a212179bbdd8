"""Words in capitals: a word that is shouted is read as a word, an abbreviation is left to be spelled."""

from __future__ import annotations

import re

from tts_fm.text.rules import Match, rule
from tts_fm.text.tables import words

_AROUND = 60  # characters on each side that tell whether a text is in capitals
_WORD = re.compile(r"(?<![\w.])[A-Z][A-Z'’]*(?!\w)")


@rule("A-Z", r"(?<![\w.&/-])[A-Z]{2,15}(?:['’][A-Z]{1,2})?(?![\w&/]|\.[A-Za-z])")
def _shouted(match: Match) -> str | None:
    word = match[0].lower().replace("’", "'")
    if word in words("capitals", "shout"):
        return word if _is_in_capitals(match) else None
    if word in words("capitals", "word"):
        return word
    is_abbreviation = match[0] in words("capitals", "abbreviation")
    return None if is_abbreviation or len(match[0]) > 5 or not _is_in_capitals(match, 3) else word


def _is_in_capitals(match: Match, at_least: int = 1) -> bool:
    """Whether the sentence around has no small letter, and so many other words that are surely words."""
    text, start, end = match.string, match.start(), match.end()
    before = re.split(r"[.!?:]\s", text[max(0, start - _AROUND) : start])[-1]
    after = re.split(r"[.!?:](?:\s|$)", text[end : end + _AROUND])[0]
    beside = f"{before.rpartition(' ')[0][-20:] if not before.endswith(' ') else before[-20:]}|{after[:20]}"
    if any(character.islower() for character in beside):
        return False
    sure = {
        word for word in _WORD.findall(f"{before} {after}") if word.lower() in words("capitals", "word") | {"i", "a"}
    }
    return len(sure) >= at_least


RULES = (_shouted,)
