"""How natural speech sounds, as models of listeners' opinions say: the interface; each other file here is one of them.

All of them were taught by what codecs, networks and rooms do to recordings. They hear noise and blur better than they hear
prosody: a voice that stresses the wrong word, or none, can score as the speaker does. What they say is how clean a sound
is, and no substitute for listening.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from tts_fm import plugins
from tts_fm.audio.io import Waveform
from tts_fm.plugins import Plugin


class Naturalness(Plugin, ABC):
    """Gives a recording scores from 1 (bad) to 5 (excellent), each a mean of opinions as it expects them.

    Raises:
        ValueError: a package is missing.
    """

    about: str
    """Its name and version, for the report."""
    headings: ClassVar[Mapping[str, str]]
    """Its scores' names, and what they are called in a table."""

    @abstractmethod
    def __init__(self) -> None: ...

    @classmethod
    @abstractmethod
    def is_ready(cls) -> bool:
        """Return whether it is installed."""

    @abstractmethod
    def score(self, waveform: Waveform) -> dict[str, float]:
        """Return what ``waveform`` scores, by the names in :attr:`headings`; silence is scored, too."""


def heading(score: str) -> str:
    """Return what the score called ``score`` is called in a table."""
    return next(
        (
            headings[score]
            for name in plugins.names(Naturalness)
            if score in (headings := plugins.load(Naturalness, name).headings)
        ),
        score,
    )


def shown(scores: Mapping[str, float]) -> str:
    """Return scores for people, in a line."""
    return ", ".join(f"{heading(name)} {score:.1f}" for name, score in scores.items())
