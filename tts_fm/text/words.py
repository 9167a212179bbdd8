"""Abbreviations, initials, Roman numerals, addresses on the web and symbols in words."""

from __future__ import annotations

import re
from collections.abc import Collection

from tts_fm.text.abbreviations import (
    ANYWHERE,
    BEFORE_A_NAME,
    BEFORE_A_NUMBER,
    DOMAINS,
    LETTERED,
    NUMBERED,
    RULERS,
    STREETS,
    SYMBOLS,
    WORDLIKE_DOMAINS,
)  # fmt: skip
from tts_fm.text.numbers import cardinal, digits, ordinal, roman
from tts_fm.text.rules import Match, full_stop, previous_word, rule, starts_a_sentence

_URL_CHARACTERS = {
    ".": "dot", "@": "at", "/": "slash", "-": "dash", "_": "underscore", "+": "plus", "?": "question mark", "=": "equals",
    "&": "and", ":": "colon", "#": "hash", "%": "percent", "~": "tilde",
}  # fmt: skip


_ORNAMENTS = "=*_~#<>|+&@%^$"
_SYMBOLS = re.escape("".join(SYMBOLS))
_PICTOGRAMS = "\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\u20e3\ufffd\U0001f000-\U0001faff"


def _any(names: Collection[str]) -> str:
    return "|".join(sorted(map(re.escape, names), key=len, reverse=True))


# Addresses on the web


@rule(r"\w.+\-", r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}")
def _email(match: Match) -> str | None:
    return _address(match[0])


@rule("A-Za-z", r"(?<!\w)(?i:https?://|ftp://|www\.)[^\s<>\"]{0,2000}[\w/]")
def _web_address(match: Match) -> str | None:
    return _address(re.sub(r"^(?i:https?|ftp)://", "", match[0]).rstrip("/"))


@rule(
    r"A-Za-z\d",
    rf"(?<![\w@./-])(?:[A-Za-z0-9-]{{1,63}}\.){{1,4}}(?:{_any(DOMAINS)})(?!\w|-\w|\.\w)"
    r"(?:/(?:[^\s<>\"]{0,500}[\w/])?)?",
)
def _domain(match: Match) -> str | None:
    return _address(match[0].rstrip("/"))


def _address(address: str) -> str:
    words = []
    for part in re.findall(r"[^\W\d_]+|\d+|[\W_]", address):
        if part.isdecimal():
            words.append(cardinal(int(part)) if len(part) < 3 and part[0] != "0" else digits(part))
        elif part.lower() == "www":
            words.append("double u double u double u")
        elif part in DOMAINS and part not in WORDLIKE_DOMAINS and words[-1:] == ["dot"]:
            words.append(part.upper())
        else:
            words.append(_URL_CHARACTERS.get(part, part if part.isalpha() else ""))
    return " ".join(filter(None, words))


# Abbreviations and initials

_SAYING = frozenset(
    "said say says saying answer answered answers is was reply replied replies me told shouted whispered voted thought think "
    "means meant him her them us and or a an oh cried but still simply just".split()
)
"""Behind these, "no." ends a sentence."""


@rule("A-Z", rf"(?<![\w.])(?P<name>{_any(STREETS)})(?!\w)\.?")
def _street(match: Match) -> str | None:
    """Of "Baker St." and "5th Ave.", but not "At St. Mary's" or "Bury St. Edmunds"."""
    before = previous_word(match)
    is_street = re.fullmatch(r"[A-Z][a-z]+|\d+(?:st|nd|rd|th)", before) is not None and not starts_a_sentence(before)
    after = re.compile(r" (?P<word>[A-Z]\w*)").match(match.string, match.end())
    is_title = match["name"] in BEFORE_A_NAME and after is not None and not starts_a_sentence(after["word"])
    if not is_street or (is_title and (match["name"] == "Dr" or (match[0][-1] == "." and before[0].isalpha()))):
        return None
    return STREETS[match["name"]] + (full_stop(match) if match[0].endswith(".") else "")


@rule("A-Z", rf"(?<![\w.])(?P<name>{_any(BEFORE_A_NAME)})(?:\.\s?|\s)(?=[A-Z]|and [A-Z]|& [A-Z])")
def _title(match: Match) -> str | None:
    is_dotted = "." in match[0]
    if not is_dotted and match["name"] not in ("Mr", "Mrs", "Ms", "Dr", "Prof", "St", "Mt"):
        return None
    return BEFORE_A_NAME[match["name"]] + " "


@rule("A-Za-z", rf"(?<![\w.])(?P<name>{_any(BEFORE_A_NUMBER)})\.\s?(?=[\dIVXLC])")
def _numbered(match: Match) -> str | None:
    if match["name"] == "no" and (previous_word(match).lower() in _SAYING or match.start() == 0):
        return None
    words = BEFORE_A_NUMBER[match["name"]]
    return (words.capitalize() if match[0][0].isupper() else words) + " "


@rule("A-Za-z", rf"(?<![\w.])(?P<name>{_any(ANYWHERE)})(?!\w)(?P<dot>\.?)")
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


@rule("A-Z", rf"(?<!\w)(?P<name>{_any(RULERS)}) (?P<n>[IVXL]{{1,7}})(?![\w.]\w|\w)")
def _ruler(match: Match) -> str | None:
    n = roman(match["n"])
    if n is None or match["n"] in "LCDM" or (match["n"] in "VX" and (_is_initial(match) or match[0] == "Malcolm X")):
        return None
    if n == 1 and (not _is_closed(match) or _is_initial(match)):
        return None
    return f"{match['name']} the {ordinal(n)}"


@rule("A-Za-z", rf"(?<!\w)(?P<name>{_any(NUMBERED)}) (?P<n>[IVXLC]{{1,9}})(?!\w|\.\w|['’-]\w)")
def _numbered_part(match: Match) -> str | None:
    n = roman(match["n"])
    is_letter = len(match["n"]) == 1 and (
        (match["n"] in "LCDM" and match["name"] not in ("Super Bowl", "Psalm", "Canto"))
        or (match["n"] in "VX" and match["name"] in LETTERED)
    )
    if n is None or is_letter or (n == 1 and not match["name"].endswith("War") and not _is_closed(match)):
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


def _is_closed(match: Match) -> bool:
    """Whether an "I" here can not be the pronoun."""
    return re.compile(r"['’]s|[.,;:!?)\]]|$| (?:of|and|to)\b").match(match.string, match.end()) is not None


# Symbols


@rule(":;=", r"(?<!\S)[:;=]['’]?-?[()DPp|/\\*](?!\S)")
def _emoticon(match: Match) -> str | None:
    return ""


@rule(_ORNAMENTS, "|".join(rf"{re.escape(character)}{{3,80}}" for character in _ORNAMENTS))
def _ornament(match: Match) -> str | None:
    return ""


@rule("A-G", r"(?<!\w)(?P<note>[A-G])#(?!\w)")
def _sharp(match: Match) -> str | None:
    return f"{match['note']} sharp"


@rule("#", r"#(?=\w)")
def _hash_sign(match: Match) -> str | None:
    return "number " if match.string[match.end()].isdecimal() else "hashtag "


@rule("abcwnCN", r"(?<!\w)(?P<word>and/or|w/o|w/|b/c|[Cc]/o|[Nn]/[Aa])(?!\w)|(?<=w/)(?!.)")
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


ADDRESSES = (_email, _web_address, _domain)
ABBREVIATIONS = (
    _slashed, _street, _title, _numbered, _abbreviation, _ruler, _numbered_part, _roman_century, _initials, _initial,
    _plural_acronym,
)  # fmt: skip
SIGNS = (_emoticon, _ornament, _sharp, _hash_sign, _minus, _symbol, _pictogram)
