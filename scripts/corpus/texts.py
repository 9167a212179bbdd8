"""The sentences that machines read: those that every engine reads alike."""

from __future__ import annotations

import random
import re
from pathlib import Path

_SHORTEST, _LONGEST = 28, 125  # characters


def sentences(texts: Path) -> list[str]:
    """Sentences that every engine reads alike: no digits, abbreviations or capitals; half from each file."""
    rng = random.Random(1)
    columns = []
    for name in ("ljspeech.txt", "vctk.txt"):
        lines = (texts / name).read_text(encoding="utf-8").splitlines()
        column = sorted({line for line in map(_unquoted, lines) if is_plain(line)})
        rng.shuffle(column)
        columns.append(column)
    return [line for pair in zip(*columns, strict=False) for line in pair]


def _unquoted(line: str) -> str:
    return line.strip().removeprefix('"').removesuffix('"').strip()


def is_plain(line: str) -> bool:
    """Whether the line is of a good length and spelled out."""
    return (
        _SHORTEST <= len(line) <= _LONGEST
        and re.fullmatch(r"[A-Za-z ,.;:?!'-]+", line) is not None
        and re.search(r"\b[A-Z]{2,}|\b(?:Messrs|[A-Za-z]{1,4})\.\s|\.\S|--|\s[-']\s", line) is None
    )
