"""Abbreviations, initials, words with a slash and symbols in words."""

from __future__ import annotations

import re
from collections.abc import Collection

from tts_fm.text.abbreviations import ANYWHERE, BEFORE_A_NAME, BEFORE_A_NUMBER, BEFORE_A_YEAR, SYMBOLS
from tts_fm.text.numbers import cardinal, number, roman, year
from tts_fm.text.rules import Match, any_of, counts_things, full_stop, previous_word, rule
from tts_fm.text.tables import rows

_ORNAMENTS = "=*_~#<>|+&@%^$"
_SYMBOLS = re.escape("".join(SYMBOLS))


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


def _either_case(names: Collection[str]) -> str:
    """The pattern of ``names``, also in capitals, as headings have them."""
    return any_of({*names, *(name.upper() for name in names if len(name) > 1 and name.title() in names)})


@rule("A-Z", rf"(?<![\w.])(?P<name>{_either_case(BEFORE_A_NAME)})(?:\.\s?|\s)(?=[A-Z]|and [A-Z]|& [A-Z])")
def _title(match: Match) -> str | None:
    is_dotted, name = "." in match[0], match["name"] if match["name"] in BEFORE_A_NAME else match["name"].title()
    if not is_dotted and match["name"] not in ("Mr", "Mrs", "Ms", "Dr", "Prof", "St", "Mt"):
        return None
    return BEFORE_A_NAME[name] + " "


@rule(
    "A-Za-z",
    rf"(?<![\w.])(?P<name>{_either_case(BEFORE_A_NUMBER)})\.\s?"
    r"(?P<number>\d{1,9}(?:\s?[-–]\s?\d{1,9}(?![\w.,:/-]))?|[IVXLC]{2,9}(?!\w)|[VX](?!\w)|"
    r"(?=[IVXLC]{2}))",
)
def _numbered(match: Match) -> str | None:
    """ "No. 5", but not "He said no. 5 people left.": there the number counts what follows."""
    if match["name"] in ("no", "No") and _is_refusal(match):
        return None
    words, n = BEFORE_A_NUMBER.get(match["name"]) or BEFORE_A_NUMBER[match["name"].title()], match["number"]
    words = words.capitalize() if match[0][0].isupper() else words
    if re.fullmatch("[IVXLC]{1,9}", n):
        value = roman(n)
        return f"{words} {n if value is None else cardinal(value)}"
    return f"{words} {' to '.join(map(number, re.findall('[0-9]+', n)))}".rstrip() + (" " if not n else "")


@rule(
    "A-Za-z",
    rf"(?<![\w.])(?P<name>{any_of(BEFORE_A_YEAR)})\.\s?(?P<a>[1-9]\d{{2,3}})(?:\s?[-–]\s?(?P<b>\d{{2,4}}))?(?![\w%]|[.,:/-]\d)",
)
def _before_a_year(match: Match) -> str | None:
    """ "b. 1950" and "c. 1850-60"."""
    if counts_things(match):
        return None
    years = [year(int(part)) for part in (match["a"], match["b"]) if part is not None]
    return f"{BEFORE_A_YEAR[match['name']]} {' to '.join(years)}"


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


# Symbols


@rule(_ORNAMENTS, "|".join(rf"{re.escape(character)}{{3,80}}" for character in _ORNAMENTS))
def _ornament(match: Match) -> str | None:
    return ""


@rule("~", r"~(?=[a-z/])")
def _tilde(match: Match) -> str | None:
    return "tilde "


@rule("A-G", r"(?<!\w)(?P<note>[A-G])#(?!\w)")
def _sharp(match: Match) -> str | None:
    return f"{match['note']} sharp"


@rule("#", r"#(?P<tag>\d{0,4}[A-Za-z]\w{0,100})|#(?=\w)")
def _hash_sign(match: Match) -> str | None:
    """ "#1" is a number; words of a hashtag begin with capitals: "#MeToo"."""
    if match["tag"] is None:
        return "number " if match.string[match.end()].isdecimal() else "hashtag "
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=\d)(?=[A-Z])|_", " ", match["tag"])
    return "hashtag " + re.sub(r"\d+", lambda n: f" {number(n[0])} ", words).strip()


@rule("&", r"&c\b\.?")
def _and_so_on(match: Match) -> str | None:
    return "et cetera" + full_stop(match)


@rule("§", r"§{2,3}\s?")
def _sections(match: Match) -> str | None:
    return "sections "


_SLASHED = {written: read for written, read in rows("slashed")}
_WHOLE = "|".join(sorted(map(re.escape, _SLASHED.keys() - {"w/"}), key=len, reverse=True))


@rule(r"A-Za-z(\d", rf"(?<![\w/])(?i:{_WHOLE})(?![\w/]|\.\w)|(?<![\w/])w/(?!/|\w\b)", then="/")
def _slashed(match: Match) -> str | None:
    written = match[0]
    read = _SLASHED.get(written)
    if read is not None or written.lower() not in _SLASHED:
        return read
    read = _SLASHED[written.lower()]
    return read[0].upper() + read[1:] if written[0].isupper() else read


@rule("A-Z", r"(?<![\w/])(?P<name>[A-Z]{2,5})/(?=\d)")
def _slash_before_a_number(match: Match) -> str | None:
    """ "HTTP/2"."""
    return f"{match['name']} "


@rule(r"\s", r"(?<=\d) - (?=\d)")
def _minus(match: Match) -> str | None:
    return " minus "


@rule(_SYMBOLS, f"[{_SYMBOLS}]")
def _symbol(match: Match) -> str | None:
    """Behind a mark there is no gap of its own: "a./b"."""
    name = SYMBOLS[match[0]]
    is_behind_a_mark = name.strip() and match.string[match.start() - 1 : match.start()] in (*".,;:",)
    return f" {name}" if is_behind_a_mark else name


ABBREVIATIONS = (
    _slashed, _slash_before_a_number, _title, _before_a_year, _numbered, _abbreviation, _initials, _initial, _plural_acronym,
)  # fmt: skip
SIGNS = (_and_so_on, _sections, _ornament, _tilde, _sharp, _hash_sign, _minus, _symbol)
