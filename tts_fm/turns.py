"""Who says what: a text in which tags name voices, read into turns."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from tts_fm.audio.join import PARAGRAPH_PAUSE, PAUSE
from tts_fm.errors import InputError
from tts_fm.text import clean, ssml, tags
from tts_fm.text.directions import Bounds, Break
from tts_fm.text.lexicon import Lexicon

MAIN = "main"
"""Who speaks before the first tag."""

MIN_SPEED, MAX_SPEED, MAX_SEED = 0.1, 10, 2**32 - 1
_PAUSE = 0.4  # seconds between turns: longer than between sentences, as people do
_BREAKS = {Break.NOTHING: 0.0, Break.SENTENCE: PAUSE, Break.PARAGRAPH: PARAGRAPH_PAUSE, Break.VOICE: _PAUSE}
_TAG = re.compile(r'(?<!\\)\[(?P<name>[\w.-]+)\]|(?P<json>\{\s*"[^{}]*\})')
_WORD_IN_BRACKETS = re.compile(r"[ \t]*(?<!\\)\[(?P<name>[\w.-]+)\]")
_LOOSE = re.compile(r"(?<!\\)(?:\[[ \t]*|［\s*)(?P<name>[\w.-]+)(?:[ \t]*\]|\s*］)")
_ALIKE = 0.75  # of a name in brackets and a voice's: more likely a slip than a stage direction


@dataclass(frozen=True)
class Turn:
    """What one voice says before the next begins; ``speed`` and ``seed`` are the story's where they are None.

    ``pause`` are the seconds of silence before it, where something is said before; ``lexicon`` goes before every other one.
    """

    voice: str
    text: str
    speed: float | None = None
    seed: int | None = None
    pause: float = _PAUSE
    lexicon: Lexicon | None = None


def without_directions(text: str, names: Collection[str]) -> tuple[str, tuple[str, ...]]:
    r"""Return ``text`` without the words in brackets that are none of ``names``, and remarks that say which these were.

    ``[1]``, ``[sic]`` and ``[laughs]`` are notes and stage directions, which nobody says. ``\[`` is a bracket.

    Raises:
        InputError: such a word is nearly a name, or a name in brackets is no tag as it is written.
    """
    dropped: dict[str, None] = {}
    lower = {name.lower(): name for name in names}

    def slip(written: str, name: str) -> InputError:
        return InputError(
            f"there is no voice {written}; did you mean [{name}]? There are {', '.join(sorted(names))}; "
            f"\\[{written[1:-1]}\\] is read as text"
        )

    def kept(tag: re.Match[str]) -> str:
        if (name := tag["name"]) in names:
            return tag[0]
        if near := difflib.get_close_matches(name.lower(), lower, n=1, cutoff=_ALIKE):
            raise slip(f"[{name}]", lower[near[0]])
        dropped[f"[{name}]"] = None
        return ""

    for tag in _LOOSE.finditer(text):  # "[ town ]", and the brackets of Chinese and Japanese keyboards
        if (name := tag["name"].lower()) in lower and not _TAG.fullmatch(tag[0]):
            raise slip(tag[0], lower[name])
    text = _WORD_IN_BRACKETS.sub(kept, text)
    if not dropped:
        return text, ()
    return text, (
        f"{', '.join(dropped)} {'is no voice and was' if len(dropped) == 1 else 'are no voices and were'} left out as a note "
        f"or stage direction; voices are {', '.join(sorted(names))}, and \\[ is a bracket that is read as text",
    )


def parse(text: str) -> tuple[Turn, ...]:
    r"""Return the turns of ``text``: ``[anna] Hello. [bob] Good morning.``

    ``\[`` and ``\]`` are brackets of the text. A tag may also be written as F5-TTS's page does,
    ``{"name": "anna", "seed": 1, "speed": 0.9}``; a seed of -1 is none.

    Raises:
        InputError: a tag that cannot be understood, or a turn that cannot be spoken.
    """
    turns: list[Turn] = []
    speaking, start = Turn(MAIN, ""), 0
    for tag in [*_TAG.finditer(text), None]:
        words = text[start : len(text) if tag is None else tag.start()].strip().replace(r"\[", "[").replace(r"\]", "]")
        if words:
            turns.append(replace(speaking, text=words))
            _check(len(turns), turns[-1])
        if tag is not None:
            speaking, start = _speaking(tag), tag.end()
    if not turns:
        raise InputError("the story is empty; write what each voice says behind its tag: [main] Hello.")
    return tuple(turns)


def directed(text: str, bounds: Bounds | None = None) -> tuple[Turn, ...]:
    """Return the turns of a ``text`` with mark-up: a document of SSML, or any other with tags in square brackets.

    What others send should be within ``bounds``, such as :data:`tts_fm.text.directions.STRANGERS`.

    Raises:
        InputError: mark-up that is not understood or is beyond ``bounds``, with its line and column.
    """
    stretches = (ssml if ssml.is_ssml(text) else tags).parse(text, bounds)
    return tuple(
        Turn(
            MAIN if one.voice is None else one.voice,
            one.text,
            one.rate,
            pause=_BREAKS[one.pause] if isinstance(one.pause, Break) else one.pause,
            lexicon=one.lexicon,
        )
        for one in stretches
    )


def _check(number: int, turn: Turn) -> None:
    try:
        clean.check(turn.text)
    except InputError as error:
        raise InputError(f"turn {number}, of [{turn.voice}]: {error}") from None


def _speaking(tag: re.Match[str]) -> Turn:
    """Return a turn without words, as ``tag`` begins it."""
    if tag["name"] is not None:
        return Turn(tag["name"], "")
    on_one_line = " ".join(tag["json"].split())
    try:
        value = json.loads(tag["json"])
    except json.JSONDecodeError as error:
        raise InputError(
            f'the tag {on_one_line} is no JSON ({error.msg}); write [anna] or {{"name": "anna"}}'
        ) from None
    name, seed, speed = value.pop("name", None), value.pop("seed", None), value.pop("speed", None)
    is_named = isinstance(name, str) and name != ""
    is_seed = seed is None or (type(seed) is int and -1 <= seed <= MAX_SEED)
    is_speed = speed is None or (type(speed) in (int, float) and MIN_SPEED <= speed <= MAX_SPEED)
    if value or not (is_named and is_seed and is_speed):
        raise InputError(
            f"the tag {on_one_line} is not understood; it has a name, perhaps a speed from {MIN_SPEED} to {MAX_SPEED}, "
            f"and perhaps a whole number as seed (-1 is none), no more"
        )
    return Turn(name, "", None if speed is None else float(speed), None if seed == -1 else seed)
