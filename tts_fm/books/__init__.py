"""A book as it is read aloud: its chapters and their parts; what reads EPUB or Markdown is found by the file's suffix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tts_fm.errors import InputError

SUFFIXES = (".epub", ".md", ".markdown")
Footnotes = Literal["skip", "say"]


@dataclass(frozen=True)
class Part:
    """A heading, a paragraph, a note, or a break (a line between scenes, which has no words).

    Attributes:
        kind: which of these.
        text: its words.
        level: of a heading, 1 is the highest.
        ids: the names by which links find it.
        notes: the notes that it refers to, by page and name.
    """

    kind: Literal["heading", "paragraph", "note", "break"]
    text: str = ""
    level: int = 0
    ids: frozenset[str] = frozenset()
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Chapter:
    """A chapter: its title, as the contents have it, and what is read of it."""

    title: str
    parts: tuple[Part, ...]

    @property
    def n_characters(self) -> int:
        """How much there is to say."""
        return sum(len(part.text) for part in self.parts)


@dataclass(frozen=True)
class Book:
    """A book, and remarks on what of it is not read."""

    title: str
    author: str
    language: str
    chapters: tuple[Chapter, ...]
    remarks: tuple[str, ...] = ()

    @property
    def n_characters(self) -> int:
        """How much there is to say."""
        return sum(chapter.n_characters for chapter in self.chapters)


def is_book(path: str | Path) -> bool:
    """Whether the file is read as a book."""
    return Path(path).suffix.lower() in SUFFIXES


def load(path: Path, footnotes: Footnotes = "skip") -> Book:
    """Read a book; ``footnotes`` are left out, or said behind the paragraph that refers to them.

    Raises:
        InputError: no such file, none that can be read, one that is protected, or one without words.
        ValueError: the suffix is of no book, or the extra ``books`` is not installed.
    """
    if not is_book(path):
        raise ValueError(f"{path} is no book that is known by its suffix; give {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise InputError(f"there is no book {path}; check its name and folder")
    try:
        from tts_fm.books import epub, markdown
    except ImportError as error:
        raise ValueError(f"reading a book needs {error.name}; pip install 'tts-fm[books]'") from None
    book = (epub if path.suffix.lower() == ".epub" else markdown).read(path, footnotes)
    if not book.chapters:
        raise InputError(f"{path} has no words in it that could be read; pages that are pictures are not read")
    return book
