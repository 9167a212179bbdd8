"""Phonemes in the International Phonetic Alphabet, one token per symbol, as espeak-ng says them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tts_fm import plugins
from tts_fm.frontends import Frontend
from tts_fm.text import pronunciation
from tts_fm.text.pronunciation import SYMBOLS


class Phonemes(Frontend):
    """IPA with stress and punctuation between a start and an end token."""

    class Options(plugins.Options):
        """``language`` is an espeak-ng voice such as ``en-us``, ``en-gb`` or ``de``."""

        language: str = "en-us"

    options: Options
    reads_sounds = True

    def __init__(self, options: Options, vocab: Path | None = None) -> None:
        super().__init__(options, vocab)
        self._id = {symbol: i for i, symbol in enumerate(SYMBOLS)}

    @property
    def vocab_size(self) -> int:
        return len(SYMBOLS)

    def tokens(self, text: str) -> list[str]:
        return pronunciation.tokens(text, self.options.language)

    def ids(self, tokens: Sequence[str]) -> list[int]:
        return [self._id.get(token, 0) for token in tokens]  # a space stands in for what is unknown

    def unknown(self, tokens: Sequence[str]) -> list[str]:
        return list(dict.fromkeys(token for token in tokens if token not in self._id))
