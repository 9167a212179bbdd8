"""Who hears the words: the interface; each other file here is one recogniser."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from typing import ClassVar

from tts_fm.audio.io import Waveform
from tts_fm.plugins import Plugin


class Recogniser(Plugin, ABC):
    """Hears words in recordings; what it hears depends on a recording alone, not on what it heard before.

    Args:
        texts: what will be said, for a recogniser that knows no other words.
        model: which model it hears with; its own default if None.

    Raises:
        ValueError: a package is missing, or there is no choice of models.
        ModelError: the model is not on this machine and cannot be fetched.
    """

    about: str
    """Its name, model and version, for the report."""
    is_open: ClassVar[bool]
    """Whether it may hear any word, and not only those of the texts."""

    @abstractmethod
    def __init__(self, texts: Sequence[str], model: str | None = None) -> None: ...

    @classmethod
    @abstractmethod
    def is_ready(cls) -> bool:
        """Return whether it is installed, and its default model is on this machine."""

    @abstractmethod
    def transcribe(self, waveform: Waveform) -> str:
        """Return the words heard in ``waveform``, "" for none."""

    def words(self, text: str) -> list[str]:
        """Return ``text`` as it is judged: by Whisper's own normaliser of English, unless a recogniser has another."""
        return english(text)


def english(text: str) -> list[str]:
    """Return the words of ``text`` by Whisper's normaliser of English: numbers as digits, American spelling, no marks."""
    return _normaliser()(text).split()


@cache
def _normaliser():
    try:
        from whisper_normalizer.english import EnglishTextNormalizer
    except ImportError:
        raise ValueError("word errors need whisper-normalizer; run: pip install 'tts-fm[eval]'") from None
    return EnglishTextNormalizer()
