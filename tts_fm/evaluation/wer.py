"""Word errors: what was heard against what was to be said, counted by jiwer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Errors:
    """Words substituted, deleted or inserted, and the words that were to be said."""

    count: int
    words: int


def errors(reference: Sequence[str], heard: Sequence[str]) -> Errors:
    """Compare the words that were ``heard`` with those of the ``reference``, of which there must be one."""
    try:
        import jiwer
    except ImportError:
        raise ValueError("word errors need jiwer; run: pip install 'tts-fm[eval]'") from None
    result = jiwer.process_words(" ".join(reference), " ".join(heard))
    return Errors(result.substitutions + result.deletions + result.insertions, len(reference))
