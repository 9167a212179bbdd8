"""Which utterances are held out: the corpus's own dev and test parts, else whole speakers, else single utterances."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tts_fm.data.corpora import Entry
from tts_fm.errors import ArgumentError

_FEW_SPEAKERS = 5  # with fewer, none of them can be spared
_SHARE = 0.02


def held_out(entries: Sequence[Entry], wish: float | None, seed: int) -> set[str]:
    """Return the ids to hold out: the same ones for the same corpus and seed.

    Args:
        entries: the utterances that can be used.
        wish: how many speakers, or, below 1, which share of the utterances; None is 2 % of the speakers, and where
            there are fewer than 5 of them 2 % of the utterances.
        seed: of the choice.

    Raises:
        ValueError: the corpus says itself what to hold out, or has not so many speakers.
    """
    splits = {entry.split for entry in entries}
    if "heldout" in splits and len(splits) > 1:
        if wish is not None:
            raise ArgumentError("the corpus has its own parts to hold out (dev, test); leave this away", "heldout")
        return {entry.id for entry in entries if entry.split == "heldout"}
    speakers = {entry.speaker for entry in entries}
    if wish is None:
        wish = _SHARE if len(speakers) < _FEW_SPEAKERS else max(1, round(_SHARE * len(speakers)))
    if wish < 1:
        count = max(1, round(wish * len(entries))) if wish else 0
        return set(_drawn({entry.id for entry in entries}, count, seed))
    if wish != int(wish) or wish >= len(speakers):
        raise ArgumentError(
            f"{wish:g} speakers are to be held out and the corpus has {len(speakers)}; give a smaller whole number, "
            f"or a share of the utterances below 1",
            "heldout",
        )
    chosen = set(_drawn(speakers, int(wish), seed))
    return {entry.id for entry in entries if entry.speaker in chosen}


def _drawn(names: set[str], count: int, seed: int) -> list[str]:
    """Return ``count`` of ``names``; most stay the same ones when the corpus grows."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())[:count]
