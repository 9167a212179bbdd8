"""Corpora in the forms that people have them in: the interface; each other file here reads one form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tts_fm.plugins import Plugin
from tts_fm.types import Fault

Split = Literal["train", "heldout"]


@dataclass(frozen=True)
class Entry:
    """One recording that a corpus lists, and what is said in it.

    ``split`` is None where the corpus does not say which recordings to learn from; ``notes`` go into Lhotse's ``custom``.
    """

    id: str
    audio: Path
    text: str
    speaker: str = ""
    split: Split | None = None
    gender: str | None = None
    language: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


class CorpusReader(Plugin, ABC):
    """Lists the recordings of a corpus; whether they are whole is found out later.

    Args:
        corpus: its folder or file.
        subsets: only these parts of it; none means all.
        extracted: the folder for audio that has no file of its own.
    """

    def __init__(self, corpus: Path, subsets: Sequence[str], extracted: Path) -> None:
        self.corpus, self.subsets, self.extracted = corpus, subsets, extracted

    @abstractmethod
    def read(self) -> Iterator[Entry | Fault]:
        """Yield every recording, or why it cannot be one, always in the same order.

        Raises:
            ValueError: there is no corpus of this form, or no such subset.
        """


def split_of(name: str) -> Split | None:
    """Return the split that the name of a subset means: ``train-clean-100``, ``dev-clean``, ``test``, ``heldout``."""
    words = name.lower().replace("_", "-").split("-")
    if "train" in words:
        return "train"
    return "heldout" if {"dev", "test", "valid", "validation", "eval", "heldout"} & set(words) else None
