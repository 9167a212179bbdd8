"""Subtitles, SubRip and WebVTT: written from the times of words, and read to be spoken; the times of words as JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path

from tts_fm import atomic, small_file
from tts_fm.errors import ArgumentError, InputError
from tts_fm.text.chunk import chunk, sentences
from tts_fm.timing import SpokenWord

LINE = 42
"""Characters of a line, as television has them."""
_LINES = 2  # of a cue
_MAX_BYTES = 10_000_000
_TIME = re.compile(r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})")
_TIMING = re.compile(rf"\s*({_TIME.pattern})\s*-->\s*({_TIME.pattern})(?:\s.*)?")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_MARK = re.compile(r"</?[a-zA-Z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")  # <i>, </b>, <00:01.000>, {\an8}
_SPEAKER = re.compile(r"\[(?P<tag>[\w.-]+)\]\s*|(?P<name>[^\W\d_][\w.-]{0,30}):\s+")
_SOUND = re.compile(r"[\[(][^\])a-z]*[\])]|\[[^\]]*\s[^\]]*\]|[♪♫]")  # [MUSIC], (SIGHS), [a door slams]
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&nbsp;": " ", "&lrm;": "", "&rlm;": "", "&amp;": "&"}


@dataclass(frozen=True)
class Cue:
    """What is shown from ``start`` to ``end``, in seconds; ``speaker`` says it, where the file names somebody."""

    start: float
    end: float
    text: str
    speaker: str | None = None


def cues(words: Sequence[SpokenWord], line: int = LINE, *, by_word: bool = False) -> list[Cue]:
    """Return ``words`` as cues of a sentence each, or, where that is longer than two lines, a part of one.

    Args:
        words: what was said.
        line: the most characters of a line; only a word that is longer is broken.
        by_word: a cue for each word instead.

    Raises:
        ValueError: a line of less than 10 characters.
    """
    if line < 10:
        raise ValueError(f"a line of {line} characters holds hardly a word; give at least 10")
    if by_word:
        return [Cue(word.start, word.end, word.text) for word in words]
    blocks = [
        lines[i : i + _LINES]
        for sentence in sentences(" ".join(word.text for word in words))
        for lines in [chunk(sentence, line)]
        for i in range(0, len(lines), _LINES)
    ]
    ends = list(accumulate(_letters(word.text) for word in words))
    borders = accumulate((sum(map(_letters, block)) for block in blocks), initial=0)
    made: list[Cue] = []
    for block, (first, last) in zip(blocks, pairwise(borders), strict=True):
        begins = next(i for i, end in enumerate(ends) if end > first)
        finishes = next(i for i, end in enumerate(ends) if end >= last)
        made.append(Cue(words[begins].start, words[finishes].end, "\n".join(block)))
    return made


def _letters(text: str) -> int:
    return len("".join(text.split()))


def to_srt(shown: Iterable[Cue]) -> str:
    """Return a SubRip file."""
    return "".join(
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{cue.text}\n\n"
        for number, cue in enumerate(shown, 1)
    )


def to_vtt(shown: Iterable[Cue]) -> str:
    """Return a WebVTT file."""
    return "WEBVTT\n\n" + "".join(
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_escaped(cue.text)}\n\n" for cue in shown
    )


def to_json(words: Sequence[SpokenWord], text: str, seconds: float) -> str:
    """Return the times of ``words`` as JSON: the whole ``text``, its length, and each word with its start and end."""
    listed = [{"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3)} for word in words]
    return (
        json.dumps({"text": text, "seconds": round(seconds, 3), "words": listed}, ensure_ascii=False, indent=1) + "\n"
    )


def save(text: str, path: Path) -> None:
    """Write ``text`` to ``path``, whole or not at all. Raises ValueError where that cannot be written."""
    try:
        with atomic.replacing(path) as beside:
            beside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}; name a file in a folder that is there") from None


def load(path: Path) -> list[Cue]:
    """Return the cues of a SubRip or WebVTT file, in order of time. Raises InputError as :func:`parse`."""
    try:
        text = small_file.read_text(path, _MAX_BYTES)
    except ValueError as error:
        raise InputError(str(error)) from None
    return parse(text, str(path))


def parse(text: str, name: str = "the subtitles") -> list[Cue]:
    """Return the cues of a SubRip or WebVTT file, in order of time, without its marks of style.

    WebVTT tells who speaks by ``<v name>``; see :func:`with_speakers` for other ways. Sounds, ``[MUSIC]`` or ``[a door
    slams]``, are left out, and so are cues that then say nothing.

    Raises:
        InputError: no cues, or one whose times cannot be; the line is named.
    """
    read: list[Cue] = []
    lines = text.removeprefix("\ufeff").splitlines()
    i = 0
    while i < len(lines):
        timing = _TIMING.fullmatch(lines[i])
        if timing is None and "-->" in lines[i] and not lines[i].startswith("NOTE"):
            raise InputError(
                f"{name}, line {i + 1}: {lines[i].strip()!r} is no time; write 00:00:01,000 --> 00:00:02,500"
            )
        i += 1
        if timing is None:
            continue
        start, end = (_seconds(timing[place]) for place in (1, 6))
        if not start < end:
            raise InputError(
                f"{name}, line {i}: the cue ends at {end:g} s, before it begins at {start:g} s; mend its times"
            )
        first = i
        while i < len(lines) and lines[i].strip() and "-->" not in lines[i]:
            i += 1
        cue = _cue(start, end, " ".join(lines[first:i]))
        if any(character.isalnum() for character in cue.text):
            read.append(cue)
    if not read:
        raise InputError(f"{name}: there are no cues in it; give a SubRip (.srt) or WebVTT (.vtt) file")
    return sorted(read, key=lambda cue: cue.start)


def speakers(shown: Iterable[Cue]) -> list[str]:
    """Return who surely speaks: by ``[name]`` before the words, or the file's own mark, in the order of their first cues."""
    prefixes = [(cue.speaker, _SPEAKER.match(cue.text)) for cue in shown]
    names = [prefix["tag"] if prefix is not None and speaker is None else speaker for speaker, prefix in prefixes]
    return list(dict.fromkeys(name for name in names if name is not None))


def with_speakers(shown: Sequence[Cue], names: Collection[str]) -> list[Cue]:
    """Return ``shown`` with who speaks: ``[name]`` or ``name:`` before the words, or none for whoever speaks by default.

    What stands before a colon is taken for one of ``names`` only where it is (in capitals, too): "Note: ..." is text.

    Raises:
        ValueError: ``[name]``, or the file's own mark, is none of ``names``.
    """
    known = {name.lower(): name for name in names}
    named: list[Cue] = []
    for number, cue in enumerate(shown, 1):
        prefix = _SPEAKER.match(cue.text)
        speaker, text = cue.speaker, cue.text
        if speaker is None and prefix is not None and (prefix["tag"] or prefix["name"].lower() in known):
            speaker, text = prefix["tag"] or prefix["name"], cue.text[prefix.end() :]
        if speaker is not None and speaker.lower() not in known:
            raise ArgumentError(
                f"cue {number}: there is no voice {speaker!r}; there are {', '.join(sorted(names))}; "
                f"give {speaker!r} one, or write (...) around what is not said",
                "voice",
            )
        named.append(replace(cue, text=text, speaker=None if speaker is None else known[speaker.lower()]))
    return named


def _cue(start: float, end: float, text: str) -> Cue:
    voice = _VOICE.search(text)
    plain = _MARK.sub("", text)
    for entity, character in _ENTITIES.items():
        plain = plain.replace(entity, character)
    plain = " ".join(_SOUND.sub(" ", plain).split()).removeprefix("- ")
    return Cue(start, end, plain, None if voice is None else voice[1].strip())


def _seconds(time: str) -> float:
    parts = _TIME.fullmatch(time)
    assert parts is not None
    hours, minutes, seconds, fraction = parts.groups()
    return 3600 * int(hours or 0) + 60 * int(minutes) + int(seconds) + int(fraction.ljust(3, "0")) / 1000


def _clock(seconds: float, point: str) -> str:
    thousandths = math.floor(1000 * max(seconds, 0.0) + 0.5)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
