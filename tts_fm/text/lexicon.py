"""A user's own words and how they are read: in letters, or in the International Phonetic Alphabet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tts_fm import small_file
from tts_fm.errors import InputError
from tts_fm.text.rules import Replacement
from tts_fm.text.script import SOUNDS_BEGIN, SOUNDS_END

_MAX_BYTES, _MAX_ENTRIES, _MAX_CHARACTERS = 1_000_000, 10_000, 100
LEXICON = "lexicon"
"""What its changes are called, beside the names of rules."""
_FORM = "a line is a word, a tab, and how it is read, in letters or as /IPA/"


@dataclass(frozen=True)
class Entry:
    """How a word is read; ``where`` it was written down, for errors.

    Where ``nth`` is a number, only that occurrence of it is meant, counted from 0 in a paragraph.
    """

    word: str
    reading: str
    where: str = ""
    nth: int | None = None

    def places(self, text: str) -> list[int]:
        """Return where the word, just as it is written, stands in ``text``."""
        return [match.start() for match in re.finditer(rf"(?<!\w){re.escape(self.word)}(?!\w)", text)]

    @property
    def sounds(self) -> str | None:
        """The symbols of the International Phonetic Alphabet, where it is read by them."""
        is_ipa = len(self.reading) > 2 and self.reading[0] == self.reading[-1] == "/"
        return self.reading[1:-1] if is_ipa else None

    @property
    def spoken(self) -> str:
        """What stands in the text in place of the word."""
        return self.reading if self.sounds is None else f"{SOUNDS_BEGIN}{self.sounds}{SOUNDS_END}"


@dataclass(frozen=True)
class Lexicon:
    """Words and their readings. A word without a capital is meant in any case, one with a capital only as it is written."""

    entries: tuple[Entry, ...] = ()
    _exact: Mapping[str, Entry] = field(init=False, repr=False, compare=False)
    _lengths: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_word = {entry.word: entry for entry in self.entries if entry.nth is None}
        object.__setattr__(self, "_exact", by_word)
        object.__setattr__(self, "_lengths", tuple(sorted({len(word) for word in by_word}, reverse=True)))

    @staticmethod
    def load(path: str | Path) -> Lexicon:
        """Read a file of UTF-8 lines: word, tab, reading; empty lines and lines that begin with ``#`` say nothing.

        Raises:
            InputError: a line that is none, with its number.
        """
        try:
            lines = small_file.read_text(Path(path), _MAX_BYTES).splitlines()
        except ValueError as error:
            raise InputError(f"no lexicon: {error}") from None
        return Lexicon.of(
            (f"{path}, line {i}", line) for i, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")
        )

    @staticmethod
    def of(lines: Iterable[tuple[str, str]]) -> Lexicon:
        """Return the lexicon of lines, each with where it stands."""
        entries: dict[str, Entry] = {}
        for where, line in lines:
            entry = _entry(line, where)
            if entry.word in entries:
                raise InputError(f"{where}: {entry.word!r} has a reading already; remove one of them")
            entries[entry.word] = entry
        if len(entries) > _MAX_ENTRIES:
            raise InputError(f"a lexicon of {len(entries):,} words; at most {_MAX_ENTRIES:,} are allowed")
        return Lexicon(tuple(entries.values()))

    def __or__(self, other: Lexicon) -> Lexicon:
        """Both; where they differ, ``other`` counts."""
        both = {(entry.word, entry.nth): entry for entry in (*self.entries, *other.entries)}
        return Lexicon(tuple(both.values()))

    def matches(self, text: str) -> Iterator[Replacement]:
        """Yield the words of the lexicon in ``text`` from left to right, the longest where several begin."""
        end = 0
        marked = self._marked(text)
        for word in re.finditer(r"(?<!\w)\S", text) if self.entries else ():
            start = word.start()
            if start < end:
                continue
            for length in (len(marked[start].word),) if start in marked else self._lengths:
                written = text[start : start + length]
                entry = marked.get(start) or self._exact.get(written) or self._exact.get(written.lower())
                if entry is None or re.match(r"\w", text[start + length :][:1]):
                    continue
                if any(start < place < start + length for place in marked):
                    continue
                possessive = "" if entry.sounds is None else _possessive(entry.sounds, text, start + length)
                end = start + length + 2 * bool(possessive)
                yield Replacement(text[start:end], _with_ending(entry.spoken, possessive), start, LEXICON)
                break

    def _marked(self, text: str) -> dict[int, Entry]:
        """Return the entries that mean one occurrence, by where that is in ``text``."""
        entries: dict[int, Entry] = {}
        for entry in self.entries:
            if entry.nth is not None and entry.nth < len(places := entry.places(text)):
                entries[places[entry.nth]] = entry
        return entries


def shown(text: str) -> str:
    """Return ``text`` with its sounds between slashes, as a person writes them."""
    return text.replace(SOUNDS_BEGIN, "/").replace(SOUNDS_END, "/")


def _possessive(sounds: str, text: str, end: int) -> str:
    """What "'s" sounds like behind ``sounds``, where it stands there."""
    if re.match(r"['’]s(?!\w)", text[end : end + 3]) is None:
        return ""
    last = sounds.rstrip("ːˑ")[-1:]
    return "ᵻz" if last in "szʃʒ" else "s" if last in "ptkfθ" else "z"


def _with_ending(spoken: str, ending: str) -> str:
    return f"{spoken.removesuffix(SOUNDS_END)}{ending}{SOUNDS_END}" if ending else spoken


def _entry(line: str, where: str) -> Entry:
    word, tab, reading = line.partition("\t")
    word, reading = word.strip(), reading.strip()
    if not tab or not word or not reading or "\t" in reading:
        raise InputError(f"{where}: {line[:60]!r} is no entry of a lexicon; {_FORM}")
    if max(len(word), len(reading)) > _MAX_CHARACTERS:
        raise InputError(f"{where}: {word[:20]!r} or its reading is longer than {_MAX_CHARACTERS} characters")
    if not any(character.isalnum() for character in word):
        raise InputError(f"{where}: {word!r} is no word; {_FORM}")
    entry = Entry(word, reading, where)
    if reading.startswith("/") != (entry.sounds is not None) or re.search(r"[\d/\s]", entry.sounds or ""):
        raise InputError(
            f"{where}: the reading {reading!r} is not understood; IPA stands between two slashes, without spaces, as /ˈniːʃ/"
        )
    return entry
