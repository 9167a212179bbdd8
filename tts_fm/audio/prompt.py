"""The voice to speak in: a recording and what is said in it, made ready for a model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tts_fm.audio import io, level
from tts_fm.audio.io import Waveform
from tts_fm.audio.join import join
from tts_fm.audio.source import Readable
from tts_fm.errors import InputError

MIN_SECONDS, MAX_SECONDS = 1.0, 30.0
KEPT_SECONDS = 0.05  # seconds of silence left at the edges
_SOUND = 1.04  # aligned sounds by speech_seconds: 1.06 and 1.04 on LibriSpeech, held out and trained on, 1.02 on Kokoro's speech
_LEAST_SPEECH = 0.5  # seconds
_LONGEST_PAUSE = 0.8  # seconds: what is longer says nothing of a voice, and takes the room of what does
_LEAST_CUT = 2.0  # seconds: a prompt is not cut shorter than this
_CLAUSE_END = re.compile(r"""[.!?;:,…。！？；：，、—]+["')\]”’»]*(?=\s|$)|[。！？；：，、]""")
_ADVICE = "give a recording of 3 to 10 s of one speaker, and exactly the words in it"


@dataclass(frozen=True, eq=False)
class Prompt:
    """A recording of the voice and its transcript."""

    waveform: Waveform
    transcript: str

    @staticmethod
    def load(source: str | Path | Readable, transcript: str) -> Prompt:
        """Read the recording. Raises InputError as :func:`tts_fm.audio.io.read`, and for lengths that are of no use."""
        waveform = io.read(source, min_seconds=MIN_SECONDS)
        if problem := _no_words(transcript):
            name = source if isinstance(source, str | Path) else "the audio stream"
            raise InputError(f"{name}: {problem}; {_ADVICE}")
        return Prompt(waveform, transcript)


@dataclass(frozen=True, eq=False)
class PreparedPrompt:
    """A prompt as a model wants it.

    Attributes:
        waveform: at the model's rate, without offset, trimmed, at least at RMS 0.1.
        transcript: the words that are still in it.
        output_gain: what the generated speech is multiplied by to get the level of the original recording.
        speech_seconds: how long somebody speaks in it, pauses not counted.
    """

    waveform: Waveform
    transcript: str
    output_gain: float
    speech_seconds: float

    @property
    def sound_seconds(self) -> float:
        """How long its sounds last, as an aligner hears them: weak beginnings and ends, which levels do not tell, too."""
        return _SOUND * self.speech_seconds


def speech_seconds(waveform: Waveform) -> float:
    """Return how long somebody speaks, pauses of 0.15 s and more not counted."""
    return sum(span.seconds for span in level.speech_spans(waveform.samples, waveform.sample_rate))


def prepare(prompt: Prompt, sample_rate: int, max_seconds: float) -> PreparedPrompt:
    """Return ``prompt`` at ``sample_rate``, no longer than ``max_seconds``.

    Its edges are trimmed to the speech and 50 ms around it, and pauses in it to 0.8 s. What is longer then is cut at a
    pause, and its transcript at the clause end that lies there.

    Raises:
        InputError: no words, shorter than 1 s, longer than 30 s without its silence, no speech, or nowhere to cut.
    """
    if problem := _no_words(prompt.transcript):
        raise InputError(f"{problem}; {_ADVICE}")
    if prompt.waveform.seconds < MIN_SECONDS:
        raise _of_wrong_length(prompt.waveform.seconds)
    samples = level.without_offset(prompt.waveform.samples)
    sound = Waveform(samples, prompt.waveform.sample_rate).resampled(sample_rate)
    spans = level.speech_spans(sound.samples, sample_rate)
    if sum(span.seconds for span in spans) < _LEAST_SPEECH:
        raise InputError(f"the reference has less than {_LEAST_SPEECH:g} s of speech in it; {_ADVICE}")
    sound, spans = _trimmed(sound, spans)
    if sound.seconds > MAX_SECONDS:
        raise _of_wrong_length(sound.seconds)
    transcript = " ".join(prompt.transcript.split())
    if sound.seconds > max_seconds:
        spans, transcript = _cut(spans, transcript, max_seconds)
    end = min(spans[-1].end + KEPT_SECONDS, max_seconds)
    samples, gain = level.raised(sound.samples[: round(end * sample_rate)])
    return PreparedPrompt(Waveform(samples, sample_rate), transcript, gain, sum(span.seconds for span in spans))


def _no_words(transcript: str) -> str:
    """Return what is wrong with a transcript in which nothing can be read; nothing where there are words."""
    if not transcript.strip():
        return "the transcript is empty"
    return "" if any(map(str.isalnum, transcript)) else f"the transcript {transcript.strip()[:20]!r} has no words"


def _of_wrong_length(seconds: float) -> InputError:
    return InputError(f"the reference lasts {seconds:.1f} s; {MIN_SECONDS:g} to {MAX_SECONDS:g} s will do: {_ADVICE}")


def _trimmed(sound: Waveform, spans: list[level.Span]) -> tuple[Waveform, list[level.Span]]:
    """Return ``sound`` without silence around its speech and in the middle of long pauses, and where its speech is then."""
    half = _LONGEST_PAUSE / 2
    pieces: list[Waveform] = []
    moved: list[level.Span] = []
    start = gone = max(0.0, spans[0].start - KEPT_SECONDS)
    for before, after in pairwise([*spans, None]):
        assert before is not None
        moved.append(level.Span(before.start - gone, before.end - gone))
        if after is None:
            pieces.append(_part(sound, start, before.end + KEPT_SECONDS))
        elif after.start - before.end > _LONGEST_PAUSE:
            pieces.append(_part(sound, start, before.end + half))
            start = after.start - half
            gone += start - before.end - half
    return join(pieces, pause_seconds=0.0), moved


def _part(sound: Waveform, start: float, end: float) -> Waveform:
    return Waveform(sound.samples[round(start * sound.sample_rate) : round(end * sound.sample_rate)], sound.sample_rate)


def _cut(spans: list[level.Span], transcript: str, max_seconds: float) -> tuple[list[level.Span], str]:
    """Return the speech before the pause, and the words before the clause end, that agree best in their shares."""
    whole = sum(span.seconds for span in spans)
    tolerance = max(0.5, 0.06 * whole)  # seconds of speech
    best: tuple[float, list[level.Span], str] | None = None
    for pause in level.pauses(spans):
        before = [span for span in spans if span.end <= pause.start]
        kept = before[-1].end + KEPT_SECONDS
        if not _LEAST_CUT <= kept <= max_seconds:
            continue
        spoken = sum(span.seconds for span in before)
        for words, share in _clauses(transcript):
            mismatch = abs(share * whole - spoken)
            # a longer pause is a clause end more surely, and a longer prompt is a better one
            score = mismatch / tolerance - min(pause.seconds, 0.6) - kept / max_seconds
            if mismatch <= tolerance and (best is None or score < best[0]):
                best = score, before, words
    if best is None:
        raise InputError(
            f"the reference lasts {spans[-1].end:.1f} s, this model takes {max_seconds:.1f} s, and no pause "
            f"in it fits a clause end of its transcript; {_ADVICE}"
        )
    return best[1], best[2]


def _clauses(transcript: str) -> Iterator[tuple[str, float]]:
    """Yield each beginning of ``transcript`` that ends a clause, and its share of the letters (a digit counts four)."""
    whole = _letters(transcript)
    for match in _CLAUSE_END.finditer(transcript):
        words = transcript[: match.end()]
        if match.end() < len(transcript) and _letters(words):
            yield words, _letters(words) / whole


def _letters(text: str) -> int:
    return sum(4 if character.isdigit() else character.isalpha() for character in text)
