"""Roman numerals in words: of rulers, parts, centuries, years and lists."""

from __future__ import annotations

import re

from tts_fm.text.abbreviations import BEFORE_A_NUMBER, LETTERED, NUMBERED, RULERS
from tts_fm.text.numbers import cardinal, ordinal, roman, year
from tts_fm.text.rules import Match, any_of, rule, starts_a_sentence
from tts_fm.text.tables import words


@rule("A-Z", rf"(?<!\w)(?P<name>{any_of(RULERS)}) (?P<n>[IVXL]{{1,7}})(?![\w.]\w|\w)")
def _ruler(match: Match) -> str | None:
    n = roman(match["n"])
    if n is None or match["n"] in "LCDM" or (match["n"] in "VX" and (_is_initial(match) or match[0] == "Malcolm X")):
        return None
    if n == 1 and (not _is_closed(match) or _is_initial(match)):
        return None
    return f"{match['name']} the {ordinal(n)}"


@rule(
    "A-Za-z",
    rf"(?<!\w)(?P<name>{any_of((*NUMBERED, *(name.upper() for name in NUMBERED)))}) (?P<n>[IVXLC]{{1,9}})(?!\w|\.\w|['’-]\w)",
)
def _numbered_part(match: Match) -> str | None:
    n = roman(match["n"])
    is_letter = len(match["n"]) == 1 and (
        (match["n"] in "LCDM" and match["name"].title() not in ("Super Bowl", "Psalm", "Canto"))
        or (match["n"] in "VX" and match["name"].title() in LETTERED)
    )
    if n is None or is_letter or (n == 1 and not match["name"].lower().endswith("war") and not _is_closed(match)):
        return None
    return f"{BEFORE_A_NUMBER.get(match['name'], match['name'])} {cardinal(n)}"


@rule("IVX", r"(?<![\w.])(?P<n>[IVX]{2,6})(?:st|nd|rd|th)?(?P<century> [Cc]entur(?:y|ies))(?!\w)")
def _roman_century(match: Match) -> str | None:
    n = roman(match["n"])
    return None if n is None else f"{ordinal(n)}{match['century']}"


def _is_initial(match: Match) -> bool:
    """Whether a dot and another name follow: "Robert I. Bouck"."""
    after = re.compile(r"\. (?P<word>[A-Z]\w*)").match(match.string, match.end())
    return after is not None and not starts_a_sentence(after["word"])


_FIRST_KINDS = (
    "errors?|diabetes|football|trials?|devices?|schools?|cancer|stud(?:y|ies)|reactions?|athletes?|collagen|drugs?"
)
"""What is of the first kind: "a Type I error"."""


def _is_closed(match: Match) -> bool:
    """Whether an "I" here cannot be the pronoun."""
    return (
        re.compile(rf"['’]s|[.,;:!?)\]]|$| (?:of|and|to|{_FIRST_KINDS})\b").match(match.string, match.end()) is not None
    )


# Years, lists and names

_SMALL = r"(?:x{0,3}(?:ix|iv|v?i{0,3}))"


@rule("M", r"(?<![\w.-])M[MDCLXVI]{4,14}(?![\w-])")
def _roman_year(match: Match) -> str | None:
    """ "MCMXCIV"."""
    n = roman(match[0])
    return year(n) if n is not None and 1000 < n < 2100 else None


@rule("IVX", r"(?<![\w.])(?P<n>[IVX]{2,6})(?:st|nd|rd|th)(?!\w)")
def _roman_ordinal(match: Match) -> str | None:
    n = roman(match["n"])
    return None if n is None else ordinal(n)


_PARTS = any_of([f"{name}s" for name in NUMBERED if name != "Mark"] + ["World Wars"])


@rule(
    "A-Za-z",
    rf"(?<!\w)(?P<names>{_PARTS}) (?P<a>[IVXL]{{1,7}})(?P<link>\s?[-–]\s?| to | and | or |, )(?P<b>[IVXL]{{1,7}})(?!\w|['’-]\w)",
)
def _numbered_parts(match: Match) -> str | None:
    """ "Parts I-III", "World Wars I and II"."""
    a, b = roman(match["a"]), roman(match["b"])
    link = " to " if match["link"].strip() in ("-", "–") else match["link"]
    return None if a is None or b is None else f"{match['names']} {cardinal(a)}{link}{cardinal(b)}"


_PART = "|".join(sorted(words("names", "part"), key=len, reverse=True))
_FIRST_NAME = any_of([*RULERS, *words("names", "first")])


@rule(
    "A-Za-z",
    rf"(?<![\w.])(?P<name>(?i:{_PART})\.?) (?P<a>(?=[ivx]{{2}}){_SMALL}|v|x)"
    rf"(?:\s?[-–]\s?(?P<b>(?=[ivx]){_SMALL}))?(?!\w|\.\w|['’-]\w)",
)
def _small_numeral(match: Match) -> str | None:
    """ "Scene ii", "pp. iv-xii"."""
    name = match["name"].rstrip(".")
    name = BEFORE_A_NUMBER.get(name, name) if "." in match["name"] or name == "pp" else name
    parts = [roman(match[part].upper()) for part in ("a", "b") if match[part]]
    return f"{name} {' to '.join(cardinal(part) for part in parts if part)}" if all(parts) else None


@rule("(", rf"\((?P<n>(?=[ivx]){_SMALL})\)")
def _listed_numeral(match: Match) -> str | None:
    """ "(i) ... (ii)": one letter alone only where others are near."""
    n = roman(match["n"].upper())
    around = match.string[max(0, match.start() - 300) : match.end() + 300]
    return f"({cardinal(n)})" if n and (len(match["n"]) > 1 or "(ii)" in around or "(iv)" in around) else None


@rule(
    "A-Z",
    rf"(?<!\w)(?P<name>{_FIRST_NAME}) (?P<last>[A-Z][a-z]{{2,20}}) (?P<n>I{{2,3}}|IV)(?!\w|['’-]\w|\.\w)",
)
def _heir(match: Match) -> str | None:
    """ "James Smith III" is the third of his name."""
    n = roman(match["n"])
    return None if n is None else f"{match['name']} {match['last']} the {ordinal(n)}"


@rule("A-Z", r"(?<![\w.])(?P<name>[A-Z][a-z]{2,20}) (?P<n>I{2,3}|VI{1,3}|XI{1,3}|XIV|XVI{0,3})(?![\w&/]|['’-]\w|\.\w)")
def _sequel(match: Match) -> str | None:
    """ "Grand Theft Auto III"."""
    n = roman(match["n"])
    return None if n is None or starts_a_sentence(match["name"]) else f"{match['name']} {cardinal(n)}"


RULES = (
    _ruler, _numbered_parts, _numbered_part, _small_numeral, _roman_century, _roman_ordinal, _roman_year, _listed_numeral, _heir,
    _sequel,
)  # fmt: skip
