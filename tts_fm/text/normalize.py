"""English as it is spoken: numbers, dates, money, abbreviations and symbols read out in words."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from tts_fm.text import dates, quantities, words
from tts_fm.text.clean import clean
from tts_fm.text.rules import Replacement, Scanner

_QUOTES = str.maketrans("“”„‟‘’‚‛", "\"\"\"\"''''")


def normalize(text: str) -> str:
    """Return ``text``, cleaned, with everything in it that is not a word written as words.

    Next to Chinese, Japanese or Korean characters the text stays as it is.
    """
    plain = clean(text)
    pieces: list[str] = []
    position = 0
    for replacement in _replacements(plain):
        pieces.append(plain[position : replacement.start])
        pieces.append(replacement.spoken)
        position = replacement.start + len(replacement.source)
    pieces.append(plain[position:])
    return _join(pieces).translate(_QUOTES)


def trace(text: str) -> list[Replacement]:
    """Return what is read differently from how it is written; ``start`` counts in ``clean(text)``."""
    return list(_replacements(clean(text)))


def _replacements(plain: str) -> Iterator[Replacement]:
    for replacement in _scanner().scan(plain):
        end = replacement.start + len(replacement.source)
        if not _is_east_asian(plain[max(0, replacement.start - 2) : replacement.start] + plain[end : end + 2]):
            yield replacement


@cache
def _scanner() -> Scanner:
    return Scanner((*words.ADDRESSES, *dates.RULES, *words.ABBREVIATIONS, *quantities.RULES, *words.SIGNS))


def _join(pieces: list[str]) -> str:
    """Join source (even places) and spoken pieces (odd places): words never touch, and a gap leaves no double space."""
    joined: list[str] = []
    last = ""
    for i, piece in enumerate(pieces):
        if not piece:
            continue
        if last.isalnum() and piece[0].isalnum() and i:
            joined.append(" ")
        joined.append(piece)
        last = piece[-1]
    line = " ".join("".join(joined).split())
    for mark in ".,;:!?":
        line = line.replace(f" {mark} ", f"{mark} ")
    return line


def _is_east_asian(neighbours: str) -> bool:
    return any("\u3000" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7af" or "\uf900" <= c <= "\uffee" for c in neighbours)
