"""When each word of a speech is heard: by the frames that the model was told for it, else by listening to the sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from tts_fm.alignment import owned_tokens, timed_words
from tts_fm.alignment.phones import STRESS
from tts_fm.audio.io import Waveform
from tts_fm.audio.level import Span
from tts_fm.frontends import Frontend
from tts_fm.text.normalize import WrittenWord
from tts_fm.text.pronunciation import END, PUNCTUATION, START
from tts_fm.types import Condition

_SILENT = frozenset((" ", START, END, *PUNCTUATION, *STRESS))


@dataclass(frozen=True)
class SpokenWord:
    """A word as it was written ("$5", with its punctuation), and from when to when it is heard, in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Passage:
    """A piece of a text that was spoken in one go.

    Attributes:
        text: as it was read.
        written: for each word of ``text`` how it was written; "" where it belongs to the written word before ("$5" is
            read in two words).
        start: seconds at which its sound begins in the speech.
        end: seconds at which it ends.
        spans: from when to when each word of ``text`` is heard, counted from ``start``; None where the model places the
            words itself, so that only listening can tell.
    """

    text: str
    written: tuple[str, ...]
    start: float
    end: float
    spans: tuple[Span, ...] | None

    def later(self, seconds: float) -> Passage:
        """The same, ``seconds`` later."""
        return replace(self, start=self.start + seconds, end=self.end + seconds)


def told_spans(condition: Condition, frontend: Frontend, text: str, frame_rate: float) -> tuple[Span, ...] | None:
    """Return when each word of ``text`` is heard, by the frames that ``condition`` gives to its tokens.

    The tokens of ``text`` are the last ones of the condition, and time counts from where they begin. None where a
    condition has no such frames.
    """
    if condition.token_frames is None:
        return None
    tokens, owners = owned_tokens(frontend, text.split())
    frames = condition.token_frames[0, -len(tokens) :].tolist()
    borders = pairwise(accumulate(frames, initial=0))
    sounds: dict[int, list[tuple[int, int]]] = {}
    for token, owner, border in zip(tokens, owners, borders, strict=True):
        if token not in _SILENT and border[0] < border[1]:
            sounds.setdefault(owner, []).append(border)
    spans: list[Span] = []
    for i in range(len(text.split())):
        here = spans[-1].end if spans else 0.0
        heard = sounds.get(i)
        spans.append(Span(heard[0][0] / frame_rate, heard[-1][1] / frame_rate) if heard else Span(here, here))
    return tuple(spans)


def heard_spans(waveform: Waveform, text: str) -> tuple[Span, ...]:
    """Return when ``waveform`` says each word of ``text``, by forced alignment. Raises as :func:`timed_words`."""
    timed = timed_words(waveform, text)
    places = owners([one.word for one in timed], [text])[0]
    return tuple(Span(timed[i].start, timed[i].end) for i in places)


def owners(written: Sequence[WrittenWord], pieces: Sequence[str]) -> list[list[int]]:
    """Return for each word of each of ``pieces``, which say the same as ``written`` together, to which of it it belongs."""
    ends = list(accumulate(len("".join(word.spoken.split())) for word in written))
    tokens_of_words: list[list[int]] = []
    place = i = 0
    for piece in pieces:
        tokens_of_words.append([])
        for word in piece.split():
            while i < len(ends) - 1 and ends[i] <= place:
                i += 1
            tokens_of_words[-1].append(i)
            place += len(word)
    return tokens_of_words


def as_written(written: Sequence[WrittenWord], pieces: Sequence[str]) -> list[tuple[str, ...]]:
    """Return :attr:`Passage.written` of each of ``pieces``, in which ``written`` is read.

    Where the two do not say the same, the words count as written as they are read.
    """
    if "".join("".join(word.spoken.split()) for word in written) != "".join("".join(p.split()) for p in pieces):
        return [tuple(piece.split()) for piece in pieces]
    last = -1
    names_of_words: list[tuple[str, ...]] = []
    for places in owners(written, pieces):
        names: list[str] = []
        for i in places:
            names.append("" if i == last else written[i].text)
            last = i
        names_of_words.append(tuple(names))
    return names_of_words


def words(passages: Sequence[Passage], waveform: Waveform) -> tuple[SpokenWord, ...]:
    """Return the words of ``passages``, of which ``waveform`` is the sound, as they were written.

    Raises:
        InputError: the model does not tell, and an aligner does not find the words; the text is not English, perhaps.
        ValueError: the model does not tell, and the extra ``edit``, which has the aligner, is not installed.
    """
    spoken: list[SpokenWord] = []
    for name, span in _each_word(passages, waveform):
        if name or not spoken:
            spoken.append(SpokenWord(name, *span))
        elif span.seconds > 0:
            before = spoken[-1]
            spoken[-1] = SpokenWord(before.text, before.start if before.end > before.start else span.start, span.end)
    return tuple(spoken)


def _each_word(passages: Sequence[Passage], waveform: Waveform) -> Iterator[tuple[str, Span]]:
    rate = waveform.sample_rate
    for passage in passages:
        spans = passage.spans
        if spans is None:
            samples = waveform.samples[round(passage.start * rate) : round(passage.end * rate)]
            spans = heard_spans(Waveform(samples, rate), passage.text)
        for name, span in zip(passage.written, spans, strict=True):
            yield name, Span(passage.start + span.start, passage.start + span.end)
