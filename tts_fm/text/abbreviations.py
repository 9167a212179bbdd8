"""English abbreviations, titles, names and signs, and what they stand for, from their tables."""

from __future__ import annotations

from tts_fm.text.tables import rows, words


def _read(kind: str) -> dict[str, str]:
    return {written: read for first, written, read, *_ in rows("abbreviations") if first == kind}


def _names(kind: str) -> tuple[str, ...]:
    """In the order of the table, words of one name with spaces."""
    return tuple(name.replace("_", " ") for first, listed in rows("names") if first == kind for name in listed.split())


BEFORE_A_NAME = _read("name")
"""Read like this before a capital letter."""

BEFORE_A_NUMBER = _read("number")
"""Read like this before a digit or a Roman numeral, where they have their dot."""

BEFORE_A_DIGIT = _read("before")
"""Read like this before a digit, with or without their dot."""

BEFORE_A_YEAR = _read("year")
"""Read like this before a year, where they have their dot."""

STREETS = _read("street")
"""Read like this after a name or an ordinal number."""

PLACES = _read("place")
"""Read like this wherever they stand."""

OLD_STATES = _read("state")
"""Read like this behind a town and a comma, with their dot."""

STATES = {code: name for code, name, *_ in rows("states")}
STATES_ALONE = {code: name for code, name, *rest in rows("states") if rest}
"""Read like this behind a town and a comma, too, not only before a ZIP code."""

DIRECTIONS = _read("direction")
"""Read like this before the name of a street and behind an address."""

ANYWHERE = {
    written: (read, "dot" in rest) for kind, written, read, *rest in rows("abbreviations") if kind == "anywhere"
}
"""Abbreviation -> words, and whether it must have its dot."""

RULERS = _names("ruler")
NUMBERED = _names("numbered")
LETTERED = words("names", "lettered")
"""Behind these, a lone V or X is a letter."""

DOMAINS = _names("domain")
WORDLIKE_DOMAINS = words("names", "wordlike")

SYMBOLS = {sign: {"silent": "", "blank": " "}.get(said, said) for sign, said in rows("signs")}
