"""Months and weekdays by their names, whole or shortened, and the months that cards end in."""

from __future__ import annotations

import re

from tts_fm.text.numbers import ordinal, year
from tts_fm.text.rules import Match, any_of, full_stop, next_word, previous_word, rule
from tts_fm.text.tables import rows, words

MONTHS = tuple(row[1] for row in rows("calendar") if row[0] == "month")
_SHORT_MONTHS = [short for row in rows("calendar") if row[0] == "month" for short in row[2:] if short not in MONTHS]
MONTH = rf"(?P<month>{'|'.join(MONTHS)}|(?:{any_of(_SHORT_MONTHS)})(?!\w)\.?)"
THEN_MONTH = MONTH.replace("month", "then", 1)
ALSO_WORDS = frozenset(("May", "March", "Mar", "Jan", "June", "April", "August"))
"""Months that are verbs or names, too."""

_WEEKDAYS = {short: row[1] for row in rows("calendar") if row[0] == "weekday" for short in row[2:]}
_WEEKDAY = any_of(_WEEKDAYS)
_EXPIRY = {row[1]: row[2] for row in rows("calendar") if row[0] == "expiry"}
_BEFORE_A_WEEKDAY, _BEFORE_A_MONTH = words("calendar", "before_weekday"), words("calendar", "before_month")
_FIRST_LETTERS = "|".join(month[:3] for month in MONTHS)


def date(month: int, day: int, in_year: str | None) -> str | None:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    words = f"{MONTHS[month - 1]} {ordinal(day)}"
    return words if in_year is None else f"{words}, {year_of(in_year)}"


def year_of(digits: str) -> str:
    """The year "99" is 1999 and "24" is 2024: two digits lie between 1950 and 2049."""
    n = int(digits)
    return year(n if len(digits) > 2 else n + (2000 if n < 50 else 1900))


def month_number(name: str) -> int:
    return [month[:3] for month in MONTHS].index(name[:3]) + 1


# Months


@rule(
    "JFMASOND",
    rf"(?<!\w){any_of(_SHORT_MONTHS)}(?:\.(?=,| [a-z\d]| [\"'(]?[A-Z]|[\"'”’)\]]|$)|(?= ['’]\d\d(?!\d)))",
)
def _month_abbreviation(match: Match) -> str | None:
    """ "Jan. was cold"; at a sentence's end behind "in" or the like."""
    stop = full_stop(match)
    follows = match.string[match.end() : match.end() + 2].strip()[:1]
    if (stop or follows.isupper()) and previous_word(match).lower() not in _BEFORE_A_MONTH:
        return None
    return MONTHS[month_number(match[0]) - 1] + stop


@rule("JFMASOND", rf"(?<!\w){MONTH}\s?[-–/]\s?{THEN_MONTH}(?!\w|[-–/])")
def _months(match: Match) -> str | None:
    """ "Jan-Mar" and "May–June"."""
    first, then = (MONTHS[month_number(match[name]) - 1] for name in ("month", "then"))
    return f"{first}{' ' if '/' in match[0] else ' to '}{then}{full_stop(match)}"


_MONTH_OF_YEAR = r"(?P<{m}>0?[1-9]|1[0-2])\s?[-/]\s?(?P<{y}>20\d\d|\d\d)"
_UNTIL = r"\s?(?:-|–|to|thru|through|until)\s?"


@rule(
    "A-Za-z",
    rf"(?<!\w)(?P<name>(?i:{'|'.join(sorted(map(re.escape, _EXPIRY), key=len, reverse=True))}))(?P<mark>\.?:?) "
    rf"(?:{_MONTH_OF_YEAR.format(m='m', y='y')}(?:{_UNTIL}{_MONTH_OF_YEAR.format(m='n', y='z')})?(?![\w/-]|[.,]\d)|"
    r"(?=\d{1,2}[/.-]\d{1,2}[/.-]\d))",
)
def _expiry(match: Match) -> str | None:
    """ "exp 12/27" on a card: the month and the year; "exp. 12/25/2027" is a whole date."""
    read = _EXPIRY[match["name"].lower()]
    name = (read.capitalize() if match["name"][0].isupper() else read) + (":" if ":" in match["mark"] else "")
    dates = [(match[m], match[y]) for m, y in (("m", "y"), ("n", "z")) if match[m] is not None]
    return f"{name} {' to '.join(f'{MONTHS[int(m) - 1]} {year_of(y[-2:])}' for m, y in dates)}"


# Days of the week

_TIME_OR_DATE = re.compile(
    rf",? (?:\d{{1,2}}(?:st|nd|rd|th|[.:/-]\d|\s?[AaPp]\.?[Mm]|,? (?:{_FIRST_LETTERS})|[,;)]|$)|{_FIRST_LETTERS})"
)
_WEEKDAY_WORD = re.compile(
    rf",? (?:\d|(?:(?:and|or|to|through|thru|until|&) )?{_WEEKDAY}\b|"
    r"(?:and|or|to|at|from|until|is|was|morning|afternoon|evening|night)\b)"
)
_BEFORE_ANOTHER = re.compile(
    rf",? (?:and|or|to|not|&|through|thru|until) (?:on )?(?:{_WEEKDAY}|{any_of(set(_WEEKDAYS.values()))})\b"
)
_BESIDE_A_WEEKDAY = re.compile(
    rf"\b(?:{_WEEKDAY}|{any_of(set(_WEEKDAYS.values()))})(?:\.?,? (?:and|or|to|not|&|through|thru|until) |\.?, )(?:on )?$"
)


@rule("MTWFS", rf"(?<!\w)(?P<a>{_WEEKDAY})\.?\s?[-–]\s?(?P<b>{_WEEKDAY})(?!\w)\.?")
def _weekdays(match: Match) -> str | None:
    """ "Mon-Fri"."""
    return f"{_WEEKDAYS[match['a']]} to {_WEEKDAYS[match['b']]}{full_stop(match)}"


@rule("MTWFS", rf"(?<!\w){_WEEKDAY}\.?(?:/{_WEEKDAY}\.?){{1,6}}(?![\w/])")
def _weekdays_listed(match: Match) -> str | None:
    """ "Mon/Wed/Fri"."""
    *first, last = (_WEEKDAYS[day.rstrip(".")] for day in match[0].split("/"))
    return f"{', '.join(first)} and {last}{full_stop(match)}"


@rule("MTWFS", rf"(?<!\w)(?P<day>{_WEEKDAY})(?!\w|['’]\w|-[a-z]|&)\.?")
def _weekday(match: Match) -> str | None:
    """Dotted, before a time or a date, behind "on" or the like, or beside another one; "Sun" and "Sat" are words, too."""
    day, is_dotted = match["day"], match[0].endswith(".")
    is_word, before = day in ("Sun", "Sat"), previous_word(match)
    is_told = (
        _TIME_OR_DATE.match(match.string, match.end()) is not None
        or (before.lower() in _BEFORE_A_WEEKDAY and (is_dotted or not next_word(match)[:1].isupper()))
        or _BESIDE_A_WEEKDAY.search(match.string[max(0, match.start() - 24) : match.start()]) is not None
        or _BEFORE_ANOTHER.match(match.string, match.end()) is not None
        or (is_dotted and _WEEKDAY_WORD.match(match.string, match.end()) is not None)
    )
    is_dotted_one = is_dotted and (not is_word or (day == "Sat" and before != ""))
    if not (is_told or is_dotted_one or day in ("Tues", "Thurs", "Thur", "Weds")):
        return None
    return _WEEKDAYS[day] + full_stop(match)


FIRST = (_expiry,)
"""Before dates."""

RULES = (_months, _month_abbreviation, _weekdays, _weekdays_listed, _weekday)
"""After dates."""
