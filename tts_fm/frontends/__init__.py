"""Text to token ids: the interface; each other file here is one frontend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tts_fm.plugins import Options, Plugin


class Frontend(Plugin, ABC):
    """Turns text (already normalised) into token ids in ``[0, vocab_size)``.

    Args:
        options: this frontend's block of the configuration.
        vocab: path of ``vocab.txt`` for the frontends that have one, else None.
    """

    reads_sounds: ClassVar[bool] = False
    """Whether it reads what a lexicon gives in the International Phonetic Alphabet."""

    def __init__(self, options: Options, vocab: Path | None = None) -> None:
        self.options = options

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of different token ids."""

    @abstractmethod
    def tokens(self, text: str) -> list[str]:
        """Return the tokens of ``text`` as strings, including ones that are not in the vocabulary."""

    @abstractmethod
    def ids(self, tokens: Sequence[str]) -> list[int]:
        """Return the id of each token (an unknown one gets the frontend's stand-in)."""

    @abstractmethod
    def unknown(self, tokens: Sequence[str]) -> list[str]:
        """Return the distinct tokens that are not in the vocabulary, in order of appearance."""

    def says_something(self, text: str) -> bool:
        """Whether there is a sound in ``text`` that is in the vocabulary."""
        tokens = self.tokens(text)
        unknown = set(self.unknown(tokens))
        return any(token not in unknown and any(map(str.isalnum, token)) for token in tokens)

    def encode(self, text: str) -> list[int]:
        """Return the token ids of ``text``."""
        return self.ids(self.tokens(text))
