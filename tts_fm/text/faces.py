"""Faces and hearts of punctuation, and pictures: they say nothing, but a heart may be a verb."""

from __future__ import annotations

import re

from tts_fm.text.rules import Match, any_of, counts_things, next_word, previous_word, rule
from tts_fm.text.tables import rows, words
from tts_fm.text.units import UNITS

_FACES = {face: "touching" in rest for face, *rest in rows("emoticons") if face not in ("heart", "lover", "compared")}
_TOUCHING = [face for face, touches in _FACES.items() if touches]
_HEARTS = words("emoticons", "heart")
_LOVERS, _COMPARED = words("emoticons", "lover"), words("emoticons", "compared")
_STARTS = r"\d" + "".join(re.escape(first) for first in sorted({face[0] for face in _FACES}))
_AFTER = r"(?=[\s.,!?;:…)\"'”’]|$)"
_PICTOGRAMS = "\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\u20e3\ufffd\U0001f000-\U0001faff"


@rule(
    _STARTS,
    rf"(?:(?<!\S){any_of(_FACES)}|(?<=[a-zA-Z!?.]){any_of(_TOUCHING)})(?P<more>\){{0,5}}){_AFTER}",
)
def _emoticon(match: Match) -> str | None:
    """A bracket behind the face closes what is open: "(hello :))"."""
    before = match.string[max(0, match.start() - 200) : match.start()]
    return ")" if match["more"] and before.count("(") > before.count(")") else ""


@rule("<♥❤💕💖💗💙💚💛💜🧡🖤🤍", rf"(?<![^\s\"'(a-zA-Z.!?]){any_of(_HEARTS)}(?!\d|[.,]\d)")
def _heart(match: Match) -> str | None:
    """ "I <3 NY" is love, "love you <3" says nothing, "a score <3" compares."""
    before, after = previous_word(match).lower(), next_word(match)
    is_number = before.isdecimal() and not match.string[: match.start()].rstrip().endswith(f"<{before}")
    is_written = match[0][0] == "<"
    follows = match.string[match.end() : match.end() + 1]
    if is_written and (
        before in _COMPARED
        or is_number
        or (follows and follows not in " .,!?…)")
        or counts_things(match)
        or after in UNITS
    ):
        return None
    if before in _LOVERS and after[:1].isalpha():
        return " love "
    return ""


@rule(_PICTOGRAMS, f"[{_PICTOGRAMS}]{{1,1000}}")
def _pictogram(match: Match) -> str | None:
    return ""


FIRST = (_emoticon, _heart)
"""Before everything else."""

LAST = (_pictogram,)
"""Behind signs that have a name."""
