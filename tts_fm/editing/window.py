"""What lies around a change: the recording on both sides of it, and how loud it is there."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from tts_fm import duration
from tts_fm.alignment import TimedWord
from tts_fm.audio import level
from tts_fm.audio.io import Waveform
from tts_fm.audio.mel import log_mel
from tts_fm.config import ModelConfig
from tts_fm.editing.revision import Revision
from tts_fm.errors import InputError
from tts_fm.telling import Gap
from tts_fm.text.normalize import WrittenWord
from tts_fm.types import MelSpec

_LEAST_CONTEXT = 1.0  # seconds


@dataclass(frozen=True, eq=False)
class Window:
    """The surroundings of a change.

    Attributes:
        gap: what the model is told of them.
        gain: what sound that fits its mels is multiplied by to be as loud as the recording.
        loudness: root mean square of the word of middle loudness that stays.
    """

    gap: Gap
    gain: float
    loudness: float


def open_window(
    recording: Waveform, said: Sequence[TimedWord], new: Sequence[WrittenWord], revision: Revision, config: ModelConfig
) -> Window:
    """Return what lies around ``revision`` in ``recording``, which has the model's sample rate.

    Raises:
        InputError: the new words are more than the model can hold together with some of the recording.
    """
    words = [new[i] for i in revision.new]
    limits, span, mel = config.limits, revision.span, config.mel
    rate = sum(duration.count_units(word.word.spoken) for word in said) / sum(word.end - word.start for word in said)
    needed = 1.3 * sum(duration.count_units(word.spoken) for word in words) / rate + revision.lead + revision.tail
    context = min(limits.max_prompt_seconds, limits.max_total_seconds - needed)
    if context < _LEAST_CONTEXT:
        raise InputError(
            f"the new words {words[0].text!r} to {words[-1].text!r} take about {needed:.0f} s; this model holds "
            f"{limits.max_total_seconds:g} s with some of the recording, so change less at once"
        )
    before, after, begin, finish = _reach(said, revision, context, recording.seconds)
    if not before and not after:
        raise InputError(
            f"no word that stays lies within {context / 2:.0f} s of {words[0].text!r}; change less, or cut long pauses"
        )
    samples = level.without_offset(recording.samples)
    _, gain = level.raised(samples[round(begin * mel.sample_rate) : round(finish * mel.sample_rate)])
    left, right = _sides(samples / gain, span, begin, finish, mel)
    is_last = revision.old.stop == len(said)
    gap = Gap(
        before=[word.word.spoken for word in before],
        new=[word.spoken for word in words],
        after=[word.word.spoken for word in after],
        spoken_seconds=sum(word.end - word.start for word in (*before, *after)),
        left=config.mel_scale.scaled(left),
        right=config.mel_scale.scaled(right),
        lead=round(revision.lead * mel.frame_rate),
        tail=round(revision.tail * mel.frame_rate),
        has_pause=is_last or (len(revision.old) > 0 and not said[revision.old.stop - 1].word.text[-1].isalnum()),
        overlap=_overlap(mel),
    )
    return Window(gap, gain, _loudness([*before, *after], samples, mel.sample_rate))


def _reach(
    said: Sequence[TimedWord], revision: Revision, context: float, seconds: float
) -> tuple[list[TimedWord], list[TimedWord], float, float]:
    """Return the words on both sides that lie in ``context`` seconds, and from when to when they are heard.

    What one side does not use is the other's.
    """
    span = revision.span
    earliest = span.start - max(context / 2, context - (seconds - span.end))
    before = [word for word in said[: revision.old.start] if word.start >= earliest]
    begin = 0.0 if earliest <= 0 else before[0].start if before else span.start
    latest = span.end + context - (span.start - begin)
    after = [word for word in said[revision.old.stop :] if word.end <= latest]
    finish = seconds if latest >= seconds else after[-1].end if after else span.end
    return before, after, begin, finish


def _loudness(words: Sequence[TimedWord], samples: Float[Tensor, " s"], sample_rate: int) -> float:
    """Return the median of the words' root mean squares."""
    return statistics.median(
        level.rms(samples[round(word.start * sample_rate) : round(word.end * sample_rate) + 1]) for word in words
    )


def _overlap(mel: MelSpec) -> int:
    """Frames at a cut that see what is behind it."""
    return mel.n_fft // (2 * mel.hop_length)


def _sides(
    samples: Float[Tensor, " s"], span: level.Span, begin: float, finish: float, mel: MelSpec
) -> tuple[Float[Tensor, "p c"], Float[Tensor, "q c"]]:
    """Return the frames from ``begin`` to the span and from the span to ``finish``, of the grids that meet the span."""
    start, end, first, last = (round(at * mel.sample_rate) for at in (span.start, span.end, begin, finish))
    first = start - (start - first) // mel.hop_length * mel.hop_length
    left = _frames(samples[first:start], mel)[: (start - first) // mel.hop_length]
    right = _frames(samples[end:last], mel)
    return left[: max(len(left) - _overlap(mel), 0)], right[_overlap(mel) :]


def _frames(samples: Float[Tensor, " s"], mel: MelSpec) -> Float[Tensor, "n c"]:
    """Return the log-mel; none of what is too short to have one."""
    return log_mel(samples, mel) if len(samples) > mel.n_fft else samples.new_zeros(0, mel.n_mels)
