"""When each word of a transcript is said in a recording, and whether to believe it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from tts_fm.alignment import forced
from tts_fm.alignment.phones import UnknownPhone
from tts_fm.alignment.phones import words as grouped
from tts_fm.audio.io import Waveform
from tts_fm.errors import InputError
from tts_fm.frontends import Frontend
from tts_fm.frontends.phonemes import Phonemes
from tts_fm.text.normalize import WrittenWord, written_words
from tts_fm.text.pronunciation import END, START

ScoredPhone = tuple[float, float, float]
"""Start and end in seconds, acoustic log likelihood per frame."""
DOUBT = -36.0
"""A word whose phones score less than this is doubtful."""


@dataclass(frozen=True)
class TimedWord:
    """A word of the transcript, when it is said, and what speaks for it.

    Attributes:
        word: as it was written, and as it is said.
        start: seconds.
        end: seconds.
        score: acoustic log likelihood per frame; 0 is best.
        is_doubtful: the recording may not say this word here.
    """

    word: WrittenWord
    start: float
    end: float
    score: float
    is_doubtful: bool


def timed_words(waveform: Waveform, transcript: str) -> list[TimedWord]:
    """Return when ``waveform`` says each word of ``transcript``, which is English.

    Raises:
        InputError: no alignment was found: the recording says something else, or the text is not English.
        ValueError: pocketsphinx is not installed.
    """
    written = written_words(transcript)
    tokens, owners = owned_tokens(_phonemes(), [word.spoken for word in written])
    try:
        said = grouped(tokens)
        alignment = forced.align_whole(forced.heard(waveform), said)
    except (forced.Implausible, UnknownPhone) as error:
        raise InputError(
            f"the words could not be found in the recording ({error}); give the words that are said in it, in English"
        ) from None
    phones: list[list[ScoredPhone]] = [[] for _ in written]
    for word, spans, scores in zip(said, alignment.spans, alignment.scores, strict=True):
        for phone, span, score in zip(word, spans, scores, strict=True):
            phones[owners[phone.tokens[0]]].append((*span, score))
    is_believed = forced.is_plausible(alignment)
    timed: list[TimedWord] = []
    for word, phones_of_word in zip(written, phones, strict=True):
        here = timed[-1].end if timed else 0.0
        timed.append(
            _timed(word, phones_of_word, is_believed)
            if phones_of_word
            else TimedWord(word, here, here, -math.inf, True)
        )
    return timed


def words_heard(waveform: Waveform, transcript: str) -> list[TimedWord]:
    """Return what :func:`timed_words` does; where it finds nothing, all words are doubtful and have no time.

    Raises:
        ValueError: pocketsphinx is not installed.
    """
    try:
        return timed_words(waveform, transcript)
    except InputError:
        return [TimedWord(word, 0.0, 0.0, -math.inf, True) for word in written_words(transcript)]


def _timed(word: WrittenWord, phones: Sequence[ScoredPhone], is_believed: bool) -> TimedWord:
    length = sum(end - start for start, end, _ in phones)
    weighed = sum((end - start) * score for start, end, score in phones)
    score = weighed / length if length > 0 else -math.inf  # no time was found for it: it was not heard
    return TimedWord(word, phones[0][0], phones[-1][1], score, not is_believed or score < DOUBT)


def owned_tokens(frontend: Frontend, words: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the tokens of a text of ``words``, and which word each belongs to; a space belongs to the word before it.

    Spoken together words may have other tokens than alone ("of the" is one word to espeak-ng), so the two are compared.
    """
    tokens = frontend.tokens(" ".join(words))
    alone = [(token, i) for i, word in enumerate(words) for token in frontend.tokens(word) if token not in (START, END)]
    owners = [-1] * len(tokens)
    places = [i for i, token in enumerate(tokens) if token not in (START, END, " ")]
    matcher = difflib.SequenceMatcher(None, [token for token, _ in alone], [tokens[i] for i in places], autojunk=False)
    for _, first, last, start, end in matcher.get_opcodes():
        for k in range(start, end if last > first else start):
            owners[places[k]] = alone[first + (k - start) * (last - first) // (end - start)][1]
    last_owner = 0
    for i, owner in enumerate(owners):  # what is not owned belongs to the word before
        owners[i] = last_owner = max(owner, last_owner)
    return tokens, owners


@cache
def _phonemes() -> Phonemes:
    return Phonemes(Phonemes.Options())
