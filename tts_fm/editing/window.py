"""What a model hears and reads around a change: the recording on both sides, and how long the new words take."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm import duration, infill
from tts_fm.alignment import TimedWord, owned_tokens
from tts_fm.alignment.phones import STRESS
from tts_fm.audio import level
from tts_fm.audio.io import Waveform
from tts_fm.audio.mel import log_mel
from tts_fm.backbones import Backbone
from tts_fm.config import ModelConfig
from tts_fm.editing.revision import Revision
from tts_fm.errors import InputError
from tts_fm.frontends import Frontend
from tts_fm.frontends.phonemes import END, PUNCTUATION, START
from tts_fm.text.normalize import WrittenWord
from tts_fm.types import FILLER, Condition, MelSpec

_SEPARATORS = " " + PUNCTUATION
_LEAST_CONTEXT = 1.0  # seconds


@dataclass(frozen=True, eq=False)
class Window:
    """The surroundings of a change, as a model wants them.

    Attributes:
        before: the words before the gap.
        new: the words that go into it.
        after: the words behind it.
        left: the given mel before the gap, scaled.
        right: the given mel behind it.
        gain: what sound that fits these mels is multiplied by to be as loud as the recording.
        loudness: root mean square of the word of middle loudness that stays.
        lead: frames of pause before the new words.
        tail: frames of pause after them.
        has_pause: whether the pause after the new words is the recording's.
        overlap: frames at each end of the gap whose sound lies outside it: in the recording they hear the old words.
    """

    before: Sequence[TimedWord]
    new: Sequence[WrittenWord]
    after: Sequence[TimedWord]
    left: Float[Tensor, "p c"]
    right: Float[Tensor, "q c"]
    gain: float
    loudness: float
    lead: int
    tail: int
    has_pause: bool
    overlap: int

    @property
    def words(self) -> list[str]:
        """What is said in the window."""
        return [
            *(w.word.spoken for w in self.before),
            *(w.spoken for w in self.new),
            *(w.word.spoken for w in self.after),
        ]

    @property
    def spoken_seconds(self) -> float:
        """How long the words last that stay."""
        return sum(word.end - word.start for word in (*self.before, *self.after))


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
    scale = config.mel_scale
    return Window(
        before=before,
        new=words,
        after=after,
        left=(left - scale.mean) / scale.std,
        right=(right - scale.mean) / scale.std,
        gain=gain,
        loudness=_loudness([*before, *after], samples, mel.sample_rate),
        lead=round(revision.lead * mel.frame_rate),
        tail=round(revision.tail * mel.frame_rate),
        has_pause=is_last or (len(revision.old) > 0 and not said[revision.old.stop - 1].word.text[-1].isalnum()),
        overlap=_overlap(mel),
    )


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


def tell(window: Window, frontend: Frontend, backbone: Backbone, mel: MelSpec) -> Condition:
    """Return what the model is told: both sides, the words, and how long the gap is."""
    if backbone.needs_token_frames:
        return _tell_with_durations(window, frontend, backbone, mel)
    units = sum(duration.count_units(word.word.spoken) for word in (*window.before, *window.after))
    rate = min(max(units / window.spoken_seconds, duration.SLOWEST), duration.FASTEST)
    text = " ".join(word.spoken for word in window.new)
    pauses = duration.pause_seconds(text if window.has_pause else f"{text} and so on")
    seconds = duration.count_units(text) / rate + pauses
    gap = window.lead + duration.to_frames(seconds, mel.frame_rate) + window.tail
    ids = frontend.encode(" ".join(window.words))
    return infill.fill_between(window.left, window.right, gap + 2 * window.overlap, ids)


def _tell_with_durations(window: Window, frontend: Frontend, backbone: Backbone, mel: MelSpec) -> Condition:
    """As :func:`tell`, for a backbone that is told the frames of each token; the text of what is given is hidden.

    The sounds next to the new words reach into the gap, and are told there.
    """
    tokens, owners = owned_tokens(frontend, window.words)
    ids = frontend.ids(tokens)
    predicted = backbone.predict_token_frames(torch.tensor(ids, device=window.left.device)).tolist()
    words = range(len(window.before), len(window.before) + len(window.new))
    silent = _SEPARATORS if window.has_pause else " "
    new = [i for i, owner in enumerate(owners) if owner in words and tokens[i] not in (START, END, *silent)]
    first, last = new[0], new[-1] + 1
    expected = sum(predicted[i] for i, owner in enumerate(owners) if owner not in words and tokens[i].isalpha())
    ratio = min(max(window.spoken_seconds * mel.frame_rate / expected, 0.5), 2.0) if expected > 0 else 1.0
    wanted = predicted[first:last]
    frames = duration.apportion(wanted, max(round(sum(wanted) * ratio), 1))
    left = _edge(tokens, ids, range(first - 1, -1, -1), window.lead, window.overlap)
    right = _edge(tokens, ids, range(last, len(tokens)), window.tail, window.overlap)
    row = [
        (FILLER, len(window.left)),
        *reversed(left),
        *zip(ids[first:last], frames, strict=True),
        *right,
        (FILLER, len(window.right)),
    ]
    gap = window.lead + sum(frames) + window.tail + 2 * window.overlap
    return infill.fill_between(window.left, window.right, gap, [id for id, _ in row], [n for _, n in row])


def _edge(
    tokens: Sequence[str], ids: Sequence[int], places: Iterable[int], pause: int, sound: int
) -> list[tuple[int, int]]:
    """Return the tokens from the gap outwards, with their frames: the one that holds the ``pause``, then the ``sound``."""
    holder: int | None = None
    for i in places:
        if tokens[i] in _SEPARATORS and holder is None:
            holder = i
        elif tokens[i] not in (*_SEPARATORS, *STRESS):
            return [(ids[i], sound + pause)] if holder is None else [(ids[holder], pause), (ids[i], sound)]
    return [(FILLER, sound + pause)]
