"""Which words of a recording change, and between which two moments it is cut open for them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tts_fm.alignment import TimedWord
from tts_fm.audio.io import Waveform
from tts_fm.audio.level import Span, frame_levels
from tts_fm.text.normalize import WrittenWord

_NEAR = 0.03  # seconds: a border between words is known no better
_KEPT = 0.12  # seconds of a pause that are made anew beside new words; the rest of it stays
_HALF = 0.02  # seconds on each side of the place of an insertion


@dataclass(frozen=True)
class Revision:
    """Words ``old`` of the recording give way to words ``new`` of the new text, inside ``span`` of the recording.

    ``lead`` and ``tail`` are the seconds before and after the words inside the span, pauses mostly.
    """

    old: range
    new: range
    span: Span
    lead: float
    tail: float


def revise(waveform: Waveform, said: Sequence[TimedWord], new: Sequence[WrittenWord]) -> list[Revision]:
    """Return what has to change in ``waveform`` so that it says ``new``; case and punctuation do not count.

    Spans do not touch: the words between two changes that are too near to each other are made anew, too.
    """
    return place(waveform, said, new, _differences([each.word.sound for each in said], [word.sound for word in new]))


def place(
    waveform: Waveform, said: Sequence[TimedWord], new: Sequence[WrittenWord], changes: Iterable[tuple[range, range]]
) -> list[Revision]:
    """Return ``changes`` (words of ``said`` and the words of ``new`` they give way to, in order) with their spans."""
    revisions: list[Revision] = []
    for old_range, new_range in changes:
        revision = _placed(waveform, said, new, old_range, new_range)
        while revisions and revision.span.start <= revisions[-1].span.end:
            before = revisions.pop()
            old_range, new_range = range(before.old.start, old_range.stop), range(before.new.start, new_range.stop)
            revision = _placed(waveform, said, new, old_range, new_range)
        revisions.append(revision)
    return revisions


def _differences(old: list[str], new: list[str]) -> Iterator[tuple[range, range]]:
    for tag, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield range(i, j), range(k, m)


def _placed(
    waveform: Waveform, said: Sequence[TimedWord], new: Sequence[WrittenWord], old_range: range, new_range: range
) -> Revision:
    """Find the quietest places at which to cut for a change."""
    before = said[old_range.start - 1].end if old_range.start > 0 else 0.0
    after = said[old_range.stop].start if old_range.stop < len(said) else waveform.seconds
    if not old_range:
        follows_pause = new_range.start == 0 or not new[new_range.start - 1].text[-1].isalnum()
        reach = min(_KEPT, (after - before) / 2)
        middle = after - reach if follows_pause else before + reach
        at = _quietest(waveform, max(0.0, middle - _NEAR), min(waveform.seconds, middle + _NEAR))
        at = min(max(at, _HALF), waveform.seconds - _HALF)
        return Revision(old_range, new_range, Span(at - _HALF, at + _HALF), _HALF, _HALF)
    first, last = said[old_range.start].start, said[old_range.stop - 1].end
    earliest, latest = max(before - _NEAR, first - _KEPT, 0.0), min(after + _NEAR, last + _KEPT, waveform.seconds)
    if not new_range and before > 0 and after < waveform.seconds:  # of the pauses around, only the longer one stays
        if first - before >= after - last:
            latest, last = after + _NEAR, after
        else:
            earliest, first = before - _NEAR, before
    start, end = _quietest(waveform, earliest, first + _NEAR), _quietest(waveform, last - _NEAR, latest)
    end = max(end, start + 2 * _HALF)
    return Revision(old_range, new_range, Span(start, end), max(first - start, 0.0), max(end - last, 0.0))


def _quietest(waveform: Waveform, start: float, end: float) -> float:
    """Return the moment between ``start`` and ``end`` at which least is heard."""
    rate = waveform.sample_rate
    first = round(max(start, 0.0) * rate)
    samples = waveform.samples[first : max(round(end * rate), first + 1)]
    step = len(samples) / rate / len(levels := frame_levels(samples, rate))
    return first / rate + (int(levels.argmin()) + 0.5) * step
