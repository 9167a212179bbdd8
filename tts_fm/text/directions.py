"""A text with directions for how to say it, in stretches that are said alike: what every notation of mark-up means."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

from tts_fm.errors import InputError
from tts_fm.text.clean import clean, says_something
from tts_fm.text.lexicon import Entry, Lexicon
from tts_fm.text.markup import without_markup
from tts_fm.text.numbers import digits

MIN_RATE, MAX_RATE, MAX_PAUSE = 0.25, 4.0, 60.0
_SECONDS = re.compile(r"(\d{1,6}(?:\.\d{1,6})?|\.\d{1,6})(ms|s)")
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)]*$")
_MARKS = re.compile("[.,;:!?…”)]*")


class Break(Enum):
    """What lies between two stretches where no length of a pause is given."""

    NOTHING = "nothing"
    SENTENCE = "sentence"
    PARAGRAPH = "paragraph"
    VOICE = "voice"


@dataclass(frozen=True)
class Stretch:
    """Words that are said alike.

    Attributes:
        text: the words.
        voice: who says them; None is whoever speaks without a direction.
        rate: how many times as fast as the voice speaks; None is as it does.
        pause: the silence before them, in seconds or by what lies there.
        lexicon: how single words of them are read.
    """

    text: str
    voice: str | None = None
    rate: float | None = None
    pause: float | Break = Break.NOTHING
    lexicon: Lexicon | None = None


@dataclass(frozen=True)
class Bounds:
    """What a text may ask for by its mark-up: directions, and stretches, each said by itself; seconds of silence in all."""

    directions: int
    silence: float


STRANGERS = Bounds(directions=200, silence=60.0)
"""For whoever sends a text to a page or a server, and must not keep the others waiting for hours."""


class Script:
    """Takes words and directions in their order, and tells the stretches; ``where`` is the place of each, for errors.

    Without ``bounds`` there may be as many directions as one likes.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds
        self._n_directions, self._silence = 0, 0.0
        self._done: list[Stretch] = []
        self._text = ""
        self._entries: list[Entry] = []
        self._voice: str | None = None
        self._rate: float | None = None
        self._pause: float | Break = Break.NOTHING
        self._last_pause_at = ""

    @property
    def voice(self) -> str | None:
        """Who speaks now."""
        return self._voice

    @property
    def rate(self) -> float | None:
        """How fast it is said now."""
        return self._rate

    def count(self, where: str) -> None:
        """Count a direction. Raises InputError where there are too many."""
        self._n_directions += 1
        if self._bounds is not None and self._n_directions > self._bounds.directions:
            raise InputError(
                f"{where}: the text has more than {self._bounds.directions:,} tags, which is the most that is taken here; "
                f"give it in parts"
            )

    def say(self, text: str) -> None:
        """Go on with ``text``."""
        self._text += text

    def say_as(self, word: str, sounds: str, where: str) -> None:
        """Go on with ``word``, read by symbols of the International Phonetic Alphabet."""
        (entry,) = Lexicon.of([(where, f"{' '.join(word.split())}\t/{sounds.strip().strip('/')}/")]).entries
        self._read(entry)

    def spell(self, word: str, where: str) -> None:
        """Go on with ``word``, letter by letter and digit by digit."""
        word = " ".join(word.split())
        named = [digits(c) if c.isdecimal() else c.upper() for c in word if c.isalnum()]
        if not named:
            raise InputError(f"{where}: there is no letter or digit to spell; give a word")
        self._read(Entry(word, ", ".join(named), where))

    def pause(self, seconds: float, where: str) -> None:
        """Be silent for so long; pauses that follow each other add up."""
        if says_something(self._text):
            self._end()
        if not self._done:
            raise InputError(f"{where}: a pause lies between words, and there are none before it; leave it out")
        self._pause = seconds + (self._pause if isinstance(self._pause, float) else 0.0)
        self._silence += seconds
        if self._pause > MAX_PAUSE:
            raise InputError(f"{where}: the pauses here last {self._pause:g} s together; give {MAX_PAUSE:g}s at most")
        if self._bounds is not None and self._silence > self._bounds.silence:
            raise InputError(
                f"{where}: the pauses of the text last more than {self._bounds.silence:g} s together, which is the most that "
                f"is taken here; make them shorter, or give the text in parts"
            )
        self._last_pause_at = where

    def sentence(self) -> None:
        """End a sentence, as by a full stop where no mark does."""
        said = self._text.rstrip()
        self._text = f"{said}. " if said[-1:].isalnum() else f"{said} "

    def paragraph(self) -> None:
        """Begin a paragraph."""
        if says_something(self._text):
            self._end()
            self._pause = Break.PARAGRAPH

    def change(self, voice: str | None, rate: float | None) -> None:
        """Go on in this voice and at this rate."""
        if (voice, rate) == (self._voice, self._rate):
            return
        self._end()
        if voice != self._voice and isinstance(self._pause, Break):
            self._pause = Break.VOICE
        self._voice, self._rate = voice, rate

    def stretches(self) -> tuple[Stretch, ...]:
        """Return what has been said. Raises InputError where that is nothing, or too many."""
        if self._last_pause_at and not says_something(self._text):
            raise InputError(
                f"{self._last_pause_at}: a pause lies between words, and there are none behind it; leave it out"
            )
        self._end()
        if not self._done:
            raise InputError("the text has no words between its tags; give at least one")
        if self._bounds is not None and len(self._done) > self._bounds.directions:
            raise InputError(
                f"the text falls into {len(self._done):,} stretches, of which {self._bounds.directions:,} are the most that is "
                f"taken here; give it in parts"
            )
        return tuple(self._done)

    def _read(self, entry: Entry) -> None:
        """Go on with the word of ``entry``, which counts for this one occurrence."""
        n_before = len(entry.places(clean(without_markup(self._text))))
        self._entries.append(replace(entry, nth=n_before))
        self._text += entry.word

    def _end(self) -> None:
        """End the stretch; marks without a space before them end the one before it, and so does what has no words."""
        text, self._text = self._text, ""
        marks = _MARKS.match(text) if says_something(text) else re.match(r".*", text.strip(), re.DOTALL)
        if marks is not None and self._done:
            self._done[-1] = replace(self._done[-1], text=self._done[-1].text + marks[0])
            text = text[marks.end() :]
        if not says_something(text):
            return
        for entry in self._entries:
            if entry.nth is None or len(entry.places(clean(without_markup(text)))) <= entry.nth:
                raise InputError(f"{entry.where}: {entry.word!r} does not stand there as a whole word; mark all of it")
        if self._pause is Break.NOTHING and self._done and _SENTENCE_END.search(self._done[-1].text):
            self._pause = Break.SENTENCE
        lexicon = Lexicon(tuple(self._entries)) if self._entries else None
        self._done.append(Stretch(text.strip(), self._voice, self._rate, self._pause, lexicon))
        self._entries, self._pause, self._last_pause_at = [], Break.NOTHING, ""


def seconds(written: str, where: str) -> float:
    """Return the seconds of "0.5s" or "500ms". Raises InputError."""
    match = _SECONDS.fullmatch(written.strip())
    value = -1.0 if match is None else float(match[1]) / (1000 if match[2] == "ms" else 1)
    if not 0 <= value <= MAX_PAUSE:
        raise InputError(
            f"{where}: {written!r} is no length of a pause; write seconds as 0.5s, or 500ms, {MAX_PAUSE:g}s at most"
        )
    return value


def rate(value: float, where: str) -> float:
    """Return ``value``. Raises InputError where nobody speaks so fast or so slowly."""
    if not MIN_RATE <= value <= MAX_RATE:
        raise InputError(
            f"{where}: a rate of {value:g} is out of range; give {MIN_RATE:g} to {MAX_RATE:g}, 1 is as usual"
        )
    return value


def place(text: str, offset: int) -> str:
    """Return which line and column of ``text`` this is, both from 1."""
    before = text[:offset]
    return f"line {before.count(chr(10)) + 1}, column {offset - before.rfind(chr(10))}"
