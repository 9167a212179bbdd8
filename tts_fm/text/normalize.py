"""English as it is spoken: numbers, dates, money, abbreviations and symbols read out in words."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from tts_fm.text import (
    addresses,
    capitals,
    clock,
    dates,
    faces,
    identifiers,
    lengths,
    mathematics,
    measures,
    money,
    months,
    quantities,
    roman,
    words,
)
from tts_fm.text.clean import clean, paragraphs
from tts_fm.text.lexicon import LEXICON, Lexicon
from tts_fm.text.markup import without_markup
from tts_fm.text.rules import Replacement, Scanner

_CAPITALS = re.compile("[A-Z]{2}")
_QUOTES = str.maketrans("“”„‟‘’‚‛", "\"\"\"\"''''")


@dataclass(frozen=True)
class Reading:
    """What is said for a text, paragraph by paragraph, and each change with its rule; a change starts in its paragraph."""

    paragraphs: tuple[str, ...]
    changes: tuple[Replacement, ...]

    @property
    def text(self) -> str:
        """The paragraphs on one line."""
        return " ".join(self.paragraphs)


def normalize(text: str, lexicon: Lexicon | None = None) -> str:
    """Return ``text``, cleaned, with everything in it that is not a word written as words.

    Next to Chinese, Japanese or Korean characters the text stays as it is. Words of ``lexicon`` go before every rule.
    """
    return read(text, lexicon).text


def read(text: str, lexicon: Lexicon | None = None, *, is_spelled_out: bool = False) -> Reading:
    """Return how ``text`` is read; one that ``is_spelled_out`` is changed by ``lexicon`` alone."""
    said: list[str] = []
    changes: list[Replacement] = []
    for paragraph in paragraphs(text if is_spelled_out else without_markup(text)):
        own = tuple(_replacements(paragraph, lexicon, is_spelled_out))
        changes += own
        said.append(paragraph if is_spelled_out and not own else _spoken(paragraph, 0, len(paragraph), own))
    return Reading(tuple(filter(None, said)), tuple(changes))


def without_capitals(text: str) -> str:
    """Return ``text`` with the words that it has in capitals as words; abbreviations stay."""
    return _spoken(text, 0, len(text), tuple(Scanner(capitals.RULES).scan(text))) if _CAPITALS.search(text) else text


@dataclass(frozen=True)
class WrittenWord:
    """A word as a person wrote it, with its punctuation, and what is said for it, which may be several words."""

    text: str
    spoken: str

    @property
    def sound(self) -> str:
        """What is left of ``spoken`` when case and punctuation do not count."""
        return " ".join(re.findall(r"\w+(?:'\w+)*", self.spoken.lower()))


def written_words(text: str, lexicon: Lexicon | None = None, *, is_spelled_out: bool = False) -> list[WrittenWord]:
    """Return ``text`` word by word, as :func:`read` reads it.

    Words that are read together ("5 kg") or say nothing ("-") join their neighbour.
    """
    words: list[WrittenWord] = []
    for paragraph in paragraphs(text if is_spelled_out else without_markup(text)):
        words += _words(paragraph, tuple(_replacements(paragraph, lexicon, is_spelled_out)))
    return words


def _words(plain: str, replacements: Sequence[Replacement]) -> list[WrittenWord]:
    starts = [replacement.start for replacement in replacements]
    spans: list[tuple[int, int]] = []
    is_heard = True  # whether the last of them says something
    for match in re.finditer(r"\S+", plain):
        start, end = match.span()
        before = bisect_left(starts, start)
        read_before = replacements[before - 1].end if before > 0 else 0
        is_read_together = plain[start:read_before].strip() != ""
        says_more = _says_something(_spoken(plain, max(start, read_before), end, replacements))
        if spans and (is_read_together or not is_heard or not says_more):
            start, _ = spans.pop()
            is_heard = is_heard or says_more
        else:
            is_heard = says_more
        spans.append((start, end))
    return [WrittenWord(plain[a:b], _spoken(plain, a, b, replacements)) for a, b in spans]


def _says_something(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _spoken(plain: str, start: int, end: int, replacements: Sequence[Replacement]) -> str:
    """Return what is said for ``plain[start:end]``; a replacement lies where its first character does."""
    pieces: list[str] = []
    position = start
    first = bisect_left(replacements, start, key=_first_character)
    for replacement in replacements[first : bisect_left(replacements, end, lo=first, key=_first_character)]:
        pieces += [plain[position : max(position, replacement.start)], replacement.spoken]
        position = replacement.start + len(replacement.source)
    pieces.append(plain[position:end])
    return _join(pieces).translate(_QUOTES)


def _first_character(replacement: Replacement) -> int:
    """Where what is replaced begins, but for spaces."""
    return replacement.start + len(replacement.source) - len(replacement.source.lstrip())


def trace(text: str) -> list[Replacement]:
    """Return what is read differently from how it is written; ``start`` counts in ``clean(without_markup(text))``."""
    return list(_replacements(clean(without_markup(text))))


def _replacements(plain: str, lexicon: Lexicon | None = None, is_spelled_out: bool = False) -> Iterator[Replacement]:
    own = () if lexicon is None else tuple(lexicon.matches(plain))
    for replacement in own if is_spelled_out else _scanner().scan(plain, own):
        around = plain[max(0, replacement.start - 2) : replacement.start] + plain[replacement.end : replacement.end + 2]
        if replacement.rule == LEXICON or not _is_east_asian(around):
            yield replacement


@cache
def _scanner() -> Scanner:
    return Scanner(
        (
            *faces.FIRST, *addresses.WEB, *identifiers.FIRST, *money.COMMAS, *quantities.FIRST, *measures.FIRST,
            *mathematics.FIRST, *months.FIRST, *dates.RULES, *months.RULES, *clock.RULES, *mathematics.RULES, *measures.RULES,
            *lengths.RULES, *identifiers.RULES, *addresses.RULES, *roman.RULES, *words.ABBREVIATIONS, *capitals.RULES,
            *money.RULES, *lengths.UNIT_RULES, *measures.UNIT_RULES, *identifiers.LAST, *quantities.RULES, *mathematics.LAST,
            *words.SIGNS, *faces.LAST,
        )
    )  # fmt: skip


def _join(pieces: list[str]) -> str:
    """Join source (even places) and spoken pieces (odd places): words never touch, and a gap leaves no double space."""
    joined: list[str] = []
    last = ""
    for i, piece in enumerate(pieces):
        if not piece:
            continue
        if last.isalnum() and piece[0].isalnum() and i:
            joined.append(" ")
        joined.append(piece)
        last = piece[-1]
    line = " ".join("".join(joined).split())
    for mark in ".,;:!?":
        line = line.replace(f" {mark} ", f"{mark} ")
    return re.sub(r"(?<=\w) (?=[.,;:!?]$)", "", line)


def _is_east_asian(neighbours: str) -> bool:
    return any("\u3000" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7af" or "\uf900" <= c <= "\uffee" for c in neighbours)
