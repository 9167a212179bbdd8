"""Numbers that name something, digit by digit: telephones, cards, codes, accounts."""

from __future__ import annotations

import re

from tts_fm.text.abbreviations import BEFORE_A_DIGIT, STATES
from tts_fm.text.numbers import cardinal, digits, year
from tts_fm.text.rules import Match, any_of, rule
from tts_fm.text.tables import rows

_NAMES = {
    kind: [name for first, *names in rows("identifiers") if first == kind for name in names] for kind in ("any", "long")
}
_EMERGENCY = "|".join(number for first, *numbers in rows("identifiers") if first == "emergency" for number in numbers)
_GROUP = r"[ .-]"
_END = r"(?![\w-]|[.,]\d)"


def _any(names: list[str]) -> str:
    return "|".join(
        f"[{name[0].upper()}{name[0].lower()}]{re.escape(name[1:])}" for name in sorted(names, key=len, reverse=True)
    )


def _groups(text: str) -> str:
    """Group by group; an X at the end checks the number."""
    groups = [digits(group) for group in re.findall(r"\d+", text)]
    return ", ".join([*groups, "X"] if text.endswith("X") else groups)


@rule(
    "A-Za-z",
    rf"(?<!\w)(?P<name>(?:(?P<any>{_any(_NAMES['any'])})|(?:{_any(_NAMES['long'])}))(?:-1[03])?"
    r"(?:\.(?= )|(?: (?:number|no\.|is|was|to))?:?| ?#)?) ?(?P<n>(?<=[ #:])[#+]?\(?\d{1,16}\)?(?:[- ]\d{1,12}){0,5}"
    r"(?:-?\d{0,3}X(?!\w)|(?<=\d{3})\.\d{4})?)(?![\w%]|[.,]\d|\s(?:people|of|out)\b)",
)
def _named(match: Match) -> str | None:
    n_digits = sum(character.isdecimal() for character in match["n"])
    is_short_code = match["name"].lower().startswith("code") and n_digits == 4
    is_too_short = match["any"] is None and n_digits < 5 and not match["n"].startswith("0")
    if (is_too_short or n_digits < 2) and not is_short_code:
        return None
    name = re.sub(r"^(ISBN)-(1[03])", lambda prefix: f"{prefix[1]} {cardinal(int(prefix[2]))}", match["name"])
    name = re.sub(r"\bno\.", "number", re.sub(r" ?#", " number", name))
    name = re.sub(r"^([Tt])el\b\.?", lambda prefix: f"{prefix[1]}elephone", name)
    return f"{name.rstrip()} {'plus ' if '+' in match['n'] else ''}{_groups(match['n'])}"


@rule(
    r"\d",
    r"(?<![\w.,$£€-])(?:97[89]-\d{1,5}-\d{2,7}-\d{1,6}-\d|\d{4}-\d{3}X)(?![\w-])|"
    r"(?<![\w.-])[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}(?![\w-])",
)
def _book_number(match: Match) -> str | None:
    """An ISBN or an ISSN without its name, and an identifier of 32 hexadecimal digits."""
    return _groups(match[0]) if len(match[0]) < 30 else _characters(match[0].upper().replace("-", " "))


@rule("Dda", r"(?<!\w)(?P<name>DOI|doi|arXiv)(?P<mark>:)?\s?(?P<n>\d{2,4}\.\d{4,9}(?P<rest>/[\w./-]{0,60}\w)?)(?!\w)")
def _paper(match: Match) -> str | None:
    """ "doi:10.1038/nphys1170" and "arXiv:1706.03762"."""
    first, _, then = match["n"].partition("/")
    words = " point ".join(digits(part) for part in first.split("."))
    rest = "".join(f" slash {_spelled_out(part)}" for part in then.split("/")) if then else ""
    return f"{match['name']}{': ' if match['mark'] else ' '}{words}{rest}"


def _spelled_out(text: str) -> str:
    """Letters as they are, digits one by one."""
    parts = re.findall(r"[A-Za-z]+|\d+|\.", text)
    return " ".join("dot" if part == "." else digits(part) if part.isdecimal() else part for part in parts)


@rule(
    r"\s,;",
    r"(?<=[-. \d]\d{4}),?;?\s?(?:[Ee]xt(?:ension|\.)?|x)\s?(?P<n>\d{1,6})(?![\w%]|[.,]\d)",
)
def _extension(match: Match) -> str | None:
    """Behind a telephone number: "555-1234 ext. 12" and "555-1234 x89"."""
    return f", extension {digits(match['n'])}"


@rule(
    r"*#",
    r"(?:(?<=[Dd]ial )|(?<=[Pp]ress )|(?<=[Ee]nter )|(?<![\w*#])(?=[*#]\d{2,5}(?:[*#]\d{1,20}){0,4}#))"
    r"[*#]{1,2}\d{1,5}(?:[*#]\d{1,20}){0,4}#?(?![\w*])",
)
def _star_code(match: Match) -> str | None:
    """ "dial *69" and "*123#"."""
    parts = re.findall(r"\d+|[*#]", match[0])
    return " ".join({"*": "star", "#": "hash"}.get(part) or digits(part) for part in parts)


@rule("A-Z", rf"(?<!\w)(?:(?P<state>{any_of(STATES)})|D\.C\.),? (?P<zip>\d{{5}}(?:-\d{{4}})?){_END}")
def _zip(match: Match) -> str | None:
    """ "Springfield, IL 62701"."""
    is_card = match["state"] == "ID" and not match.string[: match.start()].endswith(", ")
    state = STATES[match["state"]] if match["state"] else "DC"
    return None if is_card else f"{state} {_groups(match['zip'])}"


@rule(r"\d", rf"(?<![\w.,$£€-])\d{{5}}-\d{{4}}{_END}", then=r"\-")
def _long_zip(match: Match) -> str | None:
    return _groups(match[0])


@rule(
    "a-zA-Z",
    r"(?<!\w)(?P<verb>[Cc]all(?:ed|ing|s)?|[Dd]ial(?:ed|led|ing|s)?|[Pp]honed?|[Rr]ing|[Rr]ang|[Tt]ext(?:ed|ing)?|[Ff]ax) "
    rf"(?:(?P<short>(?:{_EMERGENCY})(?:(?:, | or | and )(?:{_EMERGENCY})){{0,4}})(?! [a-z]+s\b)|"
    r"(?P<long>\d{5,11}|\d{3} \d{4}))(?![\w%]|[-.,:/]\d)",
)
def _called(match: Match) -> str | None:
    if match["long"]:
        return f"{match['verb']} {_groups(match['long'])}"
    return f"{match['verb']} {re.sub(r'[0-9]+', lambda one: digits(one[0]), match['short'])}"


@rule(
    r"\d",
    r"(?<![\w.,$£€-])(?P<n>911|999|112)(?= (?:calls?|callers?|operators?|dispatch(?:er|ers)?|emergency|centers?|tapes?|"
    r"recordings?|was (?:called|dialed|dialled))\b)",
    then="a",
)
def _emergency_line(match: Match) -> str | None:
    return digits(match["n"])


@rule(
    r"\d",
    rf"(?<![\w.,$£€-])(?:\d{{4}}[ -]\d{{4}}[ -]\d{{4}}[ -]\d{{3,4}}|\d{{4}}[ -]\d{{6}}[ -]\d{{5}}|"
    rf"\d{{3}}([ -])\d{{2}}[ -]\d{{4}}|"
    rf"\d{{2}}-\d{{7}}){_END}",
    then=r"0\-",
)
def _card(match: Match) -> str | None:
    """Sixteen digits, the fifteen of American Express, a social security or an employer's number."""
    return _groups(match[0])


@rule(
    r"\d(+",
    rf"(?<![\w.(+-])(?:\d{{3}}[ -]\d{{4}}[ -]\d{{4}}|0\d{{1,4}}[ -]\d{{3,4}}[ -]?\d{{3,4}}|"
    rf"\(0\d{{1,4}}\) ?\d{{3,4}}[ -]?\d{{3,4}}|"
    rf"0\d{{9,10}}|0\d{{2,4}}[ -]\d{{5,8}}|0\d(?:[ .]\d\d){{4}}|1[38]00[ -]\d{{3}}[ -]\d{{3}}|00\d{{1,3}}(?: \d{{1,5}}){{2,5}}|"
    rf"8[ -]800(?:[ -]\d{{2,3}}){{2,4}}){_END}|"
    r"(?<![\w.])\+\d{1,3}(?:[ .-]?\(?\d{1,10}\)?){1,5}(?!\w|-\d|[.,]\d)",
)
def _telephone(match: Match) -> str | None:
    n_digits = sum(character.isdecimal() for character in match[0])
    if not 9 <= n_digits <= 15 and not (match[0][0] == "+" and " " in match[0] and n_digits >= 8):
        return None
    return ("plus " if match[0].startswith("+") else "") + _groups(match[0])


@rule(
    r"\d+(",
    rf"(?<![\w.(])(?:\+\d{{1,3}}{_GROUP}?|1{_GROUP})?(?:\(\d{{3}}\)\s?|\d{{3}}{_GROUP})\d{{3}}{_GROUP}\d{{4}}(?![\w-])|"
    rf"(?<![\w.(])(?:\(\d{{3}}\)\s?)\d{{3}}{_GROUP}\d{{4}}(?![\w-])|"
    rf"(?<![\w.])\+\d{{1,3}}(?:{_GROUP}\(?\d{{1,5}}\)?){{2,5}}(?![\w-])|"
    r"(?<![\w.$£€-])\d{3}-\d{4}(?![\w-])",
)
def _american_telephone(match: Match) -> str | None:
    return ("plus " if match[0].startswith("+") else "") + _groups(match[0])


@rule(r"\d", r"(?<![\w.,$£€-])(?P<n>1?[ -]?8\d\d)[ -](?P<word>[A-Z]{2,10}(?:-[A-Z]{2,10}){0,2})(?![\w-])", then=r"0\-")
def _vanity_telephone(match: Match) -> str | None:
    """ "1-800-FLOWERS"."""
    return f"{_groups(match['n'])}, {match['word'].lower().replace('-', ' ')}"


@rule("A-Z", r"(?<![\w-])[A-Z]{2}\d\d(?: ?[A-Z\d]{4}){2,7}(?: ?[A-Z\d]{1,3})?(?![\w-])")
def _bank_account(match: Match) -> str | None:
    """An IBAN."""
    return _characters(match[0]) if sum(c.isdecimal() for c in match[0]) >= 8 else None


@rule(r"A-Z\d", r"(?<![\w-])(?=[A-Z]*\d)(?=\d*[A-Z])[A-Z\d]{8,24}(?![\w-])")
def _code(match: Match) -> str | None:
    """Letters and digits mixed, "1Z999AA10123456784", or a passport's, "X1234567"; but "COVID2019" is a name with a number."""
    is_mixed = len(re.findall(r"[A-Z]+|\d+", match[0])) > 2
    return _characters(match[0]) if is_mixed or re.fullmatch(r"[A-Z]{1,2}\d{6,}[A-Z]?", match[0]) else None


@rule(
    r"\d#",
    r"(?<![\w.,-])(?P<zero>0x)(?P<hex>[\dA-Fa-f]{1,16})(?!\w)|"
    r"(?<!\w)#(?P<color>(?=[A-Fa-f]*\d)(?=\d*[A-Fa-f])[\dA-Fa-f]{6})(?!\w)",
)
def _hexadecimal(match: Match) -> str | None:
    """ "0x1F" and the color "#FF5733"."""
    return (
        f"zero x {_characters(match['hex'].upper())}"
        if match["zero"]
        else f"hash {_characters(match['color'].upper())}"
    )


def _characters(text: str) -> str:
    return ", ".join(
        " ".join(digits(character) if character.isdecimal() else character for character in group)
        for group in text.split()
    )


@rule("Ff", r"(?<!\w)(?P<flight>[Ff]light (?:[A-Z]{2} ?)?)(?P<n>\d{2,4})(?![\w-]|[.,]\d)")
def _flight(match: Match) -> str | None:
    return f"{match['flight'].rstrip()} {digits(match['n'])}"


def _by_pairs(n: str) -> str:
    """101 -> "one oh one", 737 -> "seven thirty-seven", 800 -> "eight hundred"."""
    if n[1:] == "00":
        return f"{cardinal(int(n[0]))} hundred"
    return f"{cardinal(int(n[0]))} {'oh ' if n[1] == '0' else ''}{cardinal(int(n[1:]))}"


_PAIRED = "|".join(re.escape(name) for first, *names in rows("identifiers") if first == "pairs" for name in names)


@rule(
    "A-Za-z",
    rf"(?<!\w)(?P<name>{_PAIRED})(?P<gap>[ -]?)(?P<n>[1-9]\d\d)(?:-(?P<kind>[1-9]\d\d))?(?![\w%]|[.,:/-]\d|\s[a-z]+s\b)",
)
def _paired(match: Match) -> str | None:
    """ "Boeing 747", "Highway 101", "Room 237"."""
    if match["name"][0].islower() and match["gap"] != " ":
        return None
    kind = "" if match["kind"] is None else f" {_by_pairs(match['kind'])}"
    return f"{match['name'].rstrip('-')} {_by_pairs(match['n'])}{kind}"


@rule(
    r"I\d",
    r"(?<!\w)(?P<name>IEEE )?802\.(?P<n>\d{1,2})(?P<letters>[a-z]{1,2})?(?![\w])",
)
def _wireless(match: Match) -> str | None:
    letters = "" if match["letters"] is None else " " + " ".join(match["letters"].upper())
    return f"{match['name'] or ''}eight oh two point {cardinal(int(match['n']))}{letters}"


@rule("#", r"#(?=[A-Z]{1,3}-\d)")
def _lettered_number(match: Match) -> str | None:
    """ "invoice #A-123"."""
    return "number "


@rule("#", r"#(?P<n>\d{5,16})(?!\w|[.,]\d)")
def _numbered(match: Match) -> str | None:
    return f"number {digits(match['n'])}"


@rule(r"\d", r"(?<![\w.,$£€+-])(?:(?P<a>\d{1,8})-(?P<b>0\d{1,8})|(?P<n>\d{9,30}))(?![\w-]|[.,]\d)")
def _serial(match: Match) -> str | None:
    """ "2024-0153", and nine digits and more, unless they are round."""
    if match["n"] is None:
        a = year(int(match["a"])) if re.fullmatch(r"(?:19|20)\d\d", match["a"]) else digits(match["a"])
        return f"{a}, {digits(match['b'])}"
    return None if match["n"].endswith("000") and len(match["n"]) <= 15 else digits(match["n"])


@rule(
    "A-Z",
    r"(?<!\w)(?P<name>[Rr]ooms?|[Ss]uite|[Aa]partment|[Uu]nit|Apt\.?|Rm\.?|Ste\.?) (?P<n>[1-9]\d{3})(?![\w-]|[.,]\d)",
)
def _room(match: Match) -> str | None:
    """ "Room 1408" is fourteen oh eight."""
    name = match["name"].rstrip(".")
    return f"{BEFORE_A_DIGIT.get(name, name)} {year(int(match['n']))}"


FIRST = (
    _book_number, _paper, _extension, _star_code, _zip, _named, _room, _paired, _wireless, _lettered_number, _long_zip, _called,
    _emergency_line, _card, _telephone, _bank_account, _code, _hexadecimal, _flight, _numbered,
)  # fmt: skip
"""Before dates."""

RULES = (_vanity_telephone, _american_telephone)
"""After dates, before money."""

LAST = (_serial,)
"""Before plain numbers and ranges."""
