"""Hard sentences to say, and which of their words a recogniser did not hear: what the scripts on repairs and confidence share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jiwer

from tts_fm.alignment.phones import STRESS
from tts_fm.frontends.phonemes import END, PUNCTUATION, START, Phonemes
from tts_fm.text.normalize import normalize

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
    """Return the words of ``text`` as they are said: "555" is three."""
    words = (re.sub(r"[^\w'/]", "", word) for word in normalize(text).lower().split())
    return [word for word in words if word]


def misheard(words: Sequence[str], heard: str) -> Misheard:
    """Compare the ``words``, as they are said, with what a recogniser wrote down.

    Words are compared by their sound, however they are spelled ("Laurie" is "lorry"), and however they are put together
    ("wood chuck"). One that was heard beside those that were to be said counts against the one before it.
    """
    said, sounds = [_sound(word) for word in words], [_sound(word) for word in spoken(heard)]
    aligned = jiwer.process_words(" ".join(said), " ".join(sounds))
    wrong: set[int] = set()
    errors = 0
    for part in aligned.alignments[0]:
        told, there = said[part.ref_start_idx : part.ref_end_idx], sounds[part.hyp_start_idx : part.hyp_end_idx]
        if part.type == "equal" or "".join(told) == "".join(there):
            continue
        wrong.update(range(part.ref_start_idx, part.ref_end_idx) if told else (max(part.ref_start_idx - 1, 0),))
        errors += max(len(told), len(there))
    return Misheard([i in wrong for i in range(len(words))], errors)


@cache
def _sound(word: str) -> str:
    """Return the phonemes of a word that stands alone, without stress; "-" where it has none."""
    return "".join(token for token in _frontend().tokens(word) if token not in _SILENT) or "-"


@cache
def _frontend() -> Phonemes:
    return Phonemes(Phonemes.Options())
