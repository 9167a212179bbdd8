"""Hears what was said, and says anew the words that it does not hear."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tts_fm.alignment import TimedWord, words_heard
from tts_fm.audio.io import Waveform
from tts_fm.audio.level import Span
from tts_fm.audio.mel import log_mel
from tts_fm.doubts import Fault, Kind, faults
from tts_fm.editing import Editor
from tts_fm.editing.revision import place
from tts_fm.errors import ArgumentError, InputError
from tts_fm.sampler import OnStep, SamplingOptions
from tts_fm.speech import Speech
from tts_fm.synthesizer import Synthesizer
from tts_fm.takes import CountErrors, Rank, cost, sound_of
from tts_fm.timing import Passage

TRIES = 3
_GIVEN_SOUNDS = "/"  # a reading has none of its own


@dataclass(frozen=True)
class Repair:
    """Words that were said anew.

    Attributes:
        text: the words that were doubted, as they are read.
        kind: what was wrong with them.
        old_span: what was replaced, in seconds of the speech before all repairs.
        new_span: what is there now, in seconds of the speech after them; as long as before where no try was better.
        tries: how often they were said anew.
        score: of the words, by the aligner, before; 0 is best.
        new_score: the same of what was kept.
        is_mended: whether nothing is doubted there any more.
        is_kept: whether what was said anew took the place of what was there.
    """

    text: str
    kind: Kind
    old_span: Span
    new_span: Span
    tries: int
    score: float
    new_score: float
    is_mended: bool
    is_kept: bool


@dataclass(frozen=True, eq=False)
class Mended:
    """A speech, what was said anew in it, and the texts of passages that could not be looked through.

    These are passages in which no word was found, and such as have sounds given by a lexicon.
    """

    speech: Speech
    repairs: tuple[Repair, ...]
    unheard: tuple[str, ...]


@dataclass(frozen=True)
class _Heard:
    """A passage and its words, counted in seconds from its start; none where it could not be looked through."""

    passage: Passage
    words: tuple[TimedWord, ...]

    def absolute(self) -> Iterator[TimedWord]:
        start = self.passage.start
        return (replace(word, start=word.start + start, end=word.end + start) for word in self.words)


@dataclass(frozen=True, eq=False)
class _Try:
    """A passage said anew in part, and its place in the whole."""

    waveform: Waveform
    heard: _Heard
    rank: Rank
    old_span: Span
    new_span: Span


def check_language(synthesizer: Synthesizer) -> None:
    """Raise ValueError where the model speaks another language than the aligner hears; one that names none is believed."""
    language = getattr(synthesizer.frontend.options, "language", "en")
    if not language.startswith("en"):
        raise ArgumentError(
            f"the words of takes and repairs are heard in English only, the model {synthesizer.config.name} speaks "
            f"{language}; leave them out",
            "takes",
            "verify",
        )


def mend(
    synthesizer: Synthesizer,
    speech: Speech,
    *,
    seed: int = 0,
    tries: int = TRIES,
    sampling: SamplingOptions | None = None,
    count_errors: CountErrors | None = None,
    on_step: OnStep | None = None,
) -> Mended:
    """Return ``speech``, of one voice, with the words said anew that an aligner does not hear in it; the rest stays, bit for bit.

    Each is said in the gap between its neighbours, which the model hears; every second time its neighbours are said anew
    with it, as a word that is not there lends its time from them. The best of the tries is kept if it is better than what
    was there. A speech in which nothing is doubted is returned as it is.

    Args:
        synthesizer: the model that speaks.
        speech: in English, by that model, or by another one with a like voice.
        seed: try ``i`` starts from the noise of ``seed + i``.
        tries: how often a word is said anew at most.
        sampling: as for :meth:`Synthesizer.speak`.
        count_errors: who listens to the tries before the aligner does.
        on_step: called with (faults done, faults in all); what it raises ends the repairs.

    Raises:
        ValueError: fewer than one try, a model of another language than the aligner's, or the extra ``edit``, which has the
            aligner, is not installed.
    """
    check_language(synthesizer)
    if tries < 1:
        raise ValueError(f"tries is {tries}; it takes at least 1 to say a word anew")
    began = time.perf_counter()
    editor = synthesizer.editor(sampling)
    waveform = speech.waveform
    heard = [_listen(waveform, passage) for passage in speech.passages]
    unheard = tuple(one.passage.text for one in heard if not one.words)
    to_mend = [
        (i, fault) for i, one in enumerate(heard) for fault in faults(sound_of(waveform, one.passage), one.words)
    ]
    repairs: list[Repair] = []
    for done, (i, fault) in enumerate(reversed(to_mend)):  # from the last on, so that earlier times stay what they are
        if on_step is not None:
            on_step(done, len(to_mend))
        waveform, heard, repair = _repair(editor, waveform, heard, i, fault, seed, tries, count_errors)
        longer = repair.new_span.seconds - repair.old_span.seconds
        repairs = [repair, *(replace(one, new_span=_later(one.new_span, longer)) for one in repairs)]
    if on_step is not None:
        on_step(len(to_mend), len(to_mend))
    if not any(repair.is_kept for repair in repairs):
        return Mended(speech, tuple(repairs), unheard)
    mel = synthesizer.config.mel
    mended = replace(
        speech,
        waveform=waveform,
        mel=log_mel(waveform.samples, mel),
        passages=tuple(one.passage for one in heard),
        seconds=speech.seconds + time.perf_counter() - began,
    )
    return Mended(mended, tuple(repairs), unheard)


def _repair(
    editor: Editor,
    waveform: Waveform,
    heard: list[_Heard],
    i: int,
    fault: Fault,
    seed: int,
    tries: int,
    count_errors: CountErrors | None,
) -> tuple[Waveform, list[_Heard], Repair]:
    """Say ``fault`` of passage ``i`` anew, and return the sound, the passages, and what was done."""
    words = heard[i].words
    kept = _as_it_is(waveform, heard[i], fault, count_errors)
    before, made, is_kept = kept, 0, False
    for k in range(tries):
        made += 1
        try:
            one = _try(editor, waveform, heard, i, fault, seed + k, k % 2, count_errors)
        except InputError:  # too little of the voice around, or more than the model holds
            continue
        if one.rank < kept.rank:
            kept, is_kept = one, True
        if is_kept and not _doubts(kept, fault):
            break
    longer = kept.heard.passage.end - heard[i].passage.end
    after = [replace(one, passage=one.passage.later(longer)) for one in heard[i + 1 :]]
    repair = Repair(
        text=" ".join(words[j].word.text for j in fault.words),
        kind=fault.kind,
        old_span=kept.old_span,
        new_span=kept.new_span,
        tries=made,
        score=-before.rank[2],
        new_score=-kept.rank[2],
        is_mended=is_kept and not _doubts(kept, fault),
        is_kept=is_kept,
    )
    return kept.waveform, [*heard[:i], kept.heard, *after], repair


def _as_it_is(waveform: Waveform, heard: _Heard, fault: Fault, count_errors: CountErrors | None) -> _Try:
    inside = [*heard.absolute()][fault.words.start : fault.words.stop]
    span = Span(inside[0].start, inside[-1].end)
    return _Try(waveform, heard, _rank(waveform, heard, fault, count_errors), span, span)


def _try(
    editor: Editor,
    waveform: Waveform,
    heard: Sequence[_Heard],
    i: int,
    fault: Fault,
    seed: int,
    wider: int,
    count_errors: CountErrors | None,
) -> _Try:
    """Say ``fault`` of passage ``i`` anew, with ``wider`` words on each side of it."""
    said = [word for one in heard for word in one.absolute()]
    first = sum(len(one.words) for one in heard[:i])
    begin = first + max(fault.words.start - wider, 0)
    end = first + min(fault.words.stop + wider, len(heard[i].words))
    new = [word.word for word in said]
    if begin > first:  # what is heard between doubted words and their neighbours is doubted, too
        said[begin] = replace(said[begin], start=said[begin - 1].end)
    if end < first + len(heard[i].words):
        said[end - 1] = replace(said[end - 1], end=said[end].start)
    edit = editor.apply(waveform, said, new, place(waveform, said, new, [(range(begin, end), range(begin, end))]), seed)
    (change,) = edit.changes
    passage = heard[i].passage
    longer = change.new_span.seconds - change.old_span.seconds
    one = _listen(edit.waveform, replace(passage, end=passage.end + longer, spans=None))
    return _Try(edit.waveform, one, _rank(edit.waveform, one, fault, count_errors), change.old_span, change.new_span)


def _rank(waveform: Waveform, heard: _Heard, fault: Fault, count_errors: CountErrors | None) -> Rank:
    """Return how well a passage is heard; the score is that of the words of ``fault`` and their neighbours alone."""
    sound = sound_of(waveform, heard.passage)
    errors = 0 if count_errors is None else count_errors(sound, heard.passage.text)
    near = heard.words[max(fault.words.start - 1, 0) : fault.words.stop + 1]
    doubted = sum(len(one.words) for one in faults(sound, heard.words)) if heard.words else len(heard.passage.written)
    return errors, doubted, cost(near)


def _doubts(one: _Try, fault: Fault) -> bool:
    near = range(fault.words.start - 1, fault.words.stop + 1)
    doubtful = faults(sound_of(one.waveform, one.heard.passage), one.heard.words)
    return any(word in near for other in doubtful for word in other.words)


def _listen(waveform: Waveform, passage: Passage) -> _Heard:
    words = () if _GIVEN_SOUNDS in passage.text else words_heard(sound_of(waveform, passage), passage.text)
    return _Heard(passage, tuple(words) if any(word.end > word.start for word in words) else ())


def _later(span: Span, seconds: float) -> Span:
    return Span(span.start + seconds, span.end + seconds)
