"""Dates, decades and times of day in words."""

from __future__ import annotations

import re

from tts_fm.text.numbers import cardinal, ordinal, plural, year
from tts_fm.text.rules import Match, counts_things, full_stop, next_word, previous_word, rule
from tts_fm.text.units import UNITS

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_WEEKDAYS = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday", "Thur": "Thursday",
    "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)}|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)(?!\w)\.?)"
_ENDING = r"(?:st|nd|rd|th)?(?![\w%]|[.:]\d|[-–]\w{3})"
_DAY = rf"(?P<day>[12]\d|3[01]|0?[1-9]){_ENDING}"
_YEAR = r"(?P<year>[1-9]\d{3})(?![\w%]|[.,]\d)"
_BEFORE_A_DATE = frozenset("on by until till since from in before after and to of between".split())
_COMPARED = frozenset("scale ratio odds dilution favorite favourite replica".split())
_IS_COMPARED = re.compile(r"(?:scale|ratio|odds)(?: (?:of|is|was))? $")
_BEFORE_A_SHORT_YEAR = _BEFORE_A_DATE | frozenset(
    "during back class summer spring autumn fall winter early late mid or january february march april may june july august "
    "september october november december".split()
)
_ALSO_WORDS = frozenset(("May", "March", "Mar", "Jan", "June", "April", "August"))
"""Months that are verbs or names, too."""
_DAYTIME = (
    "in the (?:morning|afternoon|evening)|at night|o'clock|o’clock|sharp|tonight|tomorrow|today|"
    "this (?:morning|afternoon|evening)"
)
_TRAVEL = (
    "trains?|bus|flight|ferry|service|news|tram|express|departure|showing|screening|slot|meeting|appointment|class"
)
_HALF = r"\s?(?:(?P<half>[AaPp])\.\s?[Mm]\b\.?|(?P<bare_half>[AaPp])[Mm]\b)"


def _date(month: int, day: int, in_year: str | None) -> str | None:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    words = f"{_MONTHS[month - 1]} {ordinal(day)}"
    return words if in_year is None else f"{words}, {_year(in_year)}"


def _year(digits: str) -> str:
    """The year "99" is 1999 and "24" is 2024: two digits lie between 1950 and 2049."""
    n = int(digits)
    return year(n if len(digits) > 2 else n + (2000 if n < 50 else 1900))


def _month_number(name: str) -> int:
    return [month[:3] for month in _MONTHS].index(name[:3]) + 1


@rule(
    r"\d",
    r"(?<![\w-])(?P<year>[12]\d{3})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12]\d|3[01])(?:T(?=\d\d:)|(?![\w-]))",
)
def _iso_date(match: Match) -> str | None:
    words = _date(int(match["month"]), int(match["day"]), match["year"])
    return f"{words}, " if words is not None and match[0].endswith("T") else words


@rule(
    r"\d",
    r"(?<![\w/.-])(?P<year>[12]\d{3})(?:(?=/\d{1,2}/)|(?=\.\d{1,2}\.))[/.](?P<month>0?[1-9]|1[0-2])[/.](?P<day>0?[1-9]|[12]\d|3[01])(?![\w/-]|\.\d)",
)
def _year_first(match: Match) -> str | None:
    return _date(int(match["month"]), int(match["day"]), match["year"])


@rule(
    r"\d",
    r"(?<![\w/.,$£€-])(?:(?P<month>0?[1-9]|1[0-2])/(?P<year>(?:19|20)\d\d)|(?P<y>(?:19|20)\d\d)[-/](?P<m>0[1-9]|1[0-2]))"
    r"(?![\w/-]|[.,]\d)",
    then=r"/\-",
)
def _month_and_year(match: Match) -> str | None:
    """ "12/2024" and "2024-12"; but "2001-02" and "2011/12" may be two years that follow each other."""
    if match["y"] is not None and int(match["m"]) == int(match["y"][2:]) + 1:
        return None
    return f"{_MONTHS[int(match['month'] or match['m']) - 1]} {_year(match['year'] or match['y'])}"


@rule(
    r"\d", r"(?<![\w.,$£€-])(?P<year>19\d\d|20\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])(?![\w-]|[.,]\d)"
)
def _digits_date(match: Match) -> str | None:
    """ "20240115"."""
    return _date(int(match["month"]), int(match["day"]), match["year"])


@rule(r"\d", r"(?<![\w.,/$£€-])(?P<day>[0-3]\d)\.(?P<month>[01]\d)\.(?P<year>\d\d)(?!\w|[.,]\d)")
def _dotted_date(match: Match) -> str | None:
    """ "31.12.99"; behind "version" it is none."""
    is_version = previous_word(match).lower() in ("version", "release", "ver", "build", "firmware", "ubuntu")
    return None if is_version else _date(int(match["month"]), int(match["day"]), match["year"])


@rule(
    r"\d",
    rf"(?<![\w.,/$£€-])(?P<day>[12]\d|3[01]|0?[1-9])-(?P<month>{'|'.join(month[:3] for month in _MONTHS)})[a-z]{{0,6}}"
    r"(?:-(?P<year>\d{4}|\d\d))?(?![\w-])",
    then=r"\-",
)
def _hyphenated_date(match: Match) -> str | None:
    """ "5-Jan-2024"."""
    return _date(_month_number(match["month"]), int(match["day"]), match["year"])


@rule("JFMASOND", rf"(?<!\w)(?P<month>{'|'.join(month[:3] for month in _MONTHS)})-(?P<year>(?:19|20)\d\d)(?![\w-])")
def _hyphenated_month(match: Match) -> str | None:
    return f"{_MONTHS[_month_number(match['month']) - 1]} {_year(match['year'])}"


@rule(
    "ONBSDAFonbsdaf",
    r"(?<!\w)(?P<word>[Oo]n|[Bb]y|[Ss]ince|[Uu]ntil|[Dd]ue|[Bb]efore|[Aa]fter|[Ff]rom) "
    r"(?P<a>\d{1,2})/(?P<b>\d{1,2})(?![\w/]|[.,]\d| [a-z]+s\b)",
)
def _day_of_a_year(match: Match) -> str | None:
    """ "on 12/25"."""
    words = _date(int(match["a"]), int(match["b"]), None) or _date(int(match["b"]), int(match["a"]), None)
    return None if words is None or match[0].endswith(" 9/11") else f"{match['word']} {words}"


@rule(
    r"\d",
    r"(?<![\w$£€.,-])(?P<a>1[1-9]\d\d|20\d\d)(?P<s>['’]?s)?\s?(?:[-–/]|to)\s?(?:(?P<b>1[1-9]\d0|20\d0)|['’]?(?P<short>[1-9]0))['’]?s(?!\w)",
    then=r"a\-–/'’",
)
def _to_a_decade(match: Match) -> str | None:
    """ "1990-2000s" and "1980s-90s"."""
    first = year(int(match["a"]))
    if match["s"] is not None:
        first = plural(first)
    return f"{first} to {plural(year(int(match['b'])) if match['b'] else cardinal(int(match['short'])))}"


@rule(
    r"\d",
    rf"(?<![\w:.,$£€])(?P<hour>1[0-2]|0?[1-9])\.(?P<minute>[0-5]\d)(?:\s?(?:[-–]|to)\s?(?P<to>1[0-2]|0?[1-9])[.:](?P<then>[0-5]\d))?"
    rf"{_HALF}(?!\w)",
    then=r"a\-–",
)
def _clock_with_dot(match: Match) -> str | None:
    """ "9.30am" and "9.30-11.00am"."""
    words = _with_minutes(match["hour"], match["minute"])
    until = "" if match["to"] is None else f" to {_with_minutes(match['to'], match['then'])}"
    return f"{words}{until} {_half(match)}"


@rule(
    r"\d",
    rf"(?<![\w:.,$£€])(?P<hour>[01]?\d|2[0-3])\.(?P<minute>[0-5]\d)(?= (?:{_DAYTIME}|{_TRAVEL})\b)|"
    r"(?<=\b[Aa]t )(?P<h>[01]?\d|2[0-3])\.(?P<m>[0-5]\d)(?=[,;!?]|\.?$|\.\s|"
    r" (?:on|and|until|he|she|we|they|I|the|every|for|prompt|daily|GMT|UTC|in|when|with|sharp)\b(?! (?:per|each)))",
)
def _clock_by_its_words(match: Match) -> str | None:
    """ "at 9.30 in the morning", "the 8.15 train", "at 14.30."."""
    return _with_minutes(match["hour"] or match["h"], match["minute"] or match["m"])


def _with_minutes(hour: str, minutes: str) -> str:
    minute = int(minutes)
    return cardinal(int(hour)) + ("" if minute == 0 else f" {'oh ' if minute < 10 else ''}{cardinal(minute)}")


@rule(r"\d'‘’", r"(?<![\w$£€.,-])['‘’]?(?P<a>[2-9]0)['’]?s\s?[-–/]\s?['‘’]?(?P<b>[1-9]0)['’]?s(?!\w)", then=r"a\-–/'’")
def _short_decades(match: Match) -> str | None:
    """ "'80s-'90s"."""
    return f"{plural(cardinal(int(match['a'])))} to {plural(cardinal(int(match['b'])))}"


@rule(
    r"\d",
    r"(?<![\w/.-])(?P<a>\d{1,2})(?:/(?P<b>\d{1,2})/(?P<y>\d{4}|\d\d)|[.-](?P<d>\d{1,2})[.-](?P<z>\d{4}))"
    r"(?![\w/-]|\.\d)",
)
def _numeric_date(match: Match) -> str | None:
    """3/14/2024 is American, but 14.3.2024 and 14-3-2024 begin with the day; so does whatever cannot be American."""
    first = int(match["a"])
    if match["b"] is None:
        return _date(int(match["d"]), first, match["z"]) or _date(first, int(match["d"]), match["z"])
    return _date(first, int(match["b"]), match["y"]) or _date(int(match["b"]), first, match["y"])


@rule(
    "JFMASOND",
    rf"(?<!\w){_MONTH} (?P<day>[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?\s?[-–]\s?"
    rf"(?P<to>[12]\d|3[01]|0?[1-9]){_ENDING}(?:,? {_YEAR})?",
)
def _days_of_month(match: Match) -> str | None:
    month = _MONTHS[_month_number(match["month"]) - 1]
    words = f"{month} {ordinal(int(match['day']))} to {ordinal(int(match['to']))}"
    return words if match["year"] is None else f"{words}, {_year(match['year'])}"


@rule("JFMASOND", rf"(?<!\w){_MONTH} {_DAY}(?:,? {_YEAR})?")
def _month_day(match: Match) -> str | None:
    """Not of "May 5 people enter?", nor of "March 10 miles"."""
    is_counting = match[0][-1].isdecimal() and match["year"] is None and counts_things(match)
    is_measured = match[0][-1].isdecimal() and next_word(match) in UNITS
    is_dated = previous_word(match).lower() in _BEFORE_A_DATE
    if match["month"] in _ALSO_WORDS and (is_counting or is_measured) and not is_dated:
        return None
    return _date(_month_number(match["month"]), int(match["day"]), match["year"])


@rule("JFMASOND", rf"(?<!\w){_MONTH},? {_YEAR}")
def _month_year(match: Match) -> str | None:
    return f"{_MONTHS[_month_number(match['month']) - 1]} {_year(match['year'])}"


@rule(r"\dTt", rf"(?<![\w.,:/$£€-])(?P<the>[Tt]he )?{_DAY} (?:of )?{_MONTH}(?!\w)(?:,? {_YEAR})?", then="a")
def _day_month(match: Match) -> str | None:
    if match["the"] is None and match.string[max(0, match.start() - 4) : match.start()].lower() == "the ":
        return None
    month = _MONTHS[_month_number(match["month"]) - 1]
    words = f"{match['the'] or 'the '}{ordinal(int(match['day']))} of {month}"
    return words if match["year"] is None else f"{words}, {_year(match['year'])}"


@rule("JFMASOND", r"(?<!\w)(?:Jan|Feb|Mar|Apr|Aug|Sept?|Oct|Nov|Dec)\.(?=,| [a-z\d])")
def _month_abbreviation(match: Match) -> str | None:
    return _MONTHS[_month_number(match[0]) - 1]


@rule(
    "MTWFS",
    rf"(?<!\w)(?P<day>{'|'.join(_WEEKDAYS)})(?!\w)(?:\.(?=,? \d| (?:and|or|to|at|from|until|morning|afternoon|evening|night)\b)|"
    r"\.?(?=,? (?:\d{1,2}(?:st|nd|rd|th|[.:/-]\d|\s?[AaPp]\.?[Mm]|"
    rf",? (?:{'|'.join(month[:3] for month in _MONTHS)})|[,;)]|$)|"
    rf"{'|'.join(month[:3] for month in _MONTHS)})))",
)
def _weekday(match: Match) -> str | None:
    return _WEEKDAYS[match["day"]]


@rule(
    "MTWFS",
    rf"(?<!\w)(?P<a>{'|'.join(_WEEKDAYS)})\.?\s?[-–]\s?(?P<b>{'|'.join(_WEEKDAYS)})(?!\w)\.?",
)
def _weekdays(match: Match) -> str | None:
    """ "Mon-Fri"."""
    return f"{_WEEKDAYS[match['a']]} to {_WEEKDAYS[match['b']]}{full_stop(match)}"


@rule("'‘’", r"(?<![\w$£€.,])['‘’](?P<n>\d\d)(?![\w%'’]|[.,:/-]\d)")
def _short_year(match: Match) -> str | None:
    """ "in '98", "the class of '05"."""
    n = int(match["n"])
    before = previous_word(match).lower()
    is_model = before in ("a", "the") and next_word(match)[:1].isupper()  # "the '57 Chevy"
    if before not in _BEFORE_A_SHORT_YEAR and not is_model:
        return None
    return "two thousand" if n == 0 else f"{'oh ' if n < 10 else ''}{cardinal(n)}"


@rule(r"\d'‘’", r"(?<![\w$£€.,])(?:(?P<year>1[1-9]\d0|20\d0)|['‘’]?(?P<decade>[2-9]0))['’]?s(?!\w)", then=r"a'’")
def _decade(match: Match) -> str | None:
    return plural(cardinal(int(match["decade"])) if match["year"] is None else year(int(match["year"])))


@rule(
    r"\d",
    r"(?<![\d:.])(?P<hour>[01]?\d|2[0-3])[:h](?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?![:\d]|\.\d)"
    rf"(?:{_HALF})?Z?(?!\w)",
    then="a:",
)
def _clock(match: Match) -> str | None:
    hour, minute = int(match["hour"]), int(match["minute"])
    half = _half(match)
    if half is None and (next_word(match) in _COMPARED or _IS_COMPARED.search(match.string[: match.start()][-12:])):
        return None
    if minute == 0 and half is not None:
        words = cardinal(hour)
    elif minute == 0:
        words = f"{cardinal(hour)} o'clock" if 1 <= hour <= 12 else f"{cardinal(hour)} hundred"
    else:
        words = f"{cardinal(hour)} {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    if match["second"] not in (None, "00"):
        words += f" and {cardinal(int(match['second']))} second{'' if match['second'] == '01' else 's'}"
    return words if half is None else f"{words} {half}"


@rule(r"\d", rf"(?<![\w:.,$£€])(?P<hour>1[0-2]|0?[1-9]){_HALF}(?!\w)", then="a")
def _hour(match: Match) -> str | None:
    return f"{cardinal(int(match['hour']))} {_half(match)}"


@rule(r"\s\-–", r"(?<=[\dmM.nt])\s?[-–]\s?(?=(?:[01]?\d|2[0-3])(?::[0-5]\d(?!\d)|(?:\.[0-5]\d)?\s?[AaPp]\.?[Mm]\b))")
def _until(match: Match) -> str | None:
    """The dash in "9am-5pm" and "10:30-11:30"."""
    return " to "


def _half(match: Match) -> str | None:
    """Return "AM" or "PM"; a dot that also ends the sentence stays."""
    letter = match["half"] or match["bare_half"]
    if letter is None:
        return None
    return f"{letter.upper()}M" + (full_stop(match) if match[0].endswith(".") else "")


RULES = (
    _iso_date, _year_first, _digits_date, _numeric_date, _dotted_date, _hyphenated_date, _hyphenated_month, _month_and_year,
    _day_of_a_year, _to_a_decade, _short_decades, _clock_with_dot, _clock_by_its_words, _days_of_month, _month_day,
    _month_year, _day_month, _month_abbreviation, _weekdays, _weekday, _decade, _short_year, _clock, _hour, _until,
)  # fmt: skip
