"""Hard sentences to say, and which of their words a recogniser did not hear: what the scripts on repairs and confidence share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import jiwer

from tts_fm.evaluation.recognisers import Recogniser

SENTENCES = Path(__file__).with_name("hard_sentences.tsv")
"""Kind, tab, sentence. Those that speak of Oswald, of Newgate and the like are of LJSpeech's texts (public domain)."""


def hard_sentences(limit: int | None = None) -> list[tuple[str, str]]:
    """Return the first ``limit`` sentences with their kinds, of each kind in turn."""
    by_kind: dict[str, list[str]] = {}
    for line in SENTENCES.read_text(encoding="utf-8").splitlines():
        kind, text = line.split("\t")
        by_kind.setdefault(kind, []).append(text)
    longest = max(map(len, by_kind.values()))
    return [(kind, own[i]) for i in range(longest) for kind, own in by_kind.items() if i < len(own)][:limit]


def misheard(judge: Recogniser, words: Sequence[str], heard: str) -> list[bool]:
    """Return for each of ``words`` whether ``judge`` heard another one, or none, in its place; "" says that it heard nothing.

    A word that was heard beside those that were said counts against the one before it. Words that are judged together
    ("twenty one" is "21") are right or wrong together.
    """
    said = judge.words(" ".join(words))
    aligned = jiwer.process_words(" ".join(said), " ".join(judge.words(heard)))
    wrong: set[int] = set()
    for part in aligned.alignments[0]:
        if part.type == "insert":
            wrong.add(max(part.ref_start_idx - 1, 0))
        elif part.type != "equal":
            wrong.update(range(part.ref_start_idx, part.ref_end_idx))
    ends = [0, *(len(judge.words(" ".join(words[: i + 1]))) for i in range(len(words)))]
    return [any(i in wrong for i in (range(start, end) or range(end - 1, end))) for start, end in pairwise(ends)]
