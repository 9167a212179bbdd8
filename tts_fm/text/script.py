"""Which parts of a text a language can read: its own script, other scripts, and sounds that a lexicon gives."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby

from tts_fm.text.tables import rows

READ, FOREIGN, SOUNDS = "read", "foreign", "sounds"
SOUNDS_BEGIN, SOUNDS_END = "\ue000", "\ue001"
"""Private characters around sounds in a text; no text of a user has them, cleaning takes them out."""
_SOUNDS = re.compile(f"{SOUNDS_BEGIN}([^{SOUNDS_END}]*){SOUNDS_END}")
_SAID_BY_ESPEAK = 0x0180  # letters below, Latin-1 and Extended-A, have sounds of their own in every language


@dataclass(frozen=True)
class Run:
    """A part of a text: ``READ``, ``FOREIGN`` (letters that are not read) or ``SOUNDS`` (phonetic symbols)."""

    kind: str
    text: str


def runs(text: str, language: str) -> Iterator[Run]:
    """Yield the parts of ``text``; for English, letters with marks that it does not know are folded to the nearest."""
    for i, part in enumerate(_SOUNDS.split(text)):
        if i % 2:
            yield Run(SOUNDS, part)
        elif part.isascii():
            yield from [Run(READ, part)] if part else []
        else:
            yield from _scripts(folded(part) if language == "en" else part, language)


def _scripts(text: str, language: str) -> Iterator[Run]:
    for is_foreign, characters in groupby(_marked(text, language), key=lambda pair: pair[1]):
        part = "".join(character for character, _ in characters)
        if is_foreign:
            yield from (Run(FOREIGN, word) for word in part.split())
        else:
            yield Run(READ, part)


def _marked(text: str, language: str) -> Iterator[tuple[str, bool]]:
    """Each character, and whether it belongs to letters of another script; marks, and spaces between, go with them."""
    scripts = _scripts_of(language)
    is_foreign = False
    for i, character in enumerate(text):
        if character.isalpha() or _is_named_by_espeak(character):
            is_foreign = not _is_of(character, scripts)
        elif character.isspace():
            following = text[i + 1 : i + 2]
            is_foreign = is_foreign and following.isalpha() and not _is_of(following, scripts)
        elif not unicodedata.category(character).startswith("M"):
            is_foreign = False
        yield character, is_foreign


@cache
def _scripts_of(language: str) -> tuple[str, ...]:
    return next((tuple(names) for name, *names in rows("scripts") if name == language), ("LATIN",))


@lru_cache(4096)
def _is_named_by_espeak(character: str) -> bool:
    """Whether it is a sign or a number of another script ("৵", "㊗") or a pattern of Braille: espeak-ng says its code."""
    code = ord(character)
    is_common = (
        code < 0x0370
        or 0x2000 <= code < 0x2800
        or 0x2900 <= code < 0x2C00
        or 0xFE00 <= code < 0x10000
        or code >= 0x1F000
    )
    return not is_common and unicodedata.category(character) in ("So", "No", "Nl", "Sc", "Sk", "Po", "Sm")


@lru_cache(4096)
def _is_of(letter: str, scripts: tuple[str, ...]) -> bool:
    """Whether a letter is of one of ``scripts``; modifier letters such as "ʼ", and "ª", are of all."""
    name = unicodedata.name(letter, "")
    return name.startswith((*scripts, "MODIFIER", "FEMININE", "MASCULINE", "MICRO"))


def folded(text: str) -> str:
    """Return ``text`` with Latin letters beyond those of European languages as the nearest plain ones: "ễ" as "e"."""
    return "".join(character if ord(character) < _SAID_BY_ESPEAK else _nearest(character) for character in text)


@lru_cache(4096)
def _nearest(character: str) -> str:
    name = unicodedata.name(character, "")
    if name.startswith("MODIFIER LETTER"):  # espeak-ng names them, except for the apostrophe
        plain = unicodedata.normalize("NFKC", character)
        return plain if plain.isascii() else "'" if character in "ʻʼ" else character if character in "ˈˌː" else ""
    if not name.startswith("LATIN"):
        return character
    base = unicodedata.normalize("NFD", character)[0]
    if base.isascii() and base.isalpha():
        return base
    letter = re.match(
        r"LATIN (SMALL|CAPITAL) LETTER (?:OPEN |TURNED |REVERSED |AFRICAN |DOTLESS |SHARP )?([A-Z]{1,2})(?![A-Z])", name
    )
    if letter is None:
        return character
    return letter[2] if letter[1] == "CAPITAL" else letter[2].lower()
