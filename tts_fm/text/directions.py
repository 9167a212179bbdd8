"""A text with directions for how to say it, in stretches that are said alike: what every notation of mark-up means."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tts_fm.audio.join import PARAGRAPH_PAUSE, PAUSE
from tts_fm.errors import InputError
from tts_fm.text.clean import clean, says_something
from tts_fm.text.lexicon import Entry, Lexicon
from tts_fm.text.numbers import digits

MIN_RATE, MAX_RATE, MAX_PAUSE = 0.25, 4.0, 60.0
_LETTER_A = "ay"  # a single A would be read as the article
_SECONDS = re.compile(r"(\d{1,6}(?:\.\d{1,6})?|\.\d{1,6})(ms|s)")
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)]*$")


@dataclass(frozen=True)
class Stretch:
    """Words that are said alike.

    Attributes:
        text: the words.
        voice: who says them; None is whoever speaks without a direction.
        rate: how many times as fast as the voice speaks; None is as it does.
        pause: seconds of silence before them; None is a change of voice, which has a pause of its own.
        lexicon: how single words of them are read.
    """

    text: str
    voice: str | None = None
    rate: float | None = None
    pause: float | None = None
    lexicon: Lexicon | None = None


class Script:
    """Takes words and directions in their order, and tells the stretches; ``where`` is the place of each, for errors."""

    def __init__(self) -> None:
        self._done: list[Stretch] = []
        self._text = ""
        self._entries: list[Entry] = []
        self._voice: str | None = None
        self._rate: float | None = None
        self._pause: float | None = 0.0
        self._last_pause_at = ""

    @property
    def voice(self) -> str | None:
        """Who speaks now."""
        return self._voice

    @property
    def rate(self) -> float | None:
        """How fast it is said now."""
        return self._rate

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
        named = [digits(c) if c.isdecimal() else _LETTER_A if c in "aA" else c.upper() for c in word if c.isalnum()]
        if not named:
            raise InputError(f"{where}: there is no letter or digit to spell; give a word")
        self._read(Entry(word, ", ".join(named), where))

    def pause(self, seconds: float, where: str) -> None:
        """Be silent for so long; pauses that follow each other add up."""
        if not says_something(self._text) and not self._done:
            raise InputError(f"{where}: a pause lies between words, and there are none before it; leave it out")
        is_first = says_something(self._text)
        self._end()
        self._pause = seconds if is_first or not self._last_pause_at else (self._pause or 0.0) + seconds
        self._last_pause_at = where

    def sentence(self) -> None:
        """End a sentence, as by a full stop where no mark does."""
        said = self._text.rstrip()
        self._text = f"{said}. " if said[-1:].isalnum() else f"{said} "

    def paragraph(self) -> None:
        """Begin a paragraph."""
        if says_something(self._text):
            self._end()
            self._pause = PARAGRAPH_PAUSE

    def change(self, voice: str | None, rate: float | None) -> None:
        """Go on in this voice and at this rate."""
        if (voice, rate) == (self._voice, self._rate):
            return
        said = self._text
        if says_something(said):
            self._end()
            self._pause = PAUSE if _SENTENCE_END.search(said.rstrip()) else 0.0
        if voice != self._voice and not self._last_pause_at:
            self._pause = None
        self._voice, self._rate = voice, rate

    def stretches(self) -> tuple[Stretch, ...]:
        """Return what has been said. Raises InputError where that is nothing."""
        if self._last_pause_at and not says_something(self._text):
            raise InputError(
                f"{self._last_pause_at}: a pause lies between words, and there are none behind it; leave it out"
            )
        self._end()
        if not self._done:
            raise InputError("the text has no words between its tags; give at least one")
        return tuple(self._done)

    def _read(self, entry: Entry) -> None:
        """Go on with the word of ``entry``, which counts for this one occurrence."""
        n_before = len(entry.places(clean(self._text)))
        self._entries.append(replace(entry, nth=n_before))
        self._text += entry.word

    def _end(self) -> None:
        """End the stretch; what has no words joins the one before it."""
        text, self._text = self._text.strip(), ""
        if not says_something(text):
            if text and self._done:
                self._done[-1] = replace(self._done[-1], text=self._done[-1].text + text)
            return
        for entry in self._entries:
            assert entry.nth is not None
            if len(entry.places(clean(text))) <= entry.nth:
                raise InputError(f"{entry.where}: {entry.word!r} is a part of a word; mark the whole word")
        lexicon = Lexicon(tuple(self._entries)) if self._entries else None
        self._done.append(Stretch(text, self._voice, self._rate, self._pause, lexicon))
        self._entries, self._pause, self._last_pause_at = [], 0.0, ""


def seconds(written: str, where: str) -> float:
    """Return the seconds of "0.5s" or "500ms". Raises InputError."""
    found = _SECONDS.fullmatch(written.strip())
    value = -1.0 if found is None else float(found[1]) / (1000 if found[2] == "ms" else 1)
    if not 0 <= value <= MAX_PAUSE:
        raise InputError(
            f"{where}: {written!r} is no length of a pause; write seconds as 0.5s, or 500ms, {MAX_PAUSE:g}s at most"
        )
    return value


def rate(value: float, where: str) -> float:
    """Return ``value``. Raises InputError where nobody speaks so fast or so slowly."""
    if not MIN_RATE <= value <= MAX_RATE:
        raise InputError(f"{where}: a rate of {value:g} is out of range; give {MIN_RATE:g} to {MAX_RATE:g}, 1 is as usual")
    return value


def place(text: str, offset: int) -> str:
    """Return which line and column of ``text`` this is, both from 1."""
    before = text[:offset]
    return f"line {before.count(chr(10)) + 1}, column {offset - before.rfind(chr(10))}"
