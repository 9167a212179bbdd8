"""How words are pronounced, in the ARPAbet of the recogniser: from its dictionary, else from espeak-ng."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tts_fm import plugins
from tts_fm.frontends import Frontend
from tts_fm.text.arpabet import from_ipa

Lexicon = dict[str, list[str]]
"""A word's pronunciations, each a string of phones such as ``"HH AH L OW"``."""


def lexicon(words: Iterable[str], dictionary: Path) -> Lexicon:
    """Return the pronunciations of ``words``.

    Args:
        words: lower-case words.
        dictionary: a file in the format of the CMU dictionary: ``word PHONES`` and ``word(2) OTHER PHONES``.

    Raises:
        ValueError: a word that espeak-ng does not speak in the sounds of English.
    """
    known = _read(dictionary)
    return {word: known[word] if word in known else [spell(word)] for word in sorted(set(words))}


def spell(word: str) -> str:
    """Return the phones that espeak-ng speaks for a word that no dictionary has."""
    phonemes: Any = plugins.load(Frontend, "phonemes")
    phones = from_ipa(phonemes(phonemes.Options()).tokens(word))
    if not phones:
        raise ValueError(f"{word!r} has no English pronunciation; evaluate with texts in English words")
    return " ".join(phones)


def _read(dictionary: Path) -> Lexicon:
    lexicon: Lexicon = {}
    for line in dictionary.read_text(encoding="utf-8").splitlines():
        word, _, phones = line.partition(" ")
        if phones:
            lexicon.setdefault(word.partition("(")[0], []).append(phones.strip())
    return lexicon
