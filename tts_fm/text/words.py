"""Abbreviations, initials, Roman numerals and symbols in words."""

from __future__ import annotations

import re

from tts_fm.text.abbreviations import ANYWHERE, BEFORE_A_NAME, BEFORE_A_NUMBER, LETTERED, NUMBERED, RULERS, SYMBOLS
from tts_fm.text.numbers import cardinal, number, ordinal, roman
from tts_fm.text.rules import Match, any_of, counts_things, full_stop, previous_word, rule, starts_a_sentence

_ORNAMENTS = "=*_~#<>|+&@%^$"
_SYMBOLS = re.escape("".join(SYMBOLS))
_PICTOGRAMS = "\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\u20e3\ufffd\U0001f000-\U0001faff"


# Abbreviations and initials

_SAYING = frozenset(
    "said say says saying answer answered answers is was reply replied replies me told shouted whispered voted thought think "
    "means meant him her them us and or an oh cried but still simply just vote votes voting shouts cries yelled yells insisted "
    "insists repeated repeats muttered screamed begged mean nodded shook signed wrote heard hear flat firmly clearly absolutely "
    "big loud firm clear resounding definite definitely certainly probably were be been".split()
)
"""Behind these, "no." ends a sentence."""
_NUMBERED_THINGS = frozenset(
    "room rooms bus symphony opus track chapter item line train tram route house flat apartment platform gate track issue lot "
    "exhibit question sonata concerto quartet prelude etude waltz nocturne chanel model part figure table rule law act "
    "bill order flight box seat page verse psalm lesson unit volume case docket patent contract invoice ticket".split()
)


@rule("A-Z", rf"(?<![\w.])(?P<name>{any_of(BEFORE_A_NAME)})(?:\.\s?|\s)(?=[A-Z]|and [A-Z]|& [A-Z])")
def _title(match: Match) -> str | None:
    is_dotted = "." in match[0]
    if not is_dotted and match["name"] not in ("Mr", "Mrs", "Ms", "Dr", "Prof", "St", "Mt"):
        return None
    return BEFORE_A_NAME[match["name"]] + " "


@rule(
    "A-Za-z",
    rf"(?<![\w.])(?P<name>{any_of(BEFORE_A_NUMBER)})\.\s?(?P<number>\d{{1,9}}|[IVXLC]{{2,9}}(?!\w)|[VX](?!\w)|"
    r"(?=[IVXLC]{2}))",
)
def _numbered(match: Match) -> str | None:
    """ "No. 5", but not "He said no. 5 people left.": there the number counts what follows."""
    if match["name"] in ("no", "No") and _is_refusal(match):
        return None
    words, n = BEFORE_A_NUMBER[match["name"]], match["number"]
    if n and not n.isdecimal():
        value = roman(n)
        n = n if value is None else cardinal(value)
    return f"{words.capitalize() if match[0][0].isupper() else words} {number(n) if n.isdecimal() else n}"


def _is_refusal(match: Match) -> bool:
    before = previous_word(match).lower()
    is_asked = re.search(r"\?[\"'”’]?\s?$", match.string[max(0, match.start() - 4) : match.start()]) is not None
    is_counting = bool(match["number"]) and match["number"] != "1" and counts_things(match)
    is_named = before in _NUMBERED_THINGS or (is_counting and before in ("the", "its", "their", "my", "our"))
    return is_asked or (before in _SAYING and match["name"] == "no") or (is_counting and not is_named)


@rule("A-Za-z", rf"(?<![\w.])(?P<name>{any_of(ANYWHERE)})(?!\w)(?P<dot>\.?)")
def _abbreviation(match: Match) -> str | None:
    words, needs_dot = ANYWHERE[match["name"]]
    if needs_dot and not match["dot"]:
        return None
    return words + (full_stop(match) if match["dot"] else "")


@rule("A-Za-z", r"(?<![\w.])(?P<letters>(?:[A-Za-z]\.){2,7}|(?:[A-Z]\. ){1,4}[A-Z]\.|Ph\.\s?D\.)(?!\w)")
def _initials(match: Match) -> str | None:
    """Joined as in "U.S." -> "US", apart as in "J.R.R. Tolkien" -> "J R R Tolkien"."""
    letters = re.sub(r"[.\s]", "", match[0])
    is_name = re.compile(r" [A-Z][a-z]").match(match.string, match.end()) is not None and not full_stop(match)
    is_country = letters.upper() in ("US", "UK", "EU", "USA", "UN", "USSR", "UAE")
    if letters.startswith("Ph"):
        return letters + full_stop(match)
    is_spaced = letters in ("BA", "MA", "LA") or " " in match[0] or (is_name and letters.isupper() and not is_country)
    return (" ".join(letters) if is_spaced else letters.upper()) + full_stop(match)


@rule("A-Z", r"(?<![\w.])[A-Z]\.(?= [A-Z][a-z])")
def _initial(match: Match) -> str | None:
    """In a name, "John F. Kennedy" -> "John F Kennedy", but a sentence may end in "Plan B."."""
    is_pronoun = match[0] == "I." and not previous_word(match)[:1].isupper()
    return None if full_stop(match) or is_pronoun else match[0][0]


@rule("A-Z", r"(?<![\w.])(?P<letters>[A-Z]{2,5})s(?!\w)")
def _plural_acronym(match: Match) -> str | None:
    return f"{match['letters']}'s"


# Roman numerals


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
    return f"{match['name']} {cardinal(n)}"


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


# Symbols


@rule(":;=", r"(?<!\S)[:;=]['’]?-?[()DPp|/\\*](?!\S)")
def _emoticon(match: Match) -> str | None:
    return ""


@rule(_ORNAMENTS, "|".join(rf"{re.escape(character)}{{3,80}}" for character in _ORNAMENTS))
def _ornament(match: Match) -> str | None:
    return ""


@rule("~", r"~(?=[a-z/])")
def _tilde(match: Match) -> str | None:
    return "tilde "


@rule("A-G", r"(?<!\w)(?P<note>[A-G])#(?!\w)")
def _sharp(match: Match) -> str | None:
    return f"{match['note']} sharp"


@rule("#", r"#(?=\w)")
def _hash_sign(match: Match) -> str | None:
    return "number " if match.string[match.end()].isdecimal() else "hashtag "


@rule("abcwnCN", r"(?<![\w/])(?P<word>and/or|w/o|w/|b/c|[Cc]/o|[Nn]/[Aa])(?![\w./])|(?<=w/)(?!.)")
def _slashed(match: Match) -> str | None:
    return {
        "and/or": "and or",
        "w/o": "without",
        "w/": "with",
        "b/c": "because",
        "c/o": "care of",
        "n/a": "not applicable",
    }.get((match["word"] or "").lower())


@rule(r"\s", r"(?<=\d) - (?=\d)")
def _minus(match: Match) -> str | None:
    return " minus "


@rule(_SYMBOLS, f"[{_SYMBOLS}]")
def _symbol(match: Match) -> str | None:
    return SYMBOLS[match[0]]


@rule(_PICTOGRAMS, f"[{_PICTOGRAMS}]{{1,1000}}")
def _pictogram(match: Match) -> str | None:
    return ""


ABBREVIATIONS = (
    _slashed, _title, _numbered, _abbreviation, _ruler, _numbered_part, _roman_century, _initials, _initial,
    _plural_acronym,
)  # fmt: skip
SIGNS = (_emoticon, _ornament, _tilde, _sharp, _hash_sign, _minus, _symbol, _pictogram)
