"""The names of units, currencies and scales, from their tables."""

from __future__ import annotations

from dataclasses import dataclass

from tts_fm.text.tables import rows

SCALES = {
    "k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million", "Mn": "million", "MM": "million",
    "mln": "million", "B": "billion", "bn": "billion", "Bn": "billion", "bln": "billion", "b": "billion", "tn": "trillion",
    "Tn": "trillion", "trn": "trillion", "T": "trillion", "lakh": "lakh", "lakhs": "lakh", "crore": "crore", "crores": "crore",
    "mil": "million", "bil": "billion", "Mio": "million", "Mio.": "million", "Mrd": "billion", "Mrd.": "billion",
    "thousand": "thousand", "million": "million", "billion": "billion", "trillion": "trillion",
}  # fmt: skip

CURRENCIES = {symbol: tuple("" if name == "-" else name for name in names[:4]) for symbol, *names in rows("currencies")}
"""Symbol -> one, many, one hundredth, many hundredths (empty: no hundredths)."""
CURRENCIES_BEHIND = frozenset(row[0] for row in rows("currencies") if row[-1] == "after")
"""Symbols that never stand before their number."""


@dataclass(frozen=True)
class Unit:
    """What one and many of it are called; ``needs`` says where its symbol means it.

    ``touching``: only where it touches its number. ``alone``: only behind a space, before nothing that it could be the
    name of. ``either``: both. Empty: everywhere.
    """

    one: str
    many: str
    needs: str = ""


UNITS = {symbol: Unit(*names) for symbol, *names in rows("units")}
