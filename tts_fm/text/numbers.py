"""Numbers in English words: cardinals, ordinals, years, decimals, digits, fractions, Roman numerals."""

from __future__ import annotations

import re
from functools import cache

_SCALES = ("", "thousand", "million", "billion", "trillion")
_MAX_DIGITS = 3 * len(_SCALES)
NUMBER = (
    r"(?>\d{1,3}(?: \d{3}){1,5}(?<= 000)(?! ?\d)|\d{1,3}(?:['’]\d{3}){1,5}(?!\d)|"
    r"\d{1,2}(?:,\d\d(?=,)){1,5}+,\d{3}(?!\d)(?:\.\d{1,40}+)?|\d{1,3}(?:,\d{3}){1,6}+(?!\d)(?:\.\d{1,40}+)?|"
    r"\d{1,40}+(?:\.\d{1,40}+)?|\.\d{1,40}+)(?!\d)"
)
"""The pattern of a written number: 1,234.5 and 12,34,567, 0.5 and .5; 1'000; with spaces only where it is round: 25 000."""
_ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


@cache
def _below_thousand(n: int, kind: str) -> str:
    from num2words import num2words

    return num2words(n, to=kind).replace(" and ", " ")


def cardinal(n: int) -> str:
    """1234 -> "one thousand two hundred thirty-four"; ``0 <= n < 10**15``."""
    if n < 1000:
        return _below_thousand(n, "cardinal")
    words = []
    for scale in _SCALES:
        n, group = divmod(n, 1000)
        if group:
            words.append(f"{_below_thousand(group, 'cardinal')} {scale}".rstrip())
    return " ".join(reversed(words))


def ordinal(n: int) -> str:
    """21 -> "twenty-first"; 1000 -> "one thousandth"."""
    tail = n % 1000
    if n == tail:
        return _below_thousand(n, "ordinal")
    return f"{cardinal(n - tail)} {_below_thousand(tail, 'ordinal')}" if tail else cardinal(n) + "th"


def year(n: int) -> str:
    """1905 -> "nineteen oh five"; 2005 -> "two thousand five"; 2024 -> "twenty twenty-four"."""
    century, rest = divmod(n, 100)
    if n < 1000 or n > 9999 or n % 1000 < 10:
        return cardinal(n)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} oh {cardinal(rest)}" if rest < 10 else f"{cardinal(century)} {cardinal(rest)}"


def plural(words: str) -> str:
    """The plural of the last word: "ninety" -> "nineties", "half" -> "halves", "sixth" -> "sixths"."""
    if words.endswith("half"):
        return words[:-1] + "ves"
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith(("x", "s")) else "s")


def digits(text: str) -> str:
    """Every decimal digit by its name: "007" -> "zero zero seven"; other characters are passed over."""
    return " ".join(cardinal(int(digit)) for digit in text if digit.isdecimal())


def number(text: str) -> str:
    """An unsigned written number: "1,234.5" -> "one thousand two hundred thirty-four point five".

    A leading zero, or more than 15 digits, is read digit by digit.
    """
    whole, _, decimals = ungrouped(text).partition(".")
    is_digit_string = len(whole) > _MAX_DIGITS or (len(whole) > 1 and whole[0] == "0")
    words = [digits(whole) if is_digit_string else cardinal(int(whole))] if whole else []
    if decimals:
        words += ["point", digits(decimals)]
    return " ".join(words)


def ungrouped(text: str) -> str:
    """A written number without what parts its thousands."""
    return re.sub("[, '’]", "", text)


def fraction(numerator: int, denominator: int) -> str:
    """3, 4 -> "three quarters"."""
    part = {2: "half", 4: "quarter"}.get(denominator)
    if part is None:
        part = ordinal(denominator)
    return f"{cardinal(numerator)} {part if numerator == 1 else plural(part)}"


def roman(text: str) -> int | None:
    """The value of a well-formed Roman numeral (upper case), or None."""
    if not text or _ROMAN.fullmatch(text) is None:
        return None
    values = [_ROMAN_VALUES[letter] for letter in text]
    following = [*values[1:], 0]
    return sum(-value if value < after else value for value, after in zip(values, following, strict=True))
