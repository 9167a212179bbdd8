"""Times of day and how long something takes, in words."""

from __future__ import annotations

import re

from tts_fm.text.numbers import cardinal, number
from tts_fm.text.rules import SIGNS, Match, full_stop, next_word, previous_word, rule

_COMPARED = frozenset("scale ratio odds dilution favorite favourite replica".split())
_IS_COMPARED = re.compile(r"(?:scale|ratio|odds)(?: (?:of|is|was))? $")
_DAYTIME = (
    "in the (?:morning|afternoon|evening)|at night|o'clock|o’clock|sharp|tonight|tomorrow|today|"
    "this (?:morning|afternoon|evening)"
)
_TRAVEL = (
    "trains?|bus|flight|ferry|service|news|tram|express|departure|showing|screening|slot|meeting|appointment|class"
)
_HALF = r"\s?(?:(?P<half>[AaPp])\.\s?[Mm]\b\.?|(?P<bare_half>[AaPp])[Mm]\b)"
_BEFORE_A_TIME = frozenset("at by from until till before after around to".split())


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


@rule(
    r"\d",
    r"(?<![\d:.])(?P<hour>[01]?\d|2[0-3]|24(?=:00(?!:(?!00))))[:h](?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?![:\d]|\.\d)"
    rf"(?:{_HALF})?Z?(?!\w)",
    then="a:",
)
def _clock(match: Match) -> str | None:
    hour, minute = int(match["hour"]), int(match["minute"])
    half = _half(match)
    if half is None and (next_word(match) in _COMPARED or _IS_COMPARED.search(match.string[: match.start()][-12:])):
        return None
    if match[0] in ("00:00", "24:00", "24:00:00"):
        words = "midnight"
    elif minute == 0 and half is not None:
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


@rule(r"\s\-–", r"(?<=[\dmM.nt])\s?[-–]\s?(?=(?:[01]?\d|2[0-4])(?::[0-5]\d(?!\d)|(?:\.[0-5]\d)?\s?[AaPp]\.?[Mm]\b))")
def _until(match: Match) -> str | None:
    """The dash in "9am-5pm" and "10:30-11:30"."""
    return " to "


@rule(r"\d", r"(?<![\w:.,$£€])(?P<minutes>\d{1,2}):(?P<seconds>[0-5]\d\.\d{1,3})(?![\w:]|\.\d)", then=":")
def _lap(match: Match) -> str | None:
    """ "1:23.45"."""
    return f"{number(match['minutes'])} {'oh ' if match['seconds'][0] == '0' else ''}{number(match['seconds'].lstrip('0'))}"


@rule(
    r"\d",
    r"(?<![\w:.,$£€-])(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)(?: ?(?P<hours>hours|hrs?\b\.?)|(?![\w%]|[.,:/-]\d|\s[a-z]+s\b))",
)
def _four_digits(match: Match) -> str | None:
    """ "0800 hours", "at 0930"; "1500 hours" may be many, unless "at" or the like stands before."""
    is_told = previous_word(match).lower() in _BEFORE_A_TIME
    begins = match["hour"][0] == "0"
    if not (is_told and (begins or match["hours"])) and not (begins and match["hours"]):
        return None
    hour, minute = int(match["hour"]), int(match["minute"])
    words = f"{'oh ' if 0 < hour < 10 else ''}{cardinal(hour)} "
    words += "hundred" if minute == 0 else f"{'oh ' if minute < 10 else ''}{cardinal(minute)}"
    return words + (" hours" if match["hours"] else "") + (full_stop(match) if match[0].endswith(".") else "")


@rule(
    "UGZ\\d+-−",
    r"(?P<zone>(?<!\w)(?:UTC|GMT))\s?(?P<sign>[-−+±])(?P<hours>\d{1,2})(?::?(?P<minutes>[0-5]\d))?(?![\w:])|"
    r"(?<=[0-5]\d)(?P<behind>[-−+])(?P<h>[01]\d):(?P<m>[0-5]\d)(?![\w:])",
)
def _zone(match: Match) -> str | None:
    """ "UTC-05:00", and "+01:00" behind a time."""
    before = match.string[max(0, match.start() - 15) : match.start()]
    if match["behind"] and re.search(r"(?:T\d\d:\d\d|:\d\d:\d\d(?:\.\d{1,6})?)$", before) is None:
        return None
    sign, hours, minutes = (
        match["sign"] or match["behind"],
        match["hours"] or match["h"],
        match["minutes"] or match["m"],
    )
    words = f"{SIGNS[sign]}{_with_minutes(hours, minutes or '0')}"
    return f"{match['zone'] or ''} {words}"


@rule(
    r"\d",
    r"(?<![\w.,])(?:(?P<h>\d{1,3}) ?h ?(?P<m>[0-5]?\d) ?m(?:in)?(?: ?(?P<s>[0-5]?\d) ?s(?:ec)?)?|"
    r"(?P<minutes>\d{1,3}) ?m(?:in)? ?(?P<seconds>[0-5]?\d) ?s(?:ec)?|"
    r"(?P<marked>\d{1,3})['’] ?(?P<mark>1[2-9]|[2-5]\d)[\"”])(?!\w)",
    then="a'’",
)
def _lasting(match: Match) -> str | None:
    """ "2h30m", "1m30s" and 3'30"; feet have at most eleven inches."""
    parts = (
        (match["h"], "hour"),
        (match["m"] or match["minutes"] or match["marked"], "minute"),
        (match["s"] or match["seconds"] or match["mark"], "second"),
    )
    return " ".join(f"{cardinal(int(n))} {name}{'' if int(n) == 1 else 's'}" for n, name in parts if n is not None)


def _half(match: Match) -> str | None:
    """Return "AM" or "PM"; a dot that also ends the sentence stays."""
    letter = match["half"] or match["bare_half"]
    if letter is None:
        return None
    return f"{letter.upper()}M" + (full_stop(match) if match[0].endswith(".") else "")


RULES = (_clock_with_dot, _clock_by_its_words, _lap, _lasting, _clock, _zone, _four_digits, _hour, _until)
