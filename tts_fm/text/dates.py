"""Dates and decades in words."""

from __future__ import annotations

from tts_fm.text.months import ALSO_WORDS, MONTH, MONTHS, THEN_MONTH, date, month_number, year_of
from tts_fm.text.numbers import cardinal, ordinal, plural, year
from tts_fm.text.rules import Match, counts_things, full_stop, next_word, previous_word, rule
from tts_fm.text.units import UNITS

_ENDING = r"(?:st|nd|rd|th)?(?![\w%]|[.:]\d|[-–]\w{3})"
_DAY = rf"(?P<day>[12]\d|3[01]|0?[1-9]){_ENDING}"
_YEAR = r"(?P<year>[1-9]\d{3})(?![\w%]|[.,]\d)"
_BEFORE_A_DATE = frozenset("on by until till since from in before after and to of between".split())
_BEFORE_A_SHORT_YEAR = _BEFORE_A_DATE | frozenset(
    "during back class summer spring autumn fall winter early late mid january february march april may june july august "
    "september october november december jan feb mar apr jun jul aug sep sept oct nov dec".split()
)


@rule(
    r"\d",
    r"(?<![\w-])(?P<year>[12]\d{3})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12]\d|3[01])(?:T(?=\d\d:)|(?![\w-]))",
)
def _iso_date(match: Match) -> str | None:
    words = date(int(match["month"]), int(match["day"]), match["year"])
    return f"{words}, " if words is not None and match[0].endswith("T") else words


@rule(
    r"\d",
    r"(?<![\w/.-])(?P<year>[12]\d{3})(?:(?=/\d{1,2}/)|(?=\.\d{1,2}\.))[/.](?P<month>0?[1-9]|1[0-2])[/.](?P<day>0?[1-9]|[12]\d|3[01])(?![\w/-]|\.\d)",
)
def _year_first(match: Match) -> str | None:
    return date(int(match["month"]), int(match["day"]), match["year"])


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
    return f"{MONTHS[int(match['month'] or match['m']) - 1]} {year_of(match['year'] or match['y'])}"


@rule(
    r"\d", r"(?<![\w.,$£€-])(?P<year>19\d\d|20\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])(?![\w-]|[.,]\d)"
)
def _digits_date(match: Match) -> str | None:
    """ "20240115"."""
    return date(int(match["month"]), int(match["day"]), match["year"])


@rule(r"\d", r"(?<![\w.,/$£€-])(?P<day>[0-3]\d)\.(?P<month>[01]\d)\.(?P<year>\d\d)(?!\w|[.,]\d)")
def _dotted_date(match: Match) -> str | None:
    """ "31.12.99"; behind "version" it is none."""
    is_version = previous_word(match).lower() in ("version", "release", "ver", "build", "firmware", "ubuntu")
    return None if is_version else date(int(match["month"]), int(match["day"]), match["year"])


@rule(
    r"\d",
    rf"(?<![\w.,/$£€-])(?P<day>[12]\d|3[01]|0?[1-9])-(?P<month>{'|'.join(month[:3] for month in MONTHS)})[a-z]{{0,6}}"
    r"(?:-(?P<year>\d{4}|\d\d))?(?![\w-])",
    then=r"\-",
)
def _hyphenated_date(match: Match) -> str | None:
    """ "5-Jan-2024"."""
    return date(month_number(match["month"]), int(match["day"]), match["year"])


@rule("JFMASOND", rf"(?<!\w)(?P<month>{'|'.join(month[:3] for month in MONTHS)})-(?P<year>(?:19|20)\d\d)(?![\w-])")
def _hyphenated_month(match: Match) -> str | None:
    return f"{MONTHS[month_number(match['month']) - 1]} {year_of(match['year'])}"


@rule(
    "ONBSDAFonbsdaf",
    r"(?<!\w)(?P<word>[Oo]n|[Bb]y|[Ss]ince|[Uu]ntil|[Dd]ue|[Bb]efore|[Aa]fter|[Ff]rom) "
    r"(?P<a>\d{1,2})/(?P<b>\d{1,2})(?![\w/]|[.,]\d| [a-z]+s\b)",
)
def _day_of_a_year(match: Match) -> str | None:
    """ "on 12/25"."""
    words = date(int(match["a"]), int(match["b"]), None) or date(int(match["b"]), int(match["a"]), None)
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
        return date(int(match["d"]), first, match["z"]) or date(first, int(match["d"]), match["z"])
    return date(first, int(match["b"]), match["y"]) or date(int(match["b"]), first, match["y"])


@rule(
    "JFMASOND",
    rf"(?<!\w){MONTH} (?P<day>[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?\s?[-–]\s?"
    rf"(?P<to>[12]\d|3[01]|0?[1-9]){_ENDING}(?:,? {_YEAR})?",
)
def _days_of_month(match: Match) -> str | None:
    month = MONTHS[month_number(match["month"]) - 1]
    words = f"{month} {ordinal(int(match['day']))} to {ordinal(int(match['to']))}"
    return words if match["year"] is None else f"{words}, {year_of(match['year'])}"


_TO = r"\s?(?:[-–]|to)\s?"
_PLAIN_DAY = r"(?P<{d}>[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?"


@rule(
    "JFMASOND",
    rf"(?<!\w){MONTH} {_PLAIN_DAY.format(d='day')}{_TO}{THEN_MONTH} {_PLAIN_DAY.format(d='until')}{_ENDING}(?:,? {_YEAR})?",
)
def _months_and_days(match: Match) -> str | None:
    """ "July 4-Aug. 6"."""
    first, last = (
        date(month_number(match["month"]), int(match["day"]), None),
        date(month_number(match["then"]), int(match["until"]), match["year"]),
    )
    return f"{first} to {last}"


@rule(
    r"\d",
    rf"(?<![\w.,:/$£€-]){_PLAIN_DAY.format(d='day')}(?: {MONTH})?{_TO}{_PLAIN_DAY.format(d='until')} {THEN_MONTH}(?!\w)"
    rf"(?:,? {_YEAR})?",
    then=r"a\-–",
)
def _days_and_months(match: Match) -> str | None:
    """ "30 June-2 July" and "4-6 July"."""
    if (
        match["month"] is None
        and match["then"] in ALSO_WORDS
        and match["year"] is None
        and not full_stop(match)
        and next_word(match).islower()
    ):
        return None  # "5-10 may come"
    of = "" if match["month"] is None else f" of {MONTHS[month_number(match['month']) - 1]}"
    the = "" if match.string[max(0, match.start() - 4) : match.start()].lower() == "the " else "the "
    words = f"{the}{ordinal(int(match['day']))}{of} to {'the ' if of else ''}{ordinal(int(match['until']))} of "
    words += MONTHS[month_number(match["then"]) - 1]
    return (words if match["year"] is None else f"{words}, {year_of(match['year'])}") + full_stop(match)


@rule("JFMASOND", rf"(?<!\w){MONTH} {_DAY}(?:,? {_YEAR})?")
def _month_day(match: Match) -> str | None:
    """Not of "May 5 people enter?", nor of "March 10 miles"."""
    is_counting = match[0][-1].isdecimal() and match["year"] is None and counts_things(match)
    is_measured = match[0][-1].isdecimal() and next_word(match) in UNITS
    is_dated = previous_word(match).lower() in _BEFORE_A_DATE
    if match["month"] in ALSO_WORDS and (is_counting or is_measured) and not is_dated:
        return None
    return date(month_number(match["month"]), int(match["day"]), match["year"])


@rule("JFMASOND", rf"(?<!\w){MONTH},? {_YEAR}")
def _month_year(match: Match) -> str | None:
    return f"{MONTHS[month_number(match['month']) - 1]} {year_of(match['year'])}"


@rule(r"\dTt", rf"(?<![\w.,:/$£€-])(?P<the>[Tt]he )?{_DAY} (?:of )?{MONTH}(?!\w)(?:,? {_YEAR})?", then="a")
def _day_month(match: Match) -> str | None:
    if match["the"] is None and match.string[max(0, match.start() - 4) : match.start()].lower() == "the ":
        return None
    month = MONTHS[month_number(match["month"]) - 1]
    words = f"{match['the'] or 'the '}{ordinal(int(match['day']))} of {month}"
    return words if match["year"] is None else f"{words}, {year_of(match['year'])}"


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


RULES = (
    _iso_date, _year_first, _digits_date, _numeric_date, _dotted_date, _hyphenated_date, _hyphenated_month, _month_and_year,
    _day_of_a_year, _to_a_decade, _short_decades, _months_and_days, _days_of_month, _month_day, _month_year,
    _days_and_months, _day_month, _decade, _short_year,
)  # fmt: skip
