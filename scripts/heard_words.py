"""Hard sentences to say, and which of their words a recogniser did not hear: what the scripts on repairs and confidence share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

import jiwer

from tts_fm.alignment.phones import STRESS
from tts_fm.frontends.phonemes import Phonemes
from tts_fm.text.normalize import normalize
from tts_fm.text.pronunciation import END, PUNCTUATION, START

SENTENCES = Path(__file__).with_name("hard_sentences.tsv")
"""Kind, tab, sentence. The last 33 names and 24 numbers are of LJSpeech's texts (public domain)."""
_SILENT = {START, END, " ", *PUNCTUATION, *STRESS}


@dataclass(frozen=True)
class Misheard:
    """For each word that was to be said whether another one was heard, or none; and how many errors there are in all."""

    words: list[bool]
    errors: int


def hard_sentences(limit: int | None = None) -> list[tuple[str, str]]:
    """Return the first ``limit`` sentences with their kinds, of each kind in turn."""
    by_kind: dict[str, list[str]] = {}
    for line in SENTENCES.read_text(encoding="utf-8").splitlines():
        kind, text = line.split("\t")
        by_kind.setdefault(kind, []).append(text)
    longest = max(map(len, by_kind.values()))
    return [(kind, own[i]) for i in range(longest) for kind, own in by_kind.items() if i < len(own)][:limit]


def spoken(text: str) -> list[str]:
    """Return the words of ``text`` as they are said: "555" is three, and "forty-five" two."""
    words = (re.sub(r"[^\w'/]", "", word) for word in normalize(text).lower().replace("-", " ").split())
    return [word for word in words if word]


def misheard(words: Sequence[str], heard: str) -> Misheard:
    """Compare the ``words``, as they are said, with what a recogniser wrote down.

    Words are compared by their sound, however they are spelled ("Laurie" is "lorry"), and however they are put together
    ("wood chuck"). One that was heard beside those that were to be said counts against the one before it.
    """
    parts = [(i, _sound(part)) for i, word in enumerate(words) for part in word.split("-") if part]
    said, there = [sound for _, sound in parts], [_sound(word) for word in spoken(heard)]
    aligned = jiwer.process_words(" ".join(said), " ".join(there))
    wrong: set[int] = set()
    errors = 0
    for is_equal, run in groupby(aligned.alignments[0], key=lambda chunk: chunk.type == "equal"):
        chunks = list(run)
        first, last = chunks[0], chunks[-1]
        told = "".join(said[first.ref_start_idx : last.ref_end_idx])
        if is_equal or told == "".join(there[first.hyp_start_idx : last.hyp_end_idx]):
            continue
        for chunk in chunks:
            places = range(chunk.ref_start_idx, chunk.ref_end_idx) or (max(chunk.ref_start_idx - 1, 0),)
            wrong.update(parts[place][0] for place in places)
            errors += max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
    return Misheard([i in wrong for i in range(len(words))], errors)


@cache
def _sound(word: str) -> str:
    """Return the phonemes of a word that stands alone, without stress; "-" where it has none."""
    return "".join(token for token in _frontend().tokens(word) if token not in _SILENT) or "-"


@cache
def _frontend() -> Phonemes:
    return Phonemes(Phonemes.Options())
