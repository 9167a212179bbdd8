"""Fractions, ranges, versions and plain numbers in words."""

from __future__ import annotations

import re

from tts_fm.text.mathematics import is_in_equation
from tts_fm.text.numbers import NUMBER, cardinal, digits, fraction, number, ordinal, year
from tts_fm.text.rules import FRACTIONS, SIGNS, Match, next_word, previous_word, rule
from tts_fm.text.tables import words
from tts_fm.text.units import SCALES

_SIGN = r"(?P<sign>(?<![\w.)\]%])[-−+±~])?"
_START = r"(?<![\w.,])"
_VULGAR = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5), "⅗": (3, 5), "⅘": (4, 5),
    "⅙": (1, 6), "⅚": (5, 6), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8),
}  # fmt: skip
_YEAR_AFTER = frozenset("in since until till before after by from during circa around year years of the and to late early mid "
                        "summer spring winter autumn fall january february march april may june july august september "
                        "october november december class".split())  # fmt: skip
_ERAS = ("BC", "AD", "BCE", "CE")
_NOT_COUNTED = frozenset("is was has as this its his us always perhaps 's".split())
_ALONE = re.compile(r"[,;:!?)]|\.(?!\d)|$| (?:the|and|when|by|he|she|they|it|we|was|after|under|a) ")
_TO_COME = frozenset("in by until till since before after year".split())
_NUMBER_STARTS = r"\d.\-−+±~"


@rule(
    _NUMBER_STARTS,
    rf"{_SIGN}{_START}(?:(?P<from>{NUMBER})[-–])?(?P<n>{NUMBER})(?P<letter>k|M|bn|mn)(?!\w)",
    then=r"a\-–",
)
def _scaled(match: Match) -> str | None:
    start = "" if match["from"] is None else f"{number(match['from'])} to "
    return f"{SIGNS[match['sign']]}{start}{number(match['n'])} {SCALES[match['letter']]}"


@rule(r"\d", rf"{_START}(?P<n>{NUMBER})m(?= (?P<what>[a-z]{{3,15}})\b)", then="a")
def _millions(match: Match) -> str | None:
    """ "1.5m people"; other words are measured in metres."""
    return f"{number(match['n'])} million" if match["what"] in words("names", "million") else None


# Fractions and ranges


@rule(r"\d", r"(?<![\w/.,])(?P<whole>\d{1,4}[\s-])?(?P<a>\d{1,4})/(?P<b>\d{1,4})(?![\w/]|\.\d)", then=r"0/\-")
def _slash(match: Match) -> str | None:
    whole, a, b = match["whole"], int(match["a"]), int(match["b"])
    if (a, b) in ((24, 7), (9, 11), (50, 50)) and whole is None:
        return f"{cardinal(a)} {cardinal(b)}"
    if len(match["a"]) == 4 and _is_recent(match["a"]):
        return None if whole is not None else f"{year(a)} slash {cardinal(b)}"
    if whole is None and _is_a_split(a, b, match):
        return f"{cardinal(a)} {cardinal(b)}"
    if whole is None and (next_word(match) in ("odds", "favorite", "favourite") or _is_a_rating(b, match)):
        return f"{cardinal(a)} {'out of' if a <= b else 'to'} {cardinal(b)}"
    if whole is None and b == a + 1 and a > 9 and previous_word(match)[:1].isupper():  # "Windows 10/11"
        return f"{cardinal(a)} slash {cardinal(b)}"
    if 1 <= a < b <= 100 and b > 1:
        part = fraction(a, b)
        return part if whole is None else f"{cardinal(int(whole[:-1]))} and {part.replace('one half', 'a half')}"
    words = f"{cardinal(a)} out of {cardinal(b)}" if a == b else f"{cardinal(a)} over {cardinal(b)}"
    return words if whole is None else f"{cardinal(int(whole[:-1]))} {words}"


def _is_a_split(a: int, b: int, match: Match) -> bool:
    """ "80/20", "a 50-50 chance" and, of music, "6/8 time"."""
    return (
        (a + b == 100 and a % 5 == 0 and min(a, b) > 0)
        or (a, b) == (20, 20)
        or (b in (2, 4, 8, 16) and next_word(match) == "time")
    )


def _is_a_rating(best: int, match: Match) -> bool:
    return best in (5, 10) and (
        next_word(match) in words("names", "rating") or previous_word(match).lower() in words("names", "rated")
    )


@rule(r"\d", r"(?<![\w/.,])(?P<a>\d{1,2})/(?P<b>\d{1,3})(?:rds?|ths?|nds?)(?!\w)", then="/")
def _fraction_with_ending(match: Match) -> str | None:
    """ "2/3rds"."""
    a, b = int(match["a"]), int(match["b"])
    return fraction(a, b) if 0 < a < b else None


@rule(
    r"\d",
    r"(?<![\w.,$£€-])(?P<a>[1-9]\d?)[-–](?P<b>[1-9]\d?)(?= (?:split|chance|rule|ratio|mix|partners?|custody|joint)\b)",
    then=r"\-–",
)
def _split(match: Match) -> str | None:
    """ "a 70-30 split"."""
    a, b = int(match["a"]), int(match["b"])
    return f"{cardinal(a)} {cardinal(b)}" if a + b == 100 else None


@rule(r"\d", r"(?<![\w/.,])(?P<mark>\d{1,2}\.\d)/(?P<best>5|10|20|100)(?![\w/]|[.,]\d)", then="/")
def _mark(match: Match) -> str | None:
    """ "4.5/5"."""
    return f"{number(match['mark'])} out of {cardinal(int(match['best']))}"


@rule(r"\d", r"(?<![\w.,])(?P<n>480|576|720|1080|1440|2160|4320)(?P<scan>[pi])(?!\w|\.\w)", then="a")
def _scan_lines(match: Match) -> str | None:
    """ "1080p"."""
    n = match["n"]
    return f"{cardinal(int(n[:-2]))} {cardinal(int(n[-2:]))} {match['scan']}"


@rule(rf"\d{''.join(_VULGAR)}", rf"(?<![\w.,])(?P<whole>\d{{1,9}})?\s?(?P<part>[{''.join(_VULGAR)}])", then=FRACTIONS)
def _vulgar_fraction(match: Match) -> str | None:
    a, b = _VULGAR[match["part"]]
    if match["whole"] is None:
        return fraction(a, b)
    return f"{cardinal(int(match['whole']))} and {fraction(a, b).replace('one half', 'a half')}"


_LISTED = frozenset(
    "page pages verse verses chapter chapters line lines question questions item items room rooms".split()
)


@rule(
    _NUMBER_STARTS,
    rf"{_SIGN}(?<![\w.,])(?P<a>\d{{1,3}}|[1-9]\d{{0,2}}(?P<dots>(?:\.\d{{3}}){{1,5}}+)),(?P<b>\d{{1,2}})(?![\w,]|\.\d|[-–/]\d)",
)
def _decimal_comma(match: Match) -> str | None:
    """ "3,14" and "1.234,56", but not "pages 3,14"."""
    if match["dots"] is None and previous_word(match).lower() in _LISTED:
        return None
    return f"{SIGNS[match['sign']]}{number(match['a'].replace('.', '') + '.' + match['b'])}"


@rule(r"\d.", rf"(?<![\w.,/-])(?P<a>{NUMBER})(?:-|\s?–\s?)(?P<b>{NUMBER})(?![\w/]|[-–.,]\d)", then=r"\-–")
def _range_of_numbers(match: Match) -> str | None:
    a, b = match["a"], match["b"]
    if is_in_equation(match):
        return None
    if _is_recent(a) and (_is_recent(b) or re.fullmatch(r"\d\d", b)):
        return f"{year(int(a))} to {year(int(b)) if len(b) == 4 else number(b)}"
    return f"{number(a)} to {number(b)}"


def _is_recent(text: str) -> bool:
    return re.fullmatch(r"1[1-9]\d\d|20\d\d", text) is not None


# Plain numbers


@rule(
    r"\dvV",
    r"(?<![\w.])[vV]?\d{1,5}(?:\.\d{1,5}){2,6}(?!\w|\.\d)(?P<port>(?<=\d):\d{2,5}(?![\w:]))?|"
    r"(?<![\w.])v\d{1,4}(?:\.\d{1,4})?(?!\w|\.\d)",
)
def _version(match: Match) -> str | None:
    """Versions are read with "point", four small numbers (an address) with "dot" and digit by digit; "1.000.000" is a million."""
    whole, _, port = match[0].partition(":")
    parts = whole.lstrip("vV").split(".")
    is_number = match[0][0].isdecimal()
    if is_number and len(parts) == 4 and all(int(part) < 256 and (part == "0" or part[0] != "0") for part in parts):
        return " dot ".join(digits(part) for part in parts) + (f" colon {digits(port)}" if port else "")
    if (
        is_number
        and not port
        and len(parts[0]) < 4
        and parts[0][0] != "0"
        and all(len(part) == 3 for part in parts[1:])
    ):
        return number("".join(parts))
    if port:
        return None
    return ("version " if match[0][0] in "vV" else "") + " point ".join(number(part) for part in parts)


@rule(r"\d", r"(?<![\w.,])(?P<n>\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:st|nd|rd|th|ST|ND|RD|TH)(?!\w)", then="a")
def _ordinal_number(match: Match) -> str | None:
    return ordinal(int(match["n"].replace(",", "")))


@rule(
    _NUMBER_STARTS,
    rf"{_SIGN}{_START}(?P<n>\d{{1,15}}(?:\.\d{{1,15}})?)[eE](?P<power>[-−+]?\d{{1,3}})(?!\w|\.\d)",
    then="a",
)
def _scientific(match: Match) -> str | None:
    power = match["power"].lstrip("+")
    words = f"minus {number(power[1:])}" if power[0] in "-−" else number(power)
    return f"{SIGNS[match['sign']]}{number(match['n'])} times ten to the {words}"


@rule(_NUMBER_STARTS, rf"{_SIGN}(?<![\d.]){NUMBER}|\d{{1,1000}}")
def _plain(match: Match) -> str | None:
    """A number beside a letter is joined to it by a hyphen: "MP3" -> "MP-three"."""
    text = match.string
    sign = match["sign"]
    written = match[0] if sign is None else match[0][1:]
    words = SIGNS[sign] + (year(int(written)) if sign is None and _is_year(match) else number(written))
    before, after = text[max(0, match.start() - 1) : match.start()], text[match.end() : match.end() + 1]
    return ("-" if before.isalpha() else "") + words + ("-" if after.isalpha() else "")


def _is_year(match: Match) -> bool:
    """Whether a bare number of four digits is a year: "in 1850", "1999 was", but not "1500 apples"."""
    before, after = previous_word(match).lower(), next_word(match)
    if not _is_recent(match[0]):
        is_early = re.fullmatch(r"1\d{3}", match[0]) is not None and (after in _ERAS or before in ("ad", "anno"))
        is_alone = _ALONE.match(match.string, match.end()) is not None
        return is_early or (
            is_alone
            and (
                (before == "in" and "1010" <= match[0] < "1100") or (before in _TO_COME and "2100" <= match[0] < "2200")
            )
        )
    if after in _ERAS:
        return True
    is_counting = after.endswith("s") and after.islower() and after not in _NOT_COUNTED and before != "the"
    return not is_counting and (match[0] >= "1900" or before in _YEAR_AFTER)


FIRST = (_millions,)
"""Before measures."""

RULES = (
    _scan_lines, _fraction_with_ending, _split, _version, _mark, _slash, _vulgar_fraction, _scaled, _decimal_comma,
    _range_of_numbers, _ordinal_number, _scientific, _plain,
)  # fmt: skip
