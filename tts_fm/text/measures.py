"""Measures in words: units, what something costs for each, feet and inches, degrees, sides."""

from __future__ import annotations

import re

from tts_fm.text.numbers import NUMBER, cardinal, fraction, number
from tts_fm.text.rules import FRACTIONS, SIGNS, Match, any_of, full_stop, is_adjective, next_word, rule
from tts_fm.text.tables import rows
from tts_fm.text.units import CURRENCIES, UNITS

_SIGN = r"(?P<sign>(?<![\w.)\]%])[-−+±~])?"
_START = r"(?<![\w.,])"
_UNIT = any_of(UNITS)
_NUMBER_STARTS = r"\d.\-−+±~"
_COMPASS = {"N": "north", "S": "south", "E": "east", "W": "west"}
_PER = {unit: "" if name == "-" else name for unit, name in rows("per")}
_FRACTION = r"(?:\d{1,4}[ -])?\d{1,3}/\d{1,3}|\d{1,4}[½¼¾⅛⅜⅝⅞⅓⅔]|[½¼¾⅛⅜⅝⅞]"
_VULGAR = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8", "⅓": "1/3", "⅔": "2/3"}
_LENGTH = rf"(?:{_FRACTION}|{NUMBER})"
_LENGTH_THEN = rf"a0/\-{FRACTIONS}\"″”'×"
_NOT_A_THING = frozenset(
    "and or by of long wide tall high thick deep in to from at x is was are were for with on off per than across apart away "
    "around square diagonal diagonally but as if so up down short shorter taller longer more less each total".split()
)
_IN_RECIPES = frozenset("oz lb lbs tbsp tsp qt pt Tbsp Tbs tbs pkg gal doz c".split())
_CURRENT = frozenset(
    "fuse fuses circuit circuits current breaker outlet plug socket supply charger load max peak of at and or to is per when "
    "through flows flow with on for in from are was".split()
)
"""What may stand behind a letter that is a unit there: "a 10 A fuse"."""


def _length(text: str) -> str:
    """A number, or a fraction as "3/4", "1 1/2" and "1½"."""
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


# What something costs for each

_TIMES = frozenset("second minute hour day week month year night sec min hr".split())
_EACH = _TIMES | frozenset(
    "quarter person user head seat page unit item piece pound ounce gram kilogram kilo ton tonne liter litre gallon mile "
    "kilometer kilometre meter metre foot inch yard acre word game match set cup serving student child room dozen box bottle "
    "bag case class course trip ride visit session lesson ticket share household capita guest table round team player "
    "patient dose tablet pill line token request frame beat cycle shift decade semester term shot minute bed unit".split()
)
_PER_UNIT = any_of({*_PER, *(symbol for symbol, unit in UNITS.items() if not unit.needs)})
_MONEY_SIGNS = "".join(re.escape(symbol) for symbol in CURRENCIES if len(symbol) == 1 and not symbol.isalnum())


@rule(r"\s/", rf"(?<=[\w%.°{_MONEY_SIGNS}])\s?/\s?(?P<unit>{_PER_UNIT}|100 ?km|[a-z]{{3,15}})\b\.?(?![/\w])")
def _per(match: Match) -> str | None:
    """Behind a number and what is counted; any word behind money, else a unit or a time."""
    before = match.string[max(0, match.start() - 48) : match.start()]
    unit = match["unit"]
    is_money = re.search(
        rf"[{_MONEY_SIGNS}]\s?\d[\d.,]{{0,15}}(?:\s?[kKmMbB]n?|\s(?:million|billion|thousand))?(?: [A-Z]{{3}})?$|"
        rf"[{_MONEY_SIGNS}]$|"
        rf"\d\s?(?:[{_MONEY_SIGNS}]|[A-Z]{{3}}|dollars?|euros?|pounds?|cents?)$",
        before,
    )
    is_counted = re.search(r"\d[\d.,]{0,15}[kKmMB]?(?:[\s-]?[^\W\d_]{1,14}[²³]?\.?|\s?[°%])?$", before)
    is_rate = re.search(r"(?<![\w/])[a-z]{3,14}s$", before) is not None and unit in _TIMES
    is_known = unit in _PER or unit in UNITS or unit.removesuffix("s") in _EACH or unit.startswith("100")
    if not (is_money or (is_known and is_counted) or is_rate):
        return None
    if unit.startswith("100"):
        name = "one hundred kilometers"
    elif unit in _PER:
        name = _PER[unit]
    else:
        name = UNITS[unit].one if unit in UNITS else unit.removesuffix("s") if unit.removesuffix("s") in _EACH else unit
    dot = full_stop(match) if match[0].endswith(".") else ""
    return (f" per {name}" if name else " each") + dot


# Feet, inches, minutes of a degree


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
    return f"{_length(match['n'])} {'inch' if match['n'] == '1' else 'inches'}{stop}"


@rule(
    r"\d",
    rf"(?<![\w.,/])(?P<n>{_FRACTION})[\s-](?P<unit>in|ft|lb|lbs|oz|tsp|tbsp|mi|yd|gal|qt|pt|hr|hrs|kg|km|cm|mm|m)\b(?![\w/])\.?",
    then=rf"0/\-{FRACTIONS}",
)
def _fraction_of_a_unit(match: Match) -> str | None:
    """ "1/2 tsp" and "2 1/2 lbs."; "1/2 in" only where no word follows that goes with it."""
    if match["unit"] == "in" and not match[0].endswith("."):
        return None
    unit = UNITS[match["unit"]]
    words = _length(match["n"])
    name = unit.one if is_adjective(match) or (" and " not in words and words.startswith("one ")) else unit.many
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


# Units


@rule(
    _NUMBER_STARTS,
    rf"{_SIGN}{_START}(?P<n>{NUMBER})(?:\s?(?:[-–—]|to)\s?(?P<to>{NUMBER}))?(?P<gap>[\s-]?)(?P<unit>{_UNIT})(?!\w|['’]\w)"
    r"(?P<dot>(?<=[A-Za-z])\.(?=\s?[A-Za-z,;:)]|\s\d))?",
    then=r"a%‰°℃℉\-–—",
)
def _measure(match: Match) -> str | None:
    unit = UNITS[match["unit"]]
    if (match["gap"] and unit.needs == "touching") or (unit.needs == "alone" and match["gap"] != " "):
        return None
    if match["gap"] and unit.needs in ("alone", "either") and not _is_alone(match):
        return None
    if match["gap"] == "-":
        return f"{SIGNS[match['sign']]}{_span(match)}-{unit.one}"
    stop = ""
    if match["dot"]:
        follows = match.string[match.end() : match.end() + 2].lstrip()[:1]
        stop = full_stop(match) if match["unit"] in _IN_RECIPES else "." if follows.isupper() else ""
        if match["unit"] == "pt" and follows.islower():
            unit = UNITS["pts"]
    is_one = is_adjective(match) or (match["n"] == "1" and match["to"] is None)
    return f"{SIGNS[match['sign']]}{_span(match)} {unit.one if is_one else unit.many}{stop}"


def _is_alone(match: Match) -> bool:
    """Whether the letter behind a number is a unit: nothing follows, or something electric or warm."""
    after = re.compile(r"\s?(?:$|[.,;:!?)\-/]|(?P<word>[A-Za-z]+))").match(match.string, match.end())
    if after is None:
        return False
    return (
        after["word"] is None
        or after["word"] in _CURRENT
        or after["word"] in ("AC", "DC", "outside", "inside", "today")
    )


def _span(match: Match) -> str:
    return number(match["n"]) if match["to"] is None else f"{number(match['n'])} to {number(match['to'])}"


@rule(
    _NUMBER_STARTS,
    rf"{_SIGN}(?<![\w.,])(?P<a>\d{{1,3}}),(?P<b>\d{{1,2}})(?P<gap>\s?)(?P<unit>{_UNIT})(?!\w)",
    then="a%‰°℃℉",
)
def _measure_with_comma(match: Match) -> str | None:
    unit = UNITS[match["unit"]]
    if unit.needs in ("alone", "touching") and match["gap"]:
        return None
    return f"{SIGNS[match['sign']]}{number(match['a'] + '.' + match['b'])} {unit.many}"


@rule(
    r"\d.",
    rf"{_START}(?P<a>{NUMBER})(?P<first>\s?(?:{_UNIT}))?\s?(?P<sign>[x×X*])\s?(?P<b>{NUMBER})(?P<second>\s?(?:{_UNIT})(?=\s?[x×X*]))?"
    rf"(?:\s?[x×X*]\s?(?P<c>{NUMBER}))?(?:\s?(?P<unit>{_UNIT})(?!\w)|(?![\w.]|\s?[x×X*]\s?\d))",
    then=r"a×*%°℃℉",
)
def _by(match: Match) -> str | None:
    """Sides are read with "by", "6 x 7 = 42" and "3 × 10⁵" with "times"; an asterisk is "by" only before a unit."""
    units = {one.strip() for one in (match["first"], match["second"], match["unit"]) if one is not None}
    if len(units) > 1 or (units and match["unit"] is None) or (match["sign"] == "*" and not units):
        return None
    is_product = (
        not units and re.compile(r"\s?(?:=|[⁰¹²³⁴-⁹⁺⁻^]|[-+]\s?\d)").match(match.string, match.end()) is not None
    )
    is_product = is_product or (not units and re.search(r"=\s?$", match.string[: match.start()][-3:]) is not None)
    is_product = is_product or (not units and match["sign"] == "×" and " × " in match[0])
    sides = (" times " if is_product else " by ").join(
        number(side) for side in (match["a"], match["b"], match["c"]) if side is not None
    )
    if match["unit"] is None:
        return sides
    unit = UNITS[match["unit"]]
    return f"{sides} {unit.one if is_adjective(match) else unit.many}"


@rule(r"\d½¼¾⅛⅜⅝⅞", rf"(?<![\w.,/])(?P<n>{_LENGTH}) (?P<unit>c\.|T\.|C\.)(?= [a-z])", then=_LENGTH_THEN)
def _cups(match: Match) -> str | None:
    """ "2 c. flour" and "1 T. sugar"."""
    name = "tablespoon" if match["unit"] == "T." else "cup"
    return f"{_length(match['n'])} {name}{'' if match['n'] == '1' or ('/' in match['n'] and ' ' not in match['n']) else 's'}"


@rule(r"a-zA-Z", r"(?<![\w/])(?P<unit>km/h|m/s²|m/s|kWh|km²|cm²|mm²|m²|km³|cm³|m³|ft²|in²|mi²|mm³|ft³|in³)(?![\w/])")
def _bare_unit(match: Match) -> str | None:
    """A unit that can be nothing else, without a number: "in km/h", "per m²"."""
    unit = UNITS[match["unit"]]
    before = match.string[max(0, match.start() - 8) : match.start()].lower()
    return unit.one if re.search(r"\b(?:per|a|each|one|every) $", before) else unit.many


FIRST = (_measure_with_comma,)
"""Before dates."""

RULES = (
    _per, _degrees, _way_first, _feet_and_inches, _foot_mark, _minutes_and_seconds, _feet_by_feet, _inches_by_inches, _inches,
    _feet, _inches_written, _fraction_of_a_unit,
)  # fmt: skip
"""After dates, before plain numbers."""

UNIT_RULES = (_by, _cups, _measure, _bare_unit)
