"""Money, measures, ranges, fractions, telephone numbers and plain numbers in words."""

from __future__ import annotations

import re

from tts_fm.text.numbers import cardinal, digits, fraction, number, ordinal, year
from tts_fm.text.rules import Match, next_word, previous_word, rule
from tts_fm.text.units import CURRENCIES, SCALES, UNITS

_NUMBER = (
    r"(?>\d{1,2}(?:,\d\d){1,5}+,\d{3}(?!\d)(?:\.\d{1,40}+)?|\d{1,3}(?:,\d{3}){1,6}+(?!\d)(?:\.\d{1,40}+)?|"
    r"\d{1,40}+(?:\.\d{1,40}+)?|\.\d{1,40}+)(?!\d)"
)
_SIGN = r"(?P<sign>(?<![\w.)\]%])[-−+±~])?"
_SIGNS = {"-": "minus ", "−": "minus ", "+": "plus ", "±": "plus or minus ", "~": "about ", None: ""}
_START = r"(?<![\w.,])"
_SCALE = r"(?:\s?(?P<scale>thousand|million|billion|trillion|lakh|crore|mn|bn|tn)|(?P<letter>[kKmMBbT]))(?!\w)"
_SYMBOL = "|".join(
    rf"(?<!\w){re.escape(symbol)}" if symbol[0].isalpha() else re.escape(symbol)
    for symbol in sorted(CURRENCIES, key=len, reverse=True)
)
_SYMBOL_AFTER = "|".join(
    rf"{re.escape(symbol)}(?!\w)" if symbol[-1].isalpha() else re.escape(symbol)
    for symbol in sorted(CURRENCIES, key=len, reverse=True)
    if not (symbol[0].isalpha() and symbol[-1] in "$.")
)
_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_VULGAR = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5), "⅗": (3, 5), "⅘": (4, 5),
    "⅙": (1, 6), "⅚": (5, 6), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8),
}  # fmt: skip
_YEAR_AFTER = frozenset("in since until till before after by from during circa around year years of the and to late early mid "
                        "summer spring winter autumn fall january february march april may june july august september "
                        "october november december class".split())  # fmt: skip
_NOT_COUNTED = frozenset("is was has as this its his us always perhaps 's".split())
_GROUP = r"[ .-]"
_NUMBER_STARTS = r"\d.\-−+±~"
_MONEY_STARTS = rf"\-−+~{''.join(re.escape(symbol[0]) for symbol in CURRENCIES)}"


# Telephone numbers


@rule(
    r"\d+(",
    rf"(?<![\w.(])(?:\+\d{{1,3}}{_GROUP}?|1{_GROUP})?(?:\(\d{{3}}\)\s?|\d{{3}}{_GROUP})\d{{3}}{_GROUP}\d{{4}}(?![\w-])|"
    rf"(?<![\w.(])(?:\(\d{{3}}\)\s?)\d{{3}}{_GROUP}\d{{4}}(?![\w-])|"
    rf"(?<![\w.])\+\d{{1,3}}(?:{_GROUP}\(?\d{{1,5}}\)?){{2,5}}(?![\w-])|"
    r"(?<![\w.$£€-])\d{3}-\d{4}(?![\w-])",
)
def _telephone(match: Match) -> str | None:
    groups = ", ".join(digits(group) for group in re.findall(r"\d+", match[0]))
    return f"plus {groups}" if match[0].startswith("+") else groups


# Money


@rule(
    _MONEY_STARTS,
    rf"(?P<sign>(?<![\w.)\]%])[-−+~]\s?)?(?P<symbol>{_SYMBOL})\s?(?P<n>{_NUMBER})"
    rf"(?:\s?[-–—]\s?(?:{_SYMBOL})?(?P<to>{_NUMBER}))?(?:{_SCALE})?",
)
def _money(match: Match) -> str | None:
    return _SIGNS[(match["sign"] or " ").strip() or None] + _amounts(match)


@rule(
    _NUMBER_STARTS,
    rf"{_SIGN}{_START}(?P<n>{_NUMBER})(?:\s?[-–]\s?(?P<to>{_NUMBER}))?(?:{_SCALE})?"
    rf"\s?(?P<symbol>{_SYMBOL_AFTER})(?!\d)",
)
def _money_after(match: Match) -> str | None:
    return _SIGNS[match["sign"]] + _amounts(match)


def _amounts(match: Match) -> str:
    """A range like "$5-10 million" names its scale and currency once, "$5.50-$6.50" in each part."""
    singular, plural, cent, cents = CURRENCIES[match["symbol"]]
    scale = SCALES.get(match["scale"] or match["letter"], "")
    parts = [part for part in (match["n"], match["to"]) if part is not None]
    if not scale and cent and any(re.search(r"\.\d\d$", part) for part in parts):
        return " to ".join(_with_cents(part, singular, plural, cent, cents) for part in parts)
    is_one = parts == ["1"] and not scale
    name = singular if is_one or _is_adjective(match) else plural
    return " ".join(filter(None, [" to ".join(map(number, parts)), scale, name]))


def _is_adjective(match: Match) -> bool:
    """Whether a thing of that amount follows: "a $5 fee", "$100-a-day", "a 3 km run"."""
    after = match.string[match.end() : match.end() + 2]
    if after[:1] == "-":
        return after[1:].isalpha()
    return previous_word(match).lower() in ("a", "an") and after[:1] == " " and next_word(match).islower()


def _with_cents(amount: str, singular: str, plural: str, cent: str, cents: str) -> str:
    whole, _, decimals = amount.replace(",", "").partition(".")
    words = []
    if whole.strip("0") or not decimals.strip("0"):
        words.append(f"{number(whole or '0')} {singular if whole == '1' else plural}")
    if decimals.strip("0"):
        rest = decimals.ljust(2, "0")
        is_hundredths = len(rest) == 2
        words.append(f"{number(rest.lstrip('0'))} {cent if rest == '01' else cents}" if is_hundredths else digits(rest))
    return " and ".join(words)


# Measures


@rule(r"\d", r"(?<![\w'’.,])(?P<feet>\d{1,2})['’′]\s?(?P<inches>\d|1[01])(?:[\"”″]|''|(?!\w))")
def _feet_and_inches(match: Match) -> str | None:
    return f"{cardinal(int(match['feet']))} foot {cardinal(int(match['inches']))}"


@rule(
    _NUMBER_STARTS,
    rf"{_SIGN}{_START}(?P<n>{_NUMBER})(?:\s?(?:[-–—]|to)\s?(?P<to>{_NUMBER}))?(?P<gap>[\s-]?)(?P<unit>{_UNIT})(?!\w|['’]\w)"
    r"(?:(?<=[a-z])\.(?=\s?[a-z,;:)]))?",
)
def _measure(match: Match) -> str | None:
    singular, plural, needs_contact = UNITS[match["unit"]]
    if needs_contact and match["gap"]:
        return None
    if match["gap"] == "-":
        return f"{_SIGNS[match['sign']]}{_span(match)}-{singular}"
    is_singular = _is_adjective(match) or (match["n"] == "1" and match["to"] is None)
    return f"{_SIGNS[match['sign']]}{_span(match)} {singular if is_singular else plural}"


def _span(match: Match) -> str:
    return number(match["n"]) if match["to"] is None else f"{number(match['n'])} to {number(match['to'])}"


@rule(_NUMBER_STARTS, rf"{_SIGN}{_START}(?P<n>{_NUMBER})(?P<letter>k|M|bn|mn)(?!\w)")
def _scaled(match: Match) -> str | None:
    return f"{_SIGNS[match['sign']]}{number(match['n'])} {SCALES[match['letter']]}"


@rule(
    r"\d.",
    rf"{_START}(?P<a>{_NUMBER})(?P<first>\s?(?:{_UNIT}))?\s?[x×]\s?(?P<b>{_NUMBER})(?:\s?[x×]\s?(?P<c>{_NUMBER}))?(?:\s?(?P<unit>{_UNIT})(?!\w)|(?![\w.]|\s?[x×]\s?\d))",
)
def _by(match: Match) -> str | None:
    if match["first"] is not None and match["first"].strip() != match["unit"]:
        return None
    sides = " by ".join(number(side) for side in (match["a"], match["b"], match["c"]) if side is not None)
    return sides if match["unit"] is None else f"{sides} {UNITS[match['unit']][1]}"


# Fractions and ranges


@rule(r"\d", r"(?<![\w/.,])(?P<whole>\d{1,4}[\s-])?(?P<a>\d{1,4})/(?P<b>\d{1,4})(?![\w/]|\.\d)")
def _slash(match: Match) -> str | None:
    whole, a, b = match["whole"], int(match["a"]), int(match["b"])
    if (a, b) in ((24, 7), (9, 11), (50, 50)) and whole is None:
        return f"{cardinal(a)} {cardinal(b)}"
    if len(match["a"]) == 4 and _is_recent(match["a"]):
        return None if whole is not None else f"{year(a)} slash {cardinal(b)}"
    if 1 <= a < b <= 100 and b > 1:
        part = fraction(a, b)
        return part if whole is None else f"{cardinal(int(whole[:-1]))} and {part.replace('one half', 'a half')}"
    words = f"{cardinal(a)} out of {cardinal(b)}" if a == b else f"{cardinal(a)} over {cardinal(b)}"
    return words if whole is None else f"{cardinal(int(whole[:-1]))} {words}"


@rule(rf"\d{''.join(_VULGAR)}", rf"(?<![\w.,])(?P<whole>\d{{1,9}})?\s?(?P<part>[{''.join(_VULGAR)}])")
def _vulgar_fraction(match: Match) -> str | None:
    a, b = _VULGAR[match["part"]]
    if match["whole"] is None:
        return fraction(a, b)
    return f"{cardinal(int(match['whole']))} and {fraction(a, b).replace('one half', 'a half')}"


@rule(r"\d.", rf"(?<![\w.,/-])(?P<a>{_NUMBER})(?:-|\s?–\s?)(?P<b>{_NUMBER})(?![\w/]|[-–.,]\d)")
def _range_of_numbers(match: Match) -> str | None:
    a, b = match["a"], match["b"]
    if _is_recent(a) and (_is_recent(b) or re.fullmatch(r"\d\d", b)):
        return f"{year(int(a))} to {year(int(b)) if len(b) == 4 else number(b)}"
    return f"{number(a)} to {number(b)}"


def _is_recent(text: str) -> bool:
    return re.fullmatch(r"1[1-9]\d\d|20\d\d", text) is not None


# Plain numbers


@rule(r"\dvV", r"(?<![\w.])[vV]?\d{1,5}(?:\.\d{1,5}){2,6}(?!\w|\.\d)|(?<![\w.])v\d{1,4}(?:\.\d{1,4})?(?!\w|\.\d)")
def _version(match: Match) -> str | None:
    """Versions are read with "point", four small numbers (an address) with "dot" and digit by digit."""
    parts = match[0].lstrip("vV").split(".")
    if len(parts) == 4 and all(int(part) < 256 for part in parts) and match[0][0].isdecimal():
        return " dot ".join(digits(part) for part in parts)
    return ("version " if match[0][0] in "vV" else "") + " point ".join(number(part) for part in parts)


@rule(r"\d", r"(?<![\w.,])(?P<n>\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:st|nd|rd|th|ST|ND|RD|TH)(?!\w)")
def _ordinal_number(match: Match) -> str | None:
    return ordinal(int(match["n"].replace(",", "")))


@rule(_NUMBER_STARTS, rf"{_SIGN}{_START}(?P<n>\d{{1,15}}(?:\.\d{{1,15}})?)[eE](?P<power>[-−+]?\d{{1,3}})(?!\w|\.\d)")
def _scientific(match: Match) -> str | None:
    power = match["power"].lstrip("+")
    words = f"minus {number(power[1:])}" if power[0] in "-−" else number(power)
    return f"{_SIGNS[match['sign']]}{number(match['n'])} times ten to the {words}"


@rule(_NUMBER_STARTS, rf"{_SIGN}(?<![\d.]){_NUMBER}|\d{{1,1000}}")
def _plain(match: Match) -> str | None:
    """A number beside a letter is joined to it by a hyphen: "MP3" -> "MP-three"."""
    text = match.string
    sign = match["sign"]
    written = match[0] if sign is None else match[0][1:]
    words = _SIGNS[sign] + (year(int(written)) if sign is None and _is_year(match) else number(written))
    before, after = text[max(0, match.start() - 1) : match.start()], text[match.end() : match.end() + 1]
    return ("-" if before.isalpha() else "") + words + ("-" if after.isalpha() else "")


def _is_year(match: Match) -> bool:
    """Whether a bare number of four digits is a year: "in 1850", "1999 was", but not "1500 apples"."""
    if not _is_recent(match[0]):
        return False
    before, after = previous_word(match).lower(), next_word(match)
    if after in ("BC", "AD", "BCE", "CE"):
        return True
    is_counting = after.endswith("s") and after.islower() and after not in _NOT_COUNTED and before != "the"
    return not is_counting and (match[0] >= "1900" or before in _YEAR_AFTER)


RULES = (
    _telephone, _money, _money_after, _feet_and_inches, _version, _slash, _vulgar_fraction, _by, _measure, _scaled,
    _range_of_numbers, _ordinal_number, _scientific, _plain,
)  # fmt: skip
