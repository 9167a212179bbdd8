"""Figures that are no plain numbers: telephone and card numbers, money in other forms, inches, mathematics."""

from __future__ import annotations

import re

from tts_fm.text.numbers import cardinal, digits, number
from tts_fm.text.rules import Match, full_stop, next_word, previous_word, rule
from tts_fm.text.tables import rows
from tts_fm.text.units import CURRENCIES, UNITS

_NUMBER = r"(?>\d{1,3}(?:,\d{3}){1,6}+(?!\d)(?:\.\d{1,9}+)?|\d{1,15}+(?:\.\d{1,9}+)?)(?!\d)"
_SIGN_NAMES = {sign: name for sign, name in rows("symbols")}
_OPERATORS = [sign for sign in _SIGN_NAMES if sign.isascii()]
_LETTERS = "".join(sign for sign in _SIGN_NAMES if len(sign) == 1)
_COMPASS = {"N": "north", "S": "south", "E": "east", "W": "west"}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_IS_EQUATION = r"(?=(?:\s?[-−+*/×÷]\s?\(?\d{1,15}(?:\.\d{1,9})?\)?){0,5}\s?=(?!\w))"
_STATES = (
    "A[LKZR]|C[AOT]|DE|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[TA]|W[AVIY]|DC"
)


# Numbers that name something: digit by digit


def _groups(text: str) -> str:
    return ", ".join(digits(group) for group in re.findall(r"\d+", text))


@rule(
    r"\d(+",
    r"(?<![\w.(+-])(?:\d{3}[ -]\d{4}[ -]\d{4}|0\d{2,4}[ -]\d{3,4}[ -]?\d{3,4}|\(0\d{2,4}\) ?\d{3,4}[ -]?\d{3,4}|"
    r"0\d{9,10})(?![\w-]|[.,]\d)|"
    r"(?<![\w.])\+\d{1,3}(?:[ .-]?\(?\d{1,8}\)?){1,5}(?!\w|-\d|[.,]\d)",
)
def _telephone(match: Match) -> str | None:
    n_digits = sum(character.isdecimal() for character in match[0])
    if not 9 <= n_digits <= 15 and not (match[0][0] == "+" and " " in match[0] and n_digits >= 8):
        return None
    return ("plus " if match[0].startswith("+") else "") + _groups(match[0])


@rule(
    r"\d",
    r"(?<![\w.,$£€-])(?:\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{3,4}|\d{4}[ -]\d{6}[ -]\d{5}|\d{3}-\d{2}-\d{4})(?![\w-]|[.,]\d)",
)
def _card(match: Match) -> str | None:
    """Sixteen digits, the fifteen of American Express, or a social security number."""
    return _groups(match[0])


@rule(
    "cdprCDPR",
    r"(?<!\w)(?P<verb>[Cc]all(?:ed|ing)?|[Dd]ial(?:ed|led|ing)?|[Pp]hone[d]?|[Rr]ing|[Rr]ang) "
    r"(?P<n>[1-9]\d\d)(?![\w%]|[-.,:/]\d| [a-z]+s\b)",
)
def _emergency(match: Match) -> str | None:
    is_line = match["n"] in ("911", "999", "112", "988", "000", "111", "101", "411", "311", "211", "811", "110", "119")
    return f"{match['verb']} {digits(match['n'])}" if is_line else None


@rule(
    "A-Za-z",
    r"(?<!\w)(?P<name>(?:PIN|ZIP|SSN|ISBN(?:-1[03])?|IMEI|IBAN|zip code|ZIP code|postcode|passcode|area code|password|"
    r"(?:[Aa]ccount|[Rr]outing|[Cc]ard|[Cc]onfirmation|[Tt]racking|[Oo]rder|[Pp]hone|[Ss]erial|[Ff]light) number)"
    r"(?: is|:| was)?) (?P<n>\d{2,12}(?:[- ]\d{1,12}){0,5})(?![\w%]|[.,]\d)",
)
def _named_number(match: Match) -> str | None:
    name = re.sub(r"^(ISBN)-(1[03])", lambda m: f"{m[1]} {cardinal(int(m[2]))}", match["name"])
    return f"{name} {_groups(match['n'])}"


@rule("A-Z", rf"(?<!\w)(?P<state>{_STATES}) (?P<zip>\d{{5}}(?:-\d{{4}})?)(?![\w-]|[.,]\d)")
def _zip(match: Match) -> str | None:
    return f"{match['state']} {_groups(match['zip'])}"


# Money with a decimal comma

_SYMBOL = "|".join(re.escape(symbol) for symbol in sorted(CURRENCIES, key=len, reverse=True))
_COMMA = r"\d{1,3}(?:[. ]\d{3}){0,4},\d\d(?!\d|[.,]\d)"


@rule(
    rf"\d{''.join(re.escape(symbol[0]) for symbol in CURRENCIES)}",
    rf"(?<![\w.,])(?:(?P<before>{_SYMBOL})\s?(?P<n>{_COMMA})|(?P<m>{_COMMA})\s?(?P<after>{_SYMBOL})(?!\w))",
)
def _decimal_comma(match: Match) -> str | None:
    """ "27,50 €" and "€1.234,56"."""
    one, many, cent, cents = CURRENCIES[match["before"] or match["after"]]
    whole, rest = re.sub(r"[. ]", "", match["n"] or match["m"]).split(",")
    words = f"{number(whole)} {one if whole == '1' else many}"
    return (
        words if not int(rest) or not cent else f"{words} and {cardinal(int(rest))} {cent if rest == '01' else cents}"
    )


@rule(
    r"\d",
    r"(?<![\w.,])(?P<a>\d{1,3}),(?P<b>\d{1,2})\s?(?P<unit>km|cm|mm|m|kg|g|mg|l|ml|%|°C|kW|kWh|MB|GB|TB)(?!\w)",
)
def _measure_with_comma(match: Match) -> str | None:
    return f"{number(match['a'] + '.' + match['b'])} {UNITS[match['unit']][1]}"


# What something costs for each


@rule(
    "/",
    r"(?<=[\w%.])/\s?(?P<unit>months?|mo|years?|yr|days?|weeks?|wk|hours?|hr|h|minutes?|min|seconds?|sec|s|nights?|persons?|people|"
    r"users?|lb|lbs|kg|g|oz|gal|gallon|miles?|mi|km|m|ft|sq ft|m²|m2|units?|items?|head|seats?|pages?|liters?|litres?|l|L|"
    r"GB|MB|kWh|kW|pound|ounce|word|game|match|set|cup|serving|student|child|room|piece|pc|each|ton|t)\b\.?(?![/\w])",
)
def _per(match: Match) -> str | None:
    before = match.string[max(0, match.start() - 40) : match.start()]
    if re.search(r"\d[\d.,]{0,15}[kKmMB]?(?:\s?[^\W\d_]{1,14}|\s?[°%])?$", before) is None:
        return None
    short = {
        "mo": "month",
        "yr": "year",
        "wk": "week",
        "s": "second",
        "mi": "mile",
        "pc": "piece",
        "people": "person",
        "persons": "person",
    }
    unit = match["unit"]
    name = short.get(unit) or (UNITS[unit][0] if unit in UNITS else unit.removesuffix("s"))
    dot = full_stop(match) if match[0].endswith(".") else ""
    return ("" if unit == "each" else " per") + f" {name}{dot}"


# Feet, inches, minutes of a degree


@rule(
    r"\d",
    r"(?<![\w.,/])(?P<feet>\d{1,3})\s?(?:ft\.?|feet|foot)\s(?P<inches>\d{1,2}(?:\.5)?)\s?(?:inches|inch|in\b\.?)(?!\w)",
)
def _feet_and_inches(match: Match) -> str | None:
    many = "inch" if match["inches"] == "1" else "inches"
    stop = full_stop(match) if match[0].endswith(".") else ""
    return (
        f"{number(match['feet'])} {'foot' if match['feet'] == '1' else 'feet'} {number(match['inches'])} {many}{stop}"
    )


@rule(r"\d", rf"(?<![\w.,/'])(?P<a>{_NUMBER})(?:[\"″”]|'')\s?(?:[x×]|by)\s?(?P<b>{_NUMBER})(?:[\"″”]|'')")
def _inches_by_inches(match: Match) -> str | None:
    return f"{number(match['a'])} by {number(match['b'])} inches"


@rule(r"\d", rf"(?<![\w.,/'\"“])(?P<n>{_NUMBER})(?:[\"″”]|'')(?!\w)")
def _inches(match: Match) -> str | None:
    """The mark closes a quotation where one is open: ``He said "I am 10".``"""
    before = match.string[max(0, match.start() - 400) : match.start()]
    mark = match[0][-1]
    is_open = before.count("“") > before.count("”") or (
        mark == '"' and re.sub(r'(?<=\d)"', "", before).count('"') % 2 == 1
    )
    if mark != "″" and is_open:
        return None
    is_adjective = (
        match.string[match.end() : match.end() + 1] == " "
        and next_word(match).islower()
        and (
            next_word(match)
            not in (
                "and",
                "or",
                "by",
                "of",
                "long",
                "wide",
                "tall",
                "high",
                "thick",
                "deep",
                "in",
                "to",
                "from",
                "at",
                "x",
            )
        )
    )
    return f"{number(match['n'])} {'inch' if match['n'] == '1' or is_adjective else 'inches'}"


@rule(
    r"\d",
    r"(?<![\w.,/'])(?P<n>\d{1,6})(?:′|['’](?=\s(?:tall|high|long|wide|deep|by|x)\b|\s?x\s?\d))(?!\w|\s?\d{1,2}[\"″])",
)
def _feet(match: Match) -> str | None:
    return f"{number(match['n'])} {'foot' if match['n'] == '1' else 'feet'}"


@rule(r"\d", r"(?<![\w.,/])(?P<n>\d{1,5}(?:\.\d{1,3})?) in\.(?=\s[a-z(]|[,;)])")
def _inches_written(match: Match) -> str | None:
    return f"{number(match['n'])} {'inch' if match['n'] == '1' else 'inches'}"


@rule(
    r"\d",
    r"(?<![\w.,])(?P<d>\d{1,3}(?:\.\d{1,9})?)\s?°\s?(?:(?P<m>\d{1,2}(?:\.\d{1,6})?)\s?['′’]\s?"
    r"(?:(?P<s>\d{1,2}(?:\.\d{1,6})?)\s?(?:[\"″”]|''|′′)\s?)?)?(?P<way>[NSEW](?!\w))?",
)
def _degrees(match: Match) -> str | None:
    if match["m"] is None and match["way"] is None:
        return None
    parts = ((match["d"], "degree"), (match["m"], "minute"), (match["s"], "second"))
    words = [
        f"{number(n)} {name}{'' if n in ('1', '01') else 's'}"
        for n, name in parts
        if n is not None and (n.strip("0") or name == "degree")
    ]
    return " ".join(
        [
            *(
                word.replace("zero ", "") if word.startswith("zero ") and word != "zero degrees" else word
                for word in words
            ),
            *filter(None, [_COMPASS.get(match["way"])]),
        ]
    )


# Mathematics


def _is_after_equals(match: Match) -> bool:
    return re.search(r"=\s?$", match.string[max(0, match.start() - 2) : match.start()]) is not None


@rule(
    r"\d",
    rf"(?<![\w.,])(?P<a>{_NUMBER})\s?(?P<sign>[-−–/])\s?(?P<b>{_NUMBER})(?:{_IS_EQUATION}|(?![\w/.,-]|\s?[-/]\s?\d))",
)
def _difference(match: Match) -> str | None:
    """ "10-2=8" and "10 / 2 = 5": minus and divided by, where an equals sign stands on either side."""
    is_equation = _is_after_equals(match) or re.compile(_IS_EQUATION).match(match.string, match.end()) is not None
    is_spaced_quotient = match["sign"] == "/" and " / " in match[0]
    if not is_equation and not is_spaced_quotient:
        return None
    return f"{number(match['a'])} {'divided by' if match['sign'] == '/' else 'minus'} {number(match['b'])}"


@rule(
    r"\d",
    r"(?<![\w.,])(?P<n>\d{1,9}(?:\.\d{1,6})?)(?P<letter>[xyzn])(?=\s?(?:[+=^²³)<>≤≥]|\*\*)|\s[-−*/]\s|[⁰-⁹])(?!\s?\+\s?x)",
)
def _term(match: Match) -> str | None:
    return f"{number(match['n'])} {match['letter']}"


@rule(
    r"\d",
    r"(?<=[=+(]|[-−])(?P<n>\d{1,9}(?:\.\d{1,6})?)(?P<letter>[xyzn])(?!\w)|(?<=[=+] )(?P<m>\d{1,9})(?P<last>[xyzn])(?!\w)",
)
def _last_term(match: Match) -> str | None:
    before = match.string[max(0, match.start() - 3) : match.start()]
    if before[-1:] in "-−" and "=" not in match.string[max(0, match.start() - 30) : match.end() + 30]:
        return None
    return f"{number(match['n'] or match['m'])} {match['letter'] or match['last']}"


@rule("fghFG", r"(?<!\w)(?P<f>[fghFG])\((?P<x>[a-z])\)(?=\s?[=+\-*/^]|\s?$|[,.;]|\s[a-z])")
def _function(match: Match) -> str | None:
    return f"{match['f']} of {match['x']}"


@rule("<>!=+\\-", "|".join(re.escape(sign) for sign in sorted(_OPERATORS, key=len, reverse=True)))
def _operator(match: Match) -> str | None:
    return f" {_SIGN_NAMES[match[0]]} "


@rule(r"\s*", r"(?<=[\d)])\s?\*\s?(?=[\d(])")
def _times(match: Match) -> str | None:
    return " times "


@rule(_LETTERS, f"[{_LETTERS}](?![\u0370-\u03ff])")
def _letter(match: Match) -> str | None:
    """One Greek letter or sign; a Greek word is another script."""
    before, after = match.string[max(0, match.start() - 1) : match.start()], match.string[match.end() : match.end() + 1]
    if "\u0370" <= before <= "\u03ff":
        return None
    return f"{'-' if before.isalnum() else ''}{_SIGN_NAMES[match[0]]}{'-' if after.isalnum() else ''}"


@rule("⁺⁻⁰¹²³⁴-⁹ⁿ", r"[⁺⁻]?[⁰¹²³⁴-⁹ⁿ]{1,6}")
def _superscript(match: Match) -> str | None:
    """A power behind a number or a single letter; behind a word the number of a footnote, which is not read."""
    before = match.string[max(0, match.start() - 2) : match.start()]
    if match[0] in "²³" and re.search(r"\w", before[-1:]):
        return " squared" if match[0] == "²" else " cubed"
    if re.search(r"[^\W\d_]{2}$|[.,;:!?\"'”’)]$", before):
        return ""
    sign = {"⁻": "minus ", "⁺": "plus "}.get(match[0][0], "")
    power = match[0].lstrip("⁺⁻").translate(_SUPERSCRIPTS)
    return f" to the power of {sign}{'n' if not power.isdecimal() else number(power)}"


@rule(r"\d", r"(?<![\w:.,])(?P<a>\d{1,4}):(?P<b>\d{1,4})(?![\w:]|\.\d)")
def _ratio(match: Match) -> str | None:
    return f"{cardinal(int(match['a']))} to {cardinal(int(match['b']))}"


@rule("~", r"~(?=/)")
def _home(match: Match) -> str | None:
    return "tilde"


@rule("#", r"(?<!\S)#{1,6}\s")
def _heading(match: Match) -> str | None:
    return "" if not previous_word(match).isupper() else None


FIRST = (
    _named_number, _zip, _emergency, _card, _telephone, _decimal_comma, _measure_with_comma, _difference, _term, _last_term,
    _function, _operator,
)  # fmt: skip
"""Before dates and abbreviations."""

RULES = (
    _per,
    _degrees,
    _feet_and_inches,
    _inches_by_inches,
    _inches,
    _feet,
    _inches_written,
    _times,
    _superscript,
    _home,
)
"""After dates, before plain numbers."""

LAST = (_letter, _heading, _ratio)
