"""Tables that reading rules look things up in, one file each: fields between tabs, ``#`` begins a remark."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def rows(name: str) -> tuple[tuple[str, ...], ...]:
    """Return the lines of the table ``name`` as their fields."""
    lines = (Path(__file__).parent / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split("\t")) for line in lines if line and not line.startswith("# "))


@cache
def words(name: str, kind: str) -> frozenset[str]:
    """Return the words of all lines of ``name`` that begin with ``kind``."""
    return frozenset(
        word for first, *fields in rows(name) if first == kind for field in fields for word in field.split()
    )
