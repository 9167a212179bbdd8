"""Lengths in words: feet and inches, degrees, and fractions of a unit, as in recipes."""

from __future__ import annotations

import re

from tts_fm.text.numbers import NUMBER, cardinal, fraction, number
from tts_fm.text.rules import FRACTIONS, Match, full_stop, is_adjective, next_word, rule
from tts_fm.text.units import UNITS

_COMPASS = {"N": "north", "S": "south", "E": "east", "W": "west"}
_FRACTION = r"(?:\d{1,4}[ -])?\d{1,3}/\d{1,3}|\d{1,4}[½¼¾⅛⅜⅝⅞⅓⅔]|[½¼¾⅛⅜⅝⅞]"
_VULGAR = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8", "⅓": "1/3", "⅔": "2/3"}
_LENGTH = rf"(?:{_FRACTION}|{NUMBER})"
_LENGTH_THEN = rf"a0/\-{FRACTIONS}\"″”'×"
_NOT_A_THING = frozenset(
    "and or by of long wide tall high thick deep in to from at x is was are were for with on off per than across apart away "
    "around square diagonal diagonally but as if so up down short shorter taller longer more less each total".split()
)


def _length(text: str) -> str:
    """A number, or a fraction as "3/4", "1 1/2" and "1½"."""
    text = re.sub(r" (?=[½¼¾⅛⅜⅝⅞⅓⅔])", "", text)
    for sign, written in _VULGAR.items():
        text = text.replace(sign, f" {written}" if text != sign else written)
    if "/" not in text:
        return number(text)
    whole, _, part = text.strip().replace("-", " ").rpartition(" ")
    a, b = part.split("/")
    if int(b) < 2:
        return f"{number(a)} over {number(b)}"
    words = fraction(int(a), int(b))
    return words if not whole else f"{number(whole.strip())} and {words.replace('one half', 'a half')}"


@rule(
    r"\d",
    r"(?<![\w.,/])(?P<feet>\d{1,3})(?P<gap>\s?)(?:ft\.?|feet|foot)(?:\s|(?=\d))"
    rf"(?P<inches>{_FRACTION}|\d{{1,2}}(?:\.\d)?)(?:\s?(?P<unit>inches|inch|in\b\.?|[\"″”])|(?![\w.,/]))",
    then="a",
)
def _feet_and_inches(match: Match) -> str | None:
    if match["unit"] is None:
        return None if match["gap"] or " " in match[0] else f"{number(match['feet'])} foot {_length(match['inches'])}"
    many = "inch" if match["inches"] == "1" else "inches"
    stop = full_stop(match) if match[0].endswith(".") else ""
    return (
        f"{number(match['feet'])} {'foot' if match['feet'] == '1' else 'feet'} {_length(match['inches'])} {many}{stop}"
    )


@rule(
    r"\d",
    rf"(?<![\w'’.,])(?P<feet>\d{{1,2}})['’′]\s?(?P<inches>{_FRACTION}|1[01](?:\.\d)?|\d(?:\.\d)?)(?:[\"”″]|''|(?![\w.,/]\w|\w))",
    then="'’′",
)
def _foot_mark(match: Match) -> str | None:
    return f"{cardinal(int(match['feet']))} foot {_length(match['inches'])}"


@rule(r"\d", r"(?<![\w'’.,])(?P<minutes>\d{1,2})′\s?(?P<seconds>[1-5]\d(?:\.\d{1,4})?)″", then="′")
def _minutes_and_seconds(match: Match) -> str | None:
    return f"{number(match['minutes'])} minutes {number(match['seconds'])} seconds"


@rule(
    r"\d½¼¾⅛⅜⅝⅞",
    rf"(?<![\w.,/'])(?P<a>{_LENGTH})(?:[\"″”]|'')?\s?(?:[x×X]|by)\s?(?P<b>{_LENGTH})"
    rf"(?:(?:[\"″”]|'')?\s?(?:[x×X]|by)\s?(?P<c>{_LENGTH}))?(?:[\"″”]|'')",
    then=_LENGTH_THEN,
)
def _inches_by_inches(match: Match) -> str | None:
    sides = " by ".join(_length(side) for side in (match["a"], match["b"], match["c"]) if side is not None)
    return f"{sides} {'inch' if _names_a_thing(match) else 'inches'}"


@rule(r"\d", rf"(?<![\w.,/'])(?P<a>{NUMBER})['’′]\s?(?:[x×X]|by)\s?(?P<b>{NUMBER})['’′](?!\w)", then="'’′")
def _feet_by_feet(match: Match) -> str | None:
    return f"{number(match['a'])} by {number(match['b'])} {'foot' if _names_a_thing(match) else 'feet'}"


@rule(r"\d½¼¾⅛⅜⅝⅞", rf"(?<![\w.,/'\"“])(?P<n>{_LENGTH})(?P<mark>[\"″”]|'')(?!\w)", then=_LENGTH_THEN)
def _inches(match: Match) -> str | None:
    """The mark closes a quotation where one is open: ``He said "I am 10".``"""
    before = match.string[max(0, match.start() - 400) : match.start()]
    is_open = before.count("“") > before.count("”") or (
        match["mark"] == '"' and re.sub(r'(?<=[\d½¼¾])"', "", before).count('"') % 2 == 1
    )
    if match["mark"] != "″" and is_open:
        return None
    is_one = match["n"] == "1" or re.fullmatch(r"\d+/\d+|[½¼¾⅛⅜⅝⅞⅓⅔]", match["n"]) is not None
    return f"{_length(match['n'])} {'inch' if is_one or _names_a_thing(match) else 'inches'}"


def _names_a_thing(match: Match) -> bool:
    """Whether what follows is the thing that is so long: "a 10 inch pizza"."""
    after = next_word(match)
    return (
        match.string[match.end() : match.end() + 1] == " " and after[:1].isalpha() and after.lower() not in _NOT_A_THING
    )


@rule(
    r"\d",
    r"(?<![\w.,/'])(?P<n>\d{1,6}(?:\.\d)?)(?:′|['’](?=\s(?:tall|high|long|wide|deep|by|x|×)\b|\s?[x×]\s?\d|\s?[,.;)]|\s?$|\s[a-z]+))"
    r"(?!\w|\s?\d{1,2}[\"″])",
    then="'’′",
)
def _feet(match: Match) -> str | None:
    """The mark is no feet where it closes a quotation or belongs to a plural: "the 5' 10s"."""
    before = match.string[max(0, match.start() - 400) : match.start()]
    if "′" not in match[0] and re.search(r"(?<!\w)['‘](?!\s)(?![^'’]*['’](?!\w))", before) is not None:
        return None
    return f"{number(match['n'])} {'foot' if match['n'] == '1' or _names_a_thing(match) else 'feet'}"


@rule(
    r"\d½¼¾⅛⅜⅝⅞",
    rf"(?<![\w.,/])(?P<n>{_LENGTH}) in(?:\.(?=\s[a-z(]|[,;)]|\s?$)|"
    r"(?=\s(?:long|wide|tall|high|thick|deep|diameter|square)\b|\s?$))",
    then=_LENGTH_THEN,
)
def _inches_written(match: Match) -> str | None:
    stop = full_stop(match) if match[0].endswith(".") else ""
    is_one = match["n"] == "1" or re.fullmatch(r"\d{1,3}/\d{1,3}|[½¼¾⅛⅜⅝⅞⅓⅔]", match["n"]) is not None
    return f"{_length(match['n'])} {'inch' if is_one else 'inches'}{stop}"


@rule(
    r"\d½¼¾⅛⅜⅝⅞⅓⅔",
    rf"(?<![\w.,/])(?P<n>{_FRACTION}|\d{{1,4}} [½¼¾⅛⅜⅝⅞⅓⅔])[\s-]"
    r"(?P<unit>in|ft|lb|lbs|oz|tsp|tbsp|mi|yd|gal|qt|pt|hr|hrs|kg|km|cm|mm|m|sec|s)\b(?![\w/])\.?",
    then=rf"0/\-{FRACTIONS}",
)
def _fraction_of_a_unit(match: Match) -> str | None:
    """ "1/2 tsp" and "2 1/2 lbs."; "1/2 in" only where no word follows that goes with it."""
    if match["unit"] in ("in", "s") and not match[0].endswith(".") and match.string[match.end() :].strip():
        return None
    unit = UNITS[match["unit"]]
    words = _length(match["n"])
    is_less = " and " not in words and " over " not in words
    name = unit.one if is_adjective(match) or is_less or words.startswith("one over") else unit.many
    return f"{words} {name}{full_stop(match) if match[0].endswith('.') else ''}"


@rule(
    r"\d",
    r"(?<![\w.,])(?P<d>\d{1,3}(?:\.\d{1,9})?)\s?°\s?(?:(?P<m>\d{1,2}(?:\.\d{1,6})?)\s?['′’]\s?"
    r"(?:(?P<s>\d{1,2}(?:\.\d{1,6})?)\s?(?:[\"″”]|''|′′)\s?)?)?(?P<way>[NSEW](?!\w))?",
    then="°",
)
def _degrees(match: Match) -> str | None:
    if match["m"] is None and match["way"] is None:
        return None
    words = []
    for n, name in ((match["d"], "degree"), (match["m"], "minute"), (match["s"], "second")):
        if n is not None and (n.strip("0.") or name == "degree"):
            value = re.sub(r"^0(?=\d)", "", n)
            words.append(f"{number(value)} {name}{'' if value == '1' else 's'}")
    return " ".join([*words, *filter(None, [_COMPASS.get(match["way"])])])


@rule("NSEW", r"(?<!\w)(?P<way>[NSEW])\s?(?=\d{1,3}(?:\.\d{1,9})?\s?°)")
def _way_first(match: Match) -> str | None:
    return f"{_COMPASS[match['way']]} "


@rule(r"\d½¼¾⅛⅜⅝⅞", rf"(?<![\w.,/])(?P<n>{_LENGTH}) (?P<unit>c\.|T\.|C\.)(?= [a-z])", then=_LENGTH_THEN)
def _cups(match: Match) -> str | None:
    """ "2 c. flour" and "1 T. sugar"."""
    name = "tablespoon" if match["unit"] == "T." else "cup"
    return f"{_length(match['n'])} {name}{'' if match['n'] == '1' or ('/' in match['n'] and ' ' not in match['n']) else 's'}"


RULES = (
    _degrees, _way_first, _feet_and_inches, _foot_mark, _minutes_and_seconds, _feet_by_feet, _inches_by_inches, _inches, _feet,
    _inches_written, _fraction_of_a_unit,
)  # fmt: skip
"""After dates, before plain numbers."""

UNIT_RULES = (_cups,)
