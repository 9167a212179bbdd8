"""Measures in words: units, what something costs for each, and sides."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tts_fm.text.numbers import NUMBER, number
from tts_fm.text.rules import SIGNS, Match, any_of, full_stop, is_adjective, previous_word, rule
from tts_fm.text.tables import rows, words
from tts_fm.text.units import CURRENCIES, UNITS

_SIGN = r"(?P<sign>(?<![\w.)\]%])[-−+±~])?"
_START = r"(?<![\w.,])"
_UNIT = any_of(UNITS)
_NUMBER_STARTS = r"\d.\-−+±~"
_PER = {unit: "" if name == "-" else name for unit, name in rows("per")}
_IN_RECIPES = frozenset("oz lb lbs tbsp tsp qt pt Tbsp Tbs tbs pkg gal doz c".split())
_CURRENT = frozenset(
    "fuse fuses circuit circuits current breaker outlet plug socket supply charger load max peak of at and or to is per when "
    "through flows flow with on for in from are was".split()
)
"""What may stand behind a letter that is a unit there: "a 10 A fuse"."""


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
    if not match["gap"] and len(match["unit"]) == 1 and match["unit"].isalpha() and _is_labelled(match):
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


_FACTOR = any_of({*(symbol for symbol, unit in UNITS.items() if not unit.needs and "/" not in symbol), "A", "K", "N"})
_SQUARED = {"s²": "second squared", "s^2": "second squared"}
_DOT = "[·⋅∙]"
_PRODUCT = rf"{_FACTOR}(?:{_DOT}{_FACTOR}){{0,3}}"


@rule(
    _NUMBER_STARTS,
    rf"{_SIGN}{_START}(?P<n>{NUMBER})\s?(?P<above>{_PRODUCT})(?:/(?:\((?P<within>{_PRODUCT})\)|(?P<below>{any_of(_SQUARED)}|{_PRODUCT})(?P<kelvin>K)?))?(?![\w⁻^])",
    then="a%°",
)
def _product(match: Match) -> str | None:
    """Units multiplied: "4 J/(kg·K)", "5 W/m²K", "3 kW·h"; one unit, or one for another, is read by its table."""
    below = match["within"] or match["below"]
    if match["kelvin"] is None and not re.search(_DOT, f"{match['above']} {below or ''}"):
        return None
    divided = [] if below is None else [_SQUARED.get(symbol) or UNITS[symbol].one for symbol in re.split(_DOT, below)]
    if match["kelvin"]:
        divided.append(UNITS["K"].one)
    return _multiplied(match, re.split(_DOT, match["above"]), divided)


_BELOW = r"(?:⁻[¹²³]|\^-[123])"
_POWER = rf"({_FACTOR})({_BELOW})?"
_EXPONENTS = {"1": "", "¹": "", "2": "²", "²": "²", "3": "³", "³": "³"}


@rule(
    _NUMBER_STARTS,
    rf"{_SIGN}{_START}(?P<n>{NUMBER})\s?"
    rf"(?P<factors>{_FACTOR}{_BELOW}?(?:{_DOT}{_FACTOR}{_BELOW}?| {_FACTOR}{_BELOW}){{0,4}})(?![\w⁻^])",
    then="a%°",
)
def _product_of_powers(match: Match) -> str | None:
    """Units with negative exponents are those that it is for: "5 W·m⁻²·K⁻¹", "10 m s⁻¹"."""
    parts = [(factor[1], factor[2]) for factor in re.finditer(_POWER, match["factors"])]
    above = [symbol for symbol, power in parts if power is None]
    below = [_powered(symbol, _EXPONENTS[power[-1]]) for symbol, power in parts if power is not None]
    return _multiplied(match, above, below) if below else None


def _multiplied(match: Match, above: Sequence[str], below: Sequence[str]) -> str:
    """Return a number of the units whose symbols are ``above``, of which the last has a plural, for those named ``below``."""
    named = [UNITS[symbol].one for symbol in above]
    if above and match["n"] != "1":
        named[-1] = UNITS[above[-1]].many
    divided = ["per", *below] if below else []
    return f"{SIGNS[match['sign']]}{number(match['n'])} {' '.join([*named, *divided])}"


def _powered(symbol: str, power: str) -> str:
    """Return what a unit to this power, which is ``""``, ``²`` or ``³``, is called."""
    if power and symbol + power in UNITS:
        return UNITS[symbol + power].one
    return UNITS[symbol].one + {"": "", "²": " squared", "³": " cubed"}[power]


def _is_labelled(match: Match) -> bool:
    """Whether a number and a letter name something: "seat 12A", "question 3m"; "line 5 m" is measured."""
    return previous_word(match).lower() in words("names", "labelled")


_UNIT_BEFORE = re.compile(rf"(?<![\w.])\d[\d.,]{{0,15}}\s?(?:{_UNIT}|[½¼¾⅛⅜⅝⅞⅓⅔])$|\d/\d{{1,2}}$|[½¼¾⅛⅜⅝⅞⅓⅔]$")


@rule(
    r"\s\-–", r"(?<=[\w%°½¼¾⅛⅜⅝⅞⅓⅔])\s?[-–]\s?(?=\d[\d.,/ ]{0,12}\s?(?:[^\W\d_]|[%°½¼¾⅛⅜⅝⅞⅓⅔])|[½¼¾⅛⅜⅝⅞⅓⅔]|\d{1,2}/\d)"
)
def _to_a_measure(match: Match) -> str | None:
    """The dash in "5%-10%", "20°-25°C", "1/2-3/4 cup"."""
    before = match.string[max(0, match.start() - 24) : match.start()]
    if _UNIT_BEFORE.search(before) is None or (
        "/" in before[-4:] and match.string[match.end() + 1 : match.end() + 3].find("/") < 0
    ):
        return None
    return " to "


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
    rf"{_SIGN}(?<![\w.,])(?P<a>\d{{1,3}}|[1-9]\d{{0,2}}(?:\.\d{{3}}){{1,5}}+),(?P<b>\d{{1,2}})(?P<gap>\s?)(?P<unit>{_UNIT})(?!\w)",
    then="a%‰°℃℉",
)
def _measure_with_comma(match: Match) -> str | None:
    unit = UNITS[match["unit"]]
    if unit.needs in ("alone", "touching") and match["gap"]:
        return None
    return f"{SIGNS[match['sign']]}{number(match['a'].replace('.', '') + '.' + match['b'])} {unit.many}"


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


@rule(
    r"a-zA-Z",
    r"(?<![\w/])(?P<unit>km/h|m/s²|m/s|kWh|km²|cm²|mm²|m²|km³|cm³|m³|ft²|in²|mi²|mm³|ft³|in³|kg/m[³3]|g/cm[³3]|km/s|km/hr|mL/min|rad/s|W/m²)(?![\w/])",
)
def _bare_unit(match: Match) -> str | None:
    """A unit that can be nothing else, without a number: "in km/h", "per m²"."""
    unit = UNITS[match["unit"]]
    before = match.string[max(0, match.start() - 8) : match.start()].lower()
    return unit.one if re.search(r"\b(?:per|a|each|one|every) $", before) else unit.many


FIRST = (_measure_with_comma, _to_a_measure)
"""Before dates."""

RULES = (_per,)
"""After dates, before plain numbers."""

UNIT_RULES = (_product, _product_of_powers, _by, _measure, _bare_unit)
