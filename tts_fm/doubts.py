"""What may be wrong with a reference or with the speech made from it, in a line each for whoever hears it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple
from weakref import WeakKeyDictionary

from tts_fm.alignment import TimedWord, words_heard
from tts_fm.alignment.forced import is_available
from tts_fm.audio import level
from tts_fm.audio.io import Waveform
from tts_fm.audio.prompt import PreparedPrompt, Prompt
from tts_fm.duration import count_units
from tts_fm.text.normalize import normalize

SLOWEST, FASTEST = 9.0, 23.0
"""Letters per second of speech, pauses left out: 172 recordings of 120 readers lie between 10.6 and 21.5."""
_USUAL = "11 to 20"
_MOST_DOUBTFUL = 0.5  # of the words: with the right transcript at most 0.27, with another one 0.9 and more
_FAINT, _LOW_RATE = 0.02, 16_000  # peak of speech, Hz
_AT_THE_TOP, _MOST_CLIPPED = 0.999, 0.001  # of the peak; share of samples there
_HURRIED = 0.5  # of the time that a word of as many letters has: it was not said
_UNCLAIMED = 0.12  # seconds of sound between two words that belong to none: something was said twice
_AS_LOUD = 0.25  # of the words' loudness: more than a breath
Kind = Literal["missing", "doubtful", "doubled"]


class Unheard(NamedTuple):
    """Words of a transcript that its recording does not say, and how many words there are."""

    words: tuple[str, ...]
    of: int


@dataclass(frozen=True)
class Fault:
    """Words of a passage, one after the other, that its sound may not say, or not once."""

    words: range
    kind: Kind


_asked: WeakKeyDictionary[Prompt, Unheard] = WeakKeyDictionary()


def of_reference(prompt: Prompt, prepared: PreparedPrompt, is_english: bool) -> tuple[str, ...]:
    """Return what may be wrong with ``prompt``, which became ``prepared``; ``is_english``: an aligner may look for its words."""
    return (*of_transcript(prompt, prepared, is_english), *of_recording(prompt))


def of_transcript(prompt: Prompt, prepared: PreparedPrompt, is_english: bool) -> tuple[str, ...]:
    """Return the part of :func:`of_reference` for which an aligner listens, a quarter of a second for a usual prompt."""
    return tuple(filter(None, (_transcript(prompt, prepared, is_english),)))


def of_recording(prompt: Prompt) -> tuple[str, ...]:
    """Return the part of :func:`of_reference` that is seen at once."""
    return tuple(filter(None, (_clipped(prompt), _low_rate(prompt))))


def of_speech(waveform: Waveform) -> tuple[str, ...]:
    """Return what may be wrong with speech that was made."""
    peak = float(waveform.samples.abs().max()) if len(waveform.samples) else 0.0
    if peak >= _FAINT:
        return ()
    return (
        f"the speech is very faint, as its reference is (peak {_decibels(peak)}); "
        f"give a louder recording, or make the speech louder",
    )


def faults(waveform: Waveform, words: Sequence[TimedWord]) -> list[Fault]:
    """Return what is wrong with the ``words`` of ``waveform``, in order; neighbours that are doubted are one fault."""
    kinds: dict[int, Kind] = {}
    sure = [word for word in words if not word.is_doubtful] or words
    usual = sum(word.end - word.start for word in sure) / max(sum(count_units(word.word.spoken) for word in sure), 1)
    for i, word in enumerate(words):
        if word.is_doubtful and word.end > word.start:  # a dash has no sound, and no time
            is_hurried = word.end - word.start < _HURRIED * usual * count_units(word.word.spoken)
            kinds[i] = "missing" if is_hurried else "doubtful"
    for i in _doubled(waveform, words):
        kinds.setdefault(i, "doubled")
    joined: list[Fault] = []
    for i in sorted(kinds):
        if joined and joined[-1].words.stop == i:
            before = joined.pop()
            joined.append(Fault(range(before.words.start, i + 1), before.kind))
        else:
            joined.append(Fault(range(i, i + 1), kinds[i]))
    return joined


def _doubled(waveform: Waveform, words: Sequence[TimedWord]) -> Iterator[int]:
    """Yield the words behind which something is said that belongs to no word."""
    rate = waveform.sample_rate
    loudness = level.rms(waveform.samples) * _AS_LOUD
    for i, (word, after) in enumerate(pairwise(words)):
        between = waveform.samples[round(word.end * rate) : round(after.start * rate)]
        step = round(0.02 * rate)
        loud = sum(level.rms(between[at : at + step]) > loudness for at in range(0, len(between) - step, step))
        if loud * 0.02 >= _UNCLAIMED:
            yield i


def possible_speed(speed: float, prompt: PreparedPrompt) -> tuple[float, tuple[str, ...]]:
    """Return ``speed``, or the highest that leaves all words in the speech, and then why it is another one."""
    if speed <= 1:  # which every prompt allows, and to read its transcript takes time
        return speed, ()
    most = max(1.0, FASTEST / rate(prompt))
    if not most < speed < math.inf:  # what is no speed at all is refused elsewhere
        return speed, ()
    return most, (
        f"a speed of {speed:g} would be {speed * rate(prompt):.0f} letters per second, and words would be lost; "
        f"it is spoken at {most:.2f}, {FASTEST:g} letters per second",
    )


def possible_length(letters: int, seconds: float) -> tuple[str, ...]:
    """Return why words will be lost where ``letters`` are to be said in ``seconds``, as it was asked."""
    if letters <= FASTEST * seconds:
        return ()
    return (
        f"{letters} letters in {seconds:g} s would be {letters / seconds:.0f} letters per second, and words will be lost; "
        f"give at least {letters / FASTEST:.1f} s",
    )


def rate(prompt: PreparedPrompt) -> float:
    """Return the letters per second of speech in ``prompt``, if its transcript is right."""
    return max(count_units(normalize(prompt.transcript)), 1) / max(prompt.speech_seconds, 1e-3)


def _transcript(prompt: Prompt, prepared: PreparedPrompt, is_english: bool) -> str:
    letters = rate(prepared)
    cause = "more than it says" if letters > FASTEST else "less than it says" if letters < SLOWEST else ""
    unheard = _unheard(prompt, prepared) if is_english and is_available() else Unheard((), 0)
    if not cause and len(unheard.words) <= _MOST_DOUBTFUL * unheard.of:
        return ""
    shown = ", ".join(map(repr, unheard.words[:8]))
    more = f" and {len(unheard.words) - 8} more" if len(unheard.words) > 8 else ""
    return (
        f"the reference may not say its transcript, which seems to hold {cause or 'other words'}: {letters:.1f} letters "
        f"per second of speech, {_USUAL} are usual{f'; not heard in it: {shown}{more}' if shown else ''}; "
        f"give exactly the words in the recording"
    )


def _unheard(prompt: Prompt, prepared: PreparedPrompt) -> Unheard:
    """Return which words the aligner does not hear; it is asked once for a prompt."""
    if prompt not in _asked:
        words = words_heard(prepared.waveform, prepared.transcript)
        _asked[prompt] = Unheard(tuple(word.word.text for word in words if word.is_doubtful), len(words))
    return _asked[prompt]


def _clipped(prompt: Prompt) -> str:
    levels = prompt.waveform.samples.abs()
    share = float((levels >= _AT_THE_TOP * levels.max()).float().mean()) if len(levels) else 0.0
    if share <= _MOST_CLIPPED:
        return ""
    return (
        f"the reference is clipped: {share:.1%} of its samples are at its peak, and the speech will sound as harsh; "
        f"record it at a lower level"
    )


def _low_rate(prompt: Prompt) -> str:
    sample_rate = prompt.waveform.sample_rate
    if sample_rate >= _LOW_RATE:
        return ""
    return (
        f"the reference has a sample rate of {sample_rate} Hz, so that nothing above {sample_rate // 2} Hz is heard of the "
        f"voice; a recording at {_LOW_RATE} Hz or more gives a better one"
    )


def _decibels(peak: float) -> str:
    return f"{20 * math.log10(peak):.0f} dBFS" if peak > 0 else "silence"
