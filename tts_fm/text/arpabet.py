"""The sounds of the International Phonetic Alphabet in the ARPAbet of the CMU dictionary."""

from __future__ import annotations

from collections.abc import Sequence

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
