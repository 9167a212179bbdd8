"""Long text in pieces that a model can hold, cut where a reader would breathe."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import pairwise

from tts_fm.text.abbreviations import ANYWHERE, BEFORE_A_NAME, BEFORE_A_NUMBER, STREETS
from tts_fm.text.rules import starts_a_sentence

_SENTENCE_END = re.compile(r"[.!?…]{1,20}[\"'”’»)\]]{0,4} |[。！？｡．]{1,20}[”’」』）〉》\"']{0,4} ?")
_CLAUSE_END = re.compile(r"[,;:][\"'”’»)\]]{0,4} | ?— ?| [-–] |[，、；：]")
_WORD_END = re.compile(r" |[-/](?=\w)")
_LAST_WORD = re.compile(r"[\w.'’]{1,30}$")
_MAYBE_LAST = frozenset(ANYWHERE) | frozenset(STREETS) | frozenset(("U.S", "U.K", "E.U", "a.m", "p.m", "Ph.D", "D.C"))
_F5_BREAK = re.compile(r"(?<=[;:,.!?])\s+|(?<=[；：，。！？])")

Span = tuple[int, int]
Ends = Callable[[str, int, int], Iterator[int]]


def chunk(text: str, max_chars: int) -> list[str]:
    """Cut ``text`` into pieces of at most ``max_chars`` characters.

    Cuts lie at the ends of sentences; inside a longer sentence at the ends of clauses; then between words; a word that
    is longer than a piece is cut hard. No character is lost or altered but white space, which becomes single spaces.
    The pieces are as few as can be, about equally long, and short ones are joined to a neighbour.
    """
    if max_chars < 1:
        raise ValueError(f"max_chars is {max_chars}; a piece needs at least 1 character")
    text = " ".join(text.split())
    whole = (0, len(text))
    atoms = [atom for sentence in _cut(text, whole, _sentence_ends) for atom in _fit(text, sentence, max_chars, 0)]
    spans = _without_crumbs(text, _pack(text, atoms, _even_limit(text, atoms, max_chars)), max_chars)
    return [piece for start, end in spans if (piece := text[start:end].strip())]


def f5_chunks(text: str, max_chars: int) -> list[str]:
    """Cut ``text`` exactly as F5-TTS does: at most about ``max_chars`` UTF-8 bytes, at any punctuation."""
    chunks: list[str] = []
    current = ""
    for part in _F5_BREAK.split(text):
        spaced = f"{part} " if part and part[-1].isascii() else part
        if len(current.encode()) + len(part.encode()) > max_chars:
            chunks.append(current.strip())
            current = ""
        current += spaced
    return [piece for piece in [*chunks, current.strip()] if piece]


def sentences(text: str) -> list[str]:
    """Return the sentences of ``text`` (white space becomes single spaces)."""
    text = " ".join(text.split())
    return [text[start:end].strip() for start, end in _cut(text, (0, len(text)), _sentence_ends)]


def _cut(text: str, span: Span, ends: Ends) -> list[Span]:
    """``span`` cut at every place that ``ends`` yields."""
    borders = [span[0], *(end for end in ends(text, *span) if span[0] < end < span[1]), span[1]]
    return [pair for pair in pairwise(borders) if pair[0] < pair[1]]


def _fit(text: str, span: Span, limit: int, level: int) -> list[Span]:
    """``span`` as parts that each fit: cut at clauses, then words, then anywhere."""
    if _length(text, *span) <= limit:
        return [span]
    parts = [part for whole in _cut(text, span, _FINER[level]) for part in _fit_next(text, whole, limit, level + 1)]
    return _pack(text, parts, _even_limit(text, parts, limit))


def _fit_next(text: str, span: Span, limit: int, level: int) -> list[Span]:
    return _fit(text, span, limit, level) if level < len(_FINER) else list(_hard_cuts(text, span, limit))


def _pack(text: str, spans: list[Span], limit: int) -> list[Span]:
    """Join neighbours from left to right as long as they fit."""
    packed: list[Span] = []
    for start, end in spans:
        if packed and _length(text, packed[-1][0], end) <= limit:
            packed[-1] = (packed[-1][0], end)
        else:
            packed.append((start, end))
    return packed


def _even_limit(text: str, spans: list[Span], limit: int) -> int:
    """The smallest limit with which as few pieces are enough: they come out about equally long."""
    if not spans:
        return limit
    fewest = len(_pack(text, spans, limit))
    low, high = max(_length(text, *span) for span in spans), limit
    while low < high:
        middle = (low + high) // 2
        if len(_pack(text, spans, middle)) <= fewest:
            high = middle
        else:
            low = middle + 1
    return high


def _without_crumbs(text: str, spans: list[Span], limit: int) -> list[Span]:
    """Share a longer neighbour with every piece that is too short to be spoken well alone."""
    crumb = min(20, limit // 4)
    shared: list[Span] = []
    for span in spans:
        if shared and min(_length(text, *span), _length(text, *shared[-1])) < crumb:
            shared[-1:] = _halves(text, (shared[-1][0], span[1]), limit) or [shared[-1], span]
        else:
            shared.append(span)
    return shared


def _halves(text: str, span: Span, limit: int) -> list[Span] | None:
    """``span`` whole if it fits, else cut once, near its middle, at a clause or a word."""
    start, end = span
    if _length(text, start, end) <= limit:
        return [span]
    for ends in _FINER:
        inner = [cut for cut in ends(text, start, end) if min(cut - start, end - cut) > (end - start) // 4]
        cuts = [cut for cut in inner if _length(text, start, cut) <= limit >= _length(text, cut, end)]
        if cuts:
            cut = min(cuts, key=lambda place: abs(2 * place - start - end))
            return [(start, cut), (cut, end)]
    return None


def _length(text: str, start: int, end: int) -> int:
    """Characters of the piece without the space around it."""
    return end - start - (text[start : start + 1] == " ") - (end - start > 1 and text[end - 1] == " ")


def _sentence_ends(text: str, start: int, end: int) -> Iterator[int]:
    for match in _SENTENCE_END.finditer(text, start, end):
        is_east_asian = not match[0][0].isascii() and match[0][0] != "…"
        if is_east_asian or not _goes_on(text, match):
            yield match.end()


def _goes_on(text: str, match: re.Match[str]) -> bool:
    """Whether the sentence goes on after this mark: "Dr. Who", "e.g. this", "J. Smith", "'Stop!' he said"."""
    after = text[match.end() : match.end() + 24].lstrip("\"'“‘(«[")
    if after[:1].islower():
        return True
    if match[0] != ". ":
        return False
    last = _LAST_WORD.search(text[max(0, match.start() - 30) : match.start()])
    word = "" if last is None else last[0]
    following = re.match(r"[\w'’]*", after)
    is_start = following is not None and starts_a_sentence(following[0])
    if word in BEFORE_A_NUMBER and word not in STREETS:
        return after[:1].isdecimal()
    if word in BEFORE_A_NAME and word not in STREETS:
        return True
    if word in _MAYBE_LAST or re.fullmatch(r"[A-Z](?:\.[A-Z])*", word) is not None:
        return not is_start and word != "I"
    return False


def _clause_ends(text: str, start: int, end: int) -> Iterator[int]:
    return (match.end() for match in _CLAUSE_END.finditer(text, start, end))


def _word_ends(text: str, start: int, end: int) -> Iterator[int]:
    return (match.end() for match in _WORD_END.finditer(text, start, end))


def _hard_cuts(text: str, span: Span, limit: int) -> Iterator[Span]:
    """Parts of exactly ``limit`` characters; a combining mark stays with its letter where it can."""
    start, end = span
    while start < end:
        cut = min(start + limit, end)
        while cut < end and cut > start + 1 and unicodedata.combining(text[cut]):
            cut -= 1
        yield start, cut
        start = cut


_FINER = (_clause_ends, _word_ends)
