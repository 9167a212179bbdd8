"""How words are pronounced, in the ARPAbet of the recogniser: from its dictionary, else from espeak-ng."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tts_fm import plugins
from tts_fm.frontends import Frontend

PAIRS = {
    "tʃ": "CH", "dʒ": "JH", "oʊ": "OW", "əʊ": "OW", "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "ɔɪ": "OY",
    "n̩": "AH N", "l̩": "AH L", "m̩": "AH M", "ɜː": "ER", "oː": "AO", "aː": "AA",
}  # fmt: skip
"""Two symbols of the International Phonetic Alphabet that are one phone (or two)."""
SINGLES = {
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "ɡ": "G", "g": "G", "ɾ": "T", "ʔ": "T", "x": "K", "q": "K",
    "c": "K", "f": "F", "v": "V", "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "h": "HH", "ç": "HH", "ɬ": "L",
    "m": "M", "n": "N", "ŋ": "NG", "ɲ": "N", "l": "L", "ɫ": "L", "ɹ": "R", "r": "R", "ʁ": "R",
    "w": "W", "j": "Y", "ʍ": "W", "i": "IY", "ɪ": "IH", "ᵻ": "IH", "ɨ": "IH", "y": "IY", "e": "EH", "ɛ": "EH",
    "œ": "EH", "ø": "EH", "æ": "AE", "a": "AA", "ɑ": "AA", "ɒ": "AA", "ɔ": "AO", "o": "OW", "ʊ": "UH", "u": "UW",
    "ʌ": "AH", "ə": "AH", "ɐ": "AH", "ᵊ": "AH", "ɚ": "ER", "ɜ": "ER", "ɝ": "ER",
}  # fmt: skip
"""One symbol, one phone; stress, length and other marks have none."""

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


def from_ipa(symbols: Sequence[str]) -> list[str]:
    """Return the phones of a sequence of IPA symbols; what is no sound (stress, punctuation) is left out."""
    phones: list[str] = []
    i = 0
    while i < len(symbols):
        pair = "".join(symbols[i : i + 2])
        if pair in PAIRS:
            phones += PAIRS[pair].split()
            i += 2
            continue
        if symbols[i] in SINGLES:
            phones.append(SINGLES[symbols[i]])
        i += 1
    return phones


def _read(dictionary: Path) -> Lexicon:
    found: Lexicon = {}
    for line in dictionary.read_text(encoding="utf-8").splitlines():
        word, _, phones = line.partition(" ")
        if phones:
            found.setdefault(word.partition("(")[0], []).append(phones.strip())
    return found
