"""Addresses in words: on the web, of files, of houses."""

from __future__ import annotations

import re
from ipaddress import IPv6Address

from tts_fm.text.abbreviations import (
    BEFORE_A_DIGIT,
    BEFORE_A_NAME,
    DIRECTIONS,
    DOMAINS,
    OLD_STATES,
    PLACES,
    STATES_ALONE,
    STREETS,
    WORDLIKE_DOMAINS,
)
from tts_fm.text.numbers import cardinal, digits, ordinal, year
from tts_fm.text.rules import Match, any_of, full_stop, previous_word, rule, starts_a_sentence

_URL_CHARACTERS = {
    ".": "dot", "@": "at", "/": "slash", "-": "dash", "_": "underscore", "+": "plus", "?": "question mark", "=": "equals",
    "&": "and", ":": "colon", "#": "hash", "%": "percent", "~": "tilde", "\\": "backslash",
    "*": "star",
}  # fmt: skip


# The web


@rule(
    r"\w.+\-",
    r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}(?::(?=[\w~])[\w./~-]{1,200}[\w/])?",
)
def _email(match: Match) -> str | None:
    return _address(match[0])


@rule("A-Za-z", r"(?<!\w)(?i:[a-z][a-z0-9+.-]{1,20}://|www\.)[^\s<>\"]{0,2000}[\w/]")
def _web_address(match: Match) -> str | None:
    return _address(re.sub(r"^(?i:https?|ftp)://", "", match[0]).rstrip("/"))


@rule(
    r"A-Za-z\d",
    rf"(?<![\w@./-])(?:(?:[A-Za-z0-9-]{{1,63}}\.){{1,4}}(?:{any_of(DOMAINS)})(?!\w|-\w|\.\w)|localhost(?=:\d))(?::\d{{1,5}}(?!\w|\.\d))?"
    r"(?:/(?:[^\s<>\"]{0,500}[\w/])?)?|"
    r"(?<![\w@./-])[a-z][a-z0-9-]{0,62}\.[a-z]{2,3}/[A-Za-z0-9][^\s<>\"]{0,500}(?<=[\w/])",
)
def _domain(match: Match) -> str | None:
    return _address(match[0].rstrip("/"))


_HEX_GROUPS = r"[0-9A-Fa-f]{1,4}"


@rule(
    r"\dA-Fa-f:\[",
    rf"(?<![\w:.])\[?(?P<address>(?:{_HEX_GROUPS}:|::)(?:{_HEX_GROUPS}:|:){{0,8}}(?:{_HEX_GROUPS}|\d{{1,3}}(?:\.\d{{1,3}}){{3}})?)"
    r"(?P<zone>%[a-z]{1,8}\d{0,3})?(?:\](?P<port>:\d{1,5})?|(?P<prefix>/\d{1,3}))?(?![\w:]|\.\d)",
)
def _ip_address(match: Match) -> str | None:
    """An address of IPv6, by characters; "a::b" may be anything."""
    address = match["address"]
    if not any(character.isdecimal() for character in address) or (match[0][0] == "[" and "]" not in match[0]):
        return None
    try:
        IPv6Address(address)
    except ValueError:
        return None
    groups = re.findall(r"[0-9A-Fa-f]+|[:.]", address)
    words = [_URL_CHARACTERS[group] if group in ":." else _by_characters(group) for group in groups]
    rest = [_address(match[part]) for part in ("zone", "port", "prefix") if match[part]]
    return " ".join([*words, *rest])


@rule(r"\dA-Fa-f", r"(?<![\w:-])[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})(?![\w:-])")
def _hardware_address(match: Match) -> str | None:
    return ", ".join(_by_characters(group) for group in re.split("[:-]", match[0]))


def _by_characters(text: str) -> str:
    return " ".join(digits(character) if character.isdecimal() else character.upper() for character in text)


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


# Files


@rule(
    r"~./\\*A-Za-z",
    rf"(?<![\w@./\\)~%\]°$€£-])(?:~[a-z]{{0,20}}/|\.{{1,2}}/|/(?=[\w.])|\\\\|[A-Z]:\\{{1,2}})[\w.\-/\\]{{0,200}}|"
    rf"(?<![\w@./\\-])[\w-]{{1,60}}(?:/[\w.-]{{1,60}}){{1,8}}\.(?:{any_of(DOMAINS)}|rs|go|cc?|cpp|hp?p?|log|sh)(?![\w/])|"
    rf"(?<![\w@./\\-])[A-Za-z\d-]{{1,40}}(?:_[A-Za-z\d-]{{1,40}}){{1,8}}\.(?:{any_of(DOMAINS)}|rs|go|cc?|cpp|hp?p?|log|sh)(?![\w/])|"
    rf"(?<![\w*/])\*\.(?:{any_of(DOMAINS)}|rs|go|cc?|cpp|hp?p?|log|sh)(?!\w)",
)
def _path(match: Match) -> str | None:
    """ "~/Documents", "/usr/bin", "C:\\Users" and "src/main.py"; a dot that ends the sentence stays."""
    path = match[0].rstrip(".") if match[0].strip("./\\") else match[0]
    return _address(path) + ("." if path != match[0] else "")


# Houses and streets


@rule("A-Z", rf"(?<![\w.])(?P<name>{any_of(STREETS)})(?!\w)\.?(?: (?P<way>N[EW]|S[EW])(?![\w.]))?")
def _street(match: Match) -> str | None:
    """Of "Baker St." and "5th Ave.", but not "At St. Mary's" or "Bury St. Edmunds"."""
    before = previous_word(match)
    behind = match.string[max(0, match.start() - 12) : match.start()]
    is_numbered = re.search(r"\d [A-Z] $|Jr\. $", behind) is not None  # "3000 K St", "King Jr. Dr."
    is_name = re.fullmatch(r"[A-Z][a-z]+(?:['’]s)?|\d+(?:st|nd|rd|th)", before) is not None and not starts_a_sentence(
        before
    )
    is_street = is_name or is_numbered
    after = re.compile(r" (?P<word>[A-Z]\w*)").match(match.string, match.end())
    is_title = match["name"] in BEFORE_A_NAME and after is not None and not starts_a_sentence(after["word"])
    if not is_street or (
        is_title and (match["name"] == "Dr" or (match[0][-1] == "." and before[:1].isalpha() and not is_numbered))
    ):
        return None
    way = f" {DIRECTIONS[match['way']]}" if match["way"] else ""
    return STREETS[match["name"]] + way + (full_stop(match) if match[0].endswith(".") else "")


@rule("A-Z", rf"(?<![\w.])(?P<name>{any_of(PLACES)})(?!\w)\.?")
def _place(match: Match) -> str | None:
    return PLACES[match["name"]] + (full_stop(match) if match[0].endswith(".") else "")


@rule("A-Za-z", rf"(?<![\w.])(?P<name>{any_of(BEFORE_A_DIGIT)})(?:\.\s?|\s)(?P<sign>#)?(?=\d)")
def _before_a_digit(match: Match) -> str | None:
    if match["name"].islower() and "." not in match[0] and match["sign"] is None:
        return None
    return BEFORE_A_DIGIT[match["name"]] + " "


@rule(
    "A-Z",
    rf"(?<=[a-z], )(?:(?P<state>{any_of(STATES_ALONE)})(?=[.,;:!?)\"”]|$|\s*\n| USA?\b)(?!\.[A-Z])|"
    rf"(?P<old>{any_of(OLD_STATES)})\.)",
)
def _state(match: Match) -> str | None:
    """ "Springfield, IL." and "Boston, Mass.": behind a town; "Yes, IN." begins a sentence."""
    town = re.search(r"(?<!\w)[A-Z][a-z]{2,20}$", match.string[max(0, match.start() - 24) : match.start() - 2])
    if town is None or starts_a_sentence(town[0]):
        return None
    return STATES_ALONE[match["state"]] if match["state"] else OLD_STATES[match["old"]] + full_stop(match)


@rule(r"\d", r"(?<![\w.,])(?P<n>\d{1,3})(?:st|nd|rd|th) Fl(?!\w)\.?", then="a")
def _storey(match: Match) -> str | None:
    return f"{ordinal(int(match['n']))} Floor{full_stop(match) if match[0].endswith('.') else ''}"


_NAME = r"(?:[A-Z][a-z]+|\d{1,3}(?:st|nd|rd|th)|[A-Z](?= (?:St|Ave)\b))"


@rule(
    r"\d",
    rf"(?<![\w.,$-])(?P<n>[1-9]\d{{0,4}})(?: (?P<way>[NSEW]|N[EW]|S[EW])\.?)? "
    rf"(?={_NAME}(?: [A-Z][a-z]+){{0,3}} (?:{any_of((*STREETS, *STREETS.values()))})(?!\w))",
    then="a",
)
def _house(match: Match) -> str | None:
    """ "1600 Pennsylvania Ave.": sixteen hundred; "100 W. 5th St."."""
    n, way = match["n"], match["way"]
    words = year(int(n)) if len(n) == 4 else cardinal(int(n)) if len(n) < 4 else digits(n)
    return words + (f" {DIRECTIONS[way]}" if way else "") + " "


@rule(
    "NSEW", rf"(?<![\w.])(?P<way>[NSEW]|N[EW]|S[EW])\.? (?={_NAME} (?:{any_of((*STREETS, *STREETS.values()))})(?!\w))"
)
def _way(match: Match) -> str | None:
    return f"{DIRECTIONS[match['way']]} "


@rule("PC", r"(?<!\w)(?:P\.\s?O\.|PO) (?=Box)|(?<!\w)C/O(?!\w)")
def _post(match: Match) -> str | None:
    return "P O " if match[0][0] == "P" else "care of"


WEB = (_email, _web_address, _ip_address, _hardware_address, _path, _domain)
"""Before everything else."""

RULES = (_house, _way, _before_a_digit, _storey, _street, _state, _place, _post)
"""Before abbreviations."""
