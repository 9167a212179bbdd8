"""Mathematics in words: equations, terms, functions, powers, Greek letters and signs."""

from __future__ import annotations

import re

from tts_fm.text.numbers import NUMBER, cardinal, number, ungrouped
from tts_fm.text.rules import Match, previous_word, rule, starts_a_sentence
from tts_fm.text.tables import rows

_SIGN_NAMES = {sign: name for sign, name in rows("symbols")}
_OPERATORS = [sign for sign in _SIGN_NAMES if sign.isascii()]
_LETTERS = "".join(sign for sign in _SIGN_NAMES if len(sign) == 1)
_RELATION = re.compile(r"[=<>≤≥≠≈]")
_TERMS = r"(?:(?<![A-Za-z])[A-Za-z]{1,2}(?![A-Za-z])|[\d\s.,+\-−–*/×÷=<>≤≥≠≈()^%√πⁿ⁰¹²³⁴-⁹])"
_BEFORE, _AFTER = re.compile(rf"{_TERMS}{{0,60}}$"), re.compile(rf"{_TERMS}{{0,60}}")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹ⁿˣʸⁱᵏᵐᵃᵇᵗ", "0123456789nxyikmabt")
_POWERS = {"2": " squared", "3": " cubed"}
_FUNCTIONS = {
    "sin": "sine", "cos": "cosine", "tan": "tangent", "log": "log", "ln": "natural log", "exp": "exponential",
    "sqrt": "square root", "abs": "absolute value", "lim": "limit", "max": "maximum", "min": "minimum",
}  # fmt: skip
_OPERAND = re.compile(r"(?:(?<![A-Za-z])[A-Za-z]{1,2}|\d[a-z]?|[)%²³])$")
_NEXT_OPERAND = re.compile(r"[\d(√π.]|[A-Za-z]{1,2}(?![A-Za-z])")
_LAST_TERM, _NEXT_TERM = re.compile(r"(?<![\w.])\d{0,6}[a-z]$|²$"), re.compile(r"\d{1,6}[a-z]{0,2}(?!\w)|[a-z](?!\w)")
_VARIABLE = re.compile(r"(?<![\w.'’])[xyznk]$")
_ROOMY = r"\d{1,12}(?:\.\d{1,6})?"


def is_in_equation(match: Match) -> bool:
    """Whether the numbers, single letters and signs around have an equals sign or the like among them."""
    if _RELATION.search(match.string, max(0, match.start() - 60), match.end() + 60) is None:
        return False
    before = _BEFORE.search(match.string[max(0, match.start() - 60) : match.start()])
    after = _AFTER.match(match.string[match.end() : match.end() + 60])
    return any(token is not None and _RELATION.search(token[0]) for token in (before, after))


@rule(r"\s\-−–", r"(?<=[\w)%²³])(?P<gap>\s?)[-−–](?P<after>\s?)(?=[\w(√π.])")
def _minus(match: Match) -> str | None:
    """Between numbers and single letters of an equation; "x - 1", "3x - 2" and "n-1" without one, too."""
    last = match.string[match.start() - 1]
    if not is_in_equation(match):
        if last.isdecimal():
            return None
        follows = _NEXT_TERM.match(match.string, match.end()) is not None
        behind = match.string[max(0, match.start() - 8) : match.start()]
        if match["gap"] and match["after"]:
            return " minus " if follows and _LAST_TERM.search(behind) else None
        is_variable = "–" not in match[0] and not match["gap"] and _VARIABLE.search(behind) is not None
        return " minus " if is_variable and follows else None
    is_between = _OPERAND.search(match.string[max(0, match.start() - 12) : match.start()]) and _NEXT_OPERAND.match(
        match.string, match.end()
    )
    return " minus " if is_between else None


@rule(r"\d", rf"(?<![\w.,/])(?P<a>{NUMBER})\s?/\s?(?P<b>{NUMBER})(?![\w/]|\s?/\s?\d)", then="/")
def _quotient(match: Match) -> str | None:
    """ "10 / 2 = 5" is divided by; "1/2 + 1/4 = 3/4" are fractions."""
    a, b = float(ungrouped(match["a"])), float(ungrouped(match["b"]))
    is_fraction = " / " not in match[0] and a < b <= 100 and a >= 1
    if is_fraction or not (" / " in match[0] or is_in_equation(match)):
        return None
    return f"{number(match['a'])} divided by {number(match['b'])}"


@rule("a-zA-Z)", r"(?<![\w/])(?P<a>d?[A-Za-z]|\([a-z\d+\- ]{1,20}\))\s?/\s?(?=(?:d?[A-Za-z](?![\w/])|\d|\())")
def _over(match: Match) -> str | None:
    """ "x/y = 2" and "dy/dx"; "a/b" alone is a choice."""
    is_derivative = match["a"][0] == "d" and len(match["a"]) == 2
    return f"{match['a']} over " if is_derivative or is_in_equation(match) else None


@rule(
    r"\d",
    rf"(?<![\w.,])(?P<n>{_ROOMY})(?P<letter>[xyzn])(?=\s?(?:[+=^²³)<>≤≥]|\*\*)|\s[-−*/]\s|[⁰-⁹])(?!\s?\+\s?x)",
    then="a",
)
def _term(match: Match) -> str | None:
    return f"{number(match['n'])} {match['letter']}"


@rule(
    r"\d",
    rf"(?<=[=+(]|[-−])(?P<n>{_ROOMY})(?P<letter>[xyzn])(?!\w)|(?<=[=+\-−] )(?P<m>\d{{1,9}})(?P<last>[xyzn])(?!\w)",
    then="a",
)
def _last_term(match: Match) -> str | None:
    before = match.string[max(0, match.start() - 3) : match.start()]
    if (
        before.rstrip()[-1:] in "-−"
        and _RELATION.search(match.string[max(0, match.start() - 30) : match.end() + 30]) is None
    ):
        return None
    return f"{number(match['n'] or match['m'])} {match['letter'] or match['last']}"


@rule(
    "a-zFG",
    rf"(?<!\w)(?P<f>[fghFG]|{'|'.join(_FUNCTIONS)})\((?P<x>[a-zθ]|-?\d{{1,6}}(?:\.\d{{1,4}})?|[a-z]\s?[+\-,]\s?(?:[a-z]|\d{{1,4}}))\)",
)
def _function(match: Match) -> str | None:
    argument = re.sub(r"\s?\+\s?", " plus ", re.sub(r"(?<=[a-z])\s?-\s?", " minus ", match["x"]))
    argument = re.sub(r"\d+(?:\.\d+)?", lambda n: number(n[0]), argument.replace("-", "minus ").replace("θ", "theta"))
    return f"{_FUNCTIONS.get(match['f'], match['f'])} of {argument}"


@rule(r"|", r"(?<![\w|])\|(?P<x>[a-z]|-?\d{1,6}|[a-z]\s?[+\-]\s?(?:[a-z]|\d{1,4}))\|(?![\w|])")
def _absolute(match: Match) -> str | None:
    inside = re.sub(r"\d+", lambda n: number(n[0]), match["x"].replace("-", " minus ").replace("+", " plus "))
    return f"absolute value of {' '.join(inside.split())}"


@rule(r"\d", r"(?<![\w.,])(?P<n>\d{1,6})!(?=\s?[=+*/])", then="!")
def _factorial(match: Match) -> str | None:
    return f"{number(match['n'])} factorial"


@rule(
    "<>!=+\\-:*",
    "|".join(re.escape(sign) for sign in sorted(_OPERATORS, key=len, reverse=True) if sign != "**")
    + r"|(?<=[\w)])\*\*(?=[\w(])",
)
def _operator(match: Match) -> str | None:
    if match[0] == ":=" and match.string[match.start() - 1 : match.start()] != " ":
        return None
    return f" {_SIGN_NAMES[match[0]]} "


@rule(r"\s*", r"(?<=[\d)])\s?\*\s?(?=[\d(a-z])|(?<=\b[a-z])\s?\*\s(?=[a-z\d]\b)")
def _times(match: Match) -> str | None:
    return " times "


@rule(_LETTERS, f"[{_LETTERS}](?![\u0370-\u03ff])")
def _letter(match: Match) -> str | None:
    """One Greek letter or sign; a Greek word is another script."""
    before, after = match.string[max(0, match.start() - 1) : match.start()], match.string[match.end() : match.end() + 1]
    if "\u0370" <= before <= "\u03ff":
        return None
    name = _SIGN_NAMES[match[0]]
    return f"{'-' if before.isalpha() else ''}{name}{'-' if after.isalpha() else ''}"


@rule("⁺⁻⁰¹²³⁴-⁹ⁿˣʸⁱᵏᵐᵃᵇᵗ", r"[⁺⁻]?(?:[⁰¹²³⁴-⁹]{1,6}|[ⁿˣʸⁱᵏᵐᵃᵇᵗ])[⁺⁻]?|[⁺⁻]")
def _superscript(match: Match) -> str | None:
    """A power behind a number, a letter or a bracket; a charge behind an atom; behind a word the number of a footnote."""
    before = match.string[max(0, match.start() - 40) : match.start()]
    plain = match[0].translate(_SUPERSCRIPTS)
    if match[0][-1] in "⁺⁻":
        charge = "plus" if match[0][-1] == "⁺" else "minus"
        return f" {number(plain[:-1])} {charge}" if plain[:-1].isdecimal() else f" {charge}"
    if not before.strip() or before[-1:].isspace():  # an isotope: ¹⁴C
        return (
            f"{number(plain)} " if plain.isdecimal() and match.string[match.end() : match.end() + 1].isupper() else ""
        )
    if plain in _POWERS and re.search(r"(?<![^\W\d_])[^\W\d_]{1,2}$|\d$|\([^()]{1,30}[+\-−*/^ ][^()]{0,30}\)$", before):
        return _POWERS[plain]
    is_bracket = re.search(r"\([^()]{0,30}[+\-−*/^][^()]{0,30}\)$", before) is not None
    if not is_bracket and re.search(r"[^\W\d_]{3}$|[.,;:!?\"'”’)\]]$", before) and not match[0].startswith("⁻"):
        return ""
    sign = {"⁻": "minus ", "⁺": "plus "}.get(match[0][0], "")
    power = plain.lstrip("⁺⁻")
    return f" to the power of {sign}{number(power) if power.isdecimal() else power}"


@rule(r"\^", r"(?<=\w)\^(?P<n>\d)?(?P<sign>[-+−])(?![\w.])")
def _charge(match: Match) -> str | None:
    """ "SO4^2-"."""
    return f" {cardinal(int(match['n'])) + ' ' if match['n'] else ''}{'plus' if match['sign'] == '+' else 'minus'}"


@rule(r"A-Z", r"(?<![\w-])(?P<atom>Cl|Br|OH|F|I|NO3|HCO3|CN)[-−⁻](?![\w-])")
def _ion(match: Match) -> str | None:
    name = re.sub(r"\d", lambda n: f"-{cardinal(int(n[0]))}", match["atom"])
    return f"{' '.join(name) if match['atom'] == 'OH' else name} minus"


@rule("a-z", r"(?<!\w)(?P<f>sin|cos|tan|log|ln|exp|sqrt) (?=\d|[θαβφxy](?!\w))")
def _function_of(match: Match) -> str | None:
    """ "sin 30°"."""
    return f"{_FUNCTIONS[match['f']]} "


@rule(r"\d", r"(?<![\w.,/])(?P<n>\d)/(?P<x>[xyzn])(?![\w/])", then="/")
def _reciprocal(match: Match) -> str | None:
    return f"{number(match['n'])} over {match['x']}"


@rule("·*", r"(?<=(?<!\w)[a-z\d])[·*](?=[a-z\d](?!\w))")
def _dot(match: Match) -> str | None:
    """ "a·b"."""
    return " times "


@rule(r"\^", r"(?<=[\w)])\^(?P<n>[23])(?![\d.])")
def _square(match: Match) -> str | None:
    return _POWERS[match["n"]]


@rule(
    r"\d", rf"(?<![\w:.,])(?P<x>{NUMBER})(?: : |:)(?P<y>{NUMBER})(?:(?: : |:)(?P<z>{NUMBER}))?(?![\w:]|\.\d)", then=":"
)
def _long_ratio(match: Match) -> str | None:
    """ "1:2:3", "2.5:1", "1:1,000" and "1 : 2"; what is left are verses and times."""
    parts = [part for part in (match["x"], match["y"], match["z"]) if part is not None]
    is_plain = len(parts) == 2 and all(part.isdecimal() for part in parts) and " : " not in match[0]
    is_time = len(parts) == 3 and all(re.fullmatch(r"[0-5]\d", part) for part in parts[1:])
    return None if is_plain or is_time else " to ".join(map(number, parts))


@rule(r"\d", r"(?<![\w:.,])(?P<a>\d{1,4}):(?P<b>\d{1,6})(?:[-–](?P<to>\d{1,3}))?(?![\w:–-]|\.\d)", then=":")
def _ratio(match: Match) -> str | None:
    """ "16:9"; "Psalm 23:1-3" are verses."""
    book = previous_word(match)
    is_verse = re.fullmatch(r"[A-Z][a-z]+", book) is not None and not starts_a_sentence(book)
    if match["to"] is not None and not is_verse:
        return None
    until = "" if match["to"] is None else f" to {cardinal(int(match['to']))}"
    return f"{cardinal(int(match['a']))} {'' if is_verse else 'to '}{cardinal(int(match['b']))}{until}"


@rule("#", r"(?<!\S)#{1,6}\s")
def _heading(match: Match) -> str | None:
    return "" if not previous_word(match).isupper() else None


FIRST = (
    _quotient,
    _over,
    _minus,
    _term,
    _last_term,
    _function,
    _absolute,
    _factorial,
    _function_of,
    _reciprocal,
    _dot,
    _ion,
    _operator,
)
"""Before dates and abbreviations."""

RULES = (_times, _charge, _square, _superscript, _long_ratio, _ratio)
"""After dates, before plain numbers."""

LAST = (_letter, _heading)
