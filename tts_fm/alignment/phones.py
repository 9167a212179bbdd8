"""Between espeak's IPA tokens and an aligner's phones: words, their phones, and how many frames each token lasts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tts_fm.text.arpabet import PAIRS, SINGLES
from tts_fm.text.pronunciation import PUNCTUATION
from tts_fm.types import MelSpec

GRID = MelSpec()
"""Alignments are kept in frames of this mel."""
SAMPLE_RATE, HOP = GRID.sample_rate, GRID.hop_length
_PAUSING = ";:,.!?…—"  # a pause belongs to one of these rather than to a quote or a bracket
_SEPARATORS = " " + PUNCTUATION
STRESS = "ˈˌ"
_MODIFIERS = "ːˑ̩̪̯̃̊͡ʰʲʷˠˤ˞ⁿᵝ"


class UnknownPhone(ValueError):
    """The text holds a sound that the acoustic model does not have."""


@dataclass(frozen=True)
class Phone:
    """One sound: the places of its tokens, and the CMU phones an aligner looks for."""

    tokens: tuple[int, ...]
    arpa: tuple[str, ...]


Word = list[Phone]
Span = tuple[float, float]
"""Start and end in seconds."""


def words(tokens: Sequence[str]) -> list[Word]:
    """Group ``^ tokens $`` into words (what stands between spaces and punctuation) of phones."""
    words: list[Word] = []
    inside = False
    i = 1
    while i < len(tokens) - 1:
        if tokens[i] in _SEPARATORS:
            inside = False
            i += 1
        elif tokens[i] in STRESS:
            i += 1
        else:
            phone = _phone(tokens, i)
            if not inside:
                words.append([])
            words[-1].append(phone)
            inside = True
            i += len(phone.tokens)
    return words


def _phone(tokens: Sequence[str], i: int) -> Phone:
    """The phone that begins at token ``i``."""
    pair = "".join(tokens[i : i + 2])
    if pair in PAIRS:
        arpa, n = PAIRS[pair], 2
    elif tokens[i] in SINGLES:
        arpa, n = SINGLES[tokens[i]], 1
    else:
        raise UnknownPhone(f"no acoustic model for {tokens[i]!r}")
    while i + n < len(tokens) and tokens[i + n] in _MODIFIERS:
        n += 1
    return Phone(tuple(range(i, i + n)), tuple(arpa.split()))


def shape(grouped: Sequence[Word]) -> list[int]:
    """The number of phones in each word; texts of one shape can share their spans."""
    return [len(word) for word in grouped]


def token_ends(tokens: Sequence[str], spans: Sequence[Sequence[Span]], seconds: float) -> list[float]:
    """When each token ends, given the span of every phone of every word.

    Silence belongs to ``^`` and ``$`` at the ends, else to the punctuation there, else to the space.
    """
    grouped = words(tokens)
    if shape(grouped) != [len(word) for word in spans]:
        raise ValueError("the spans are not those of these tokens")
    ends = [-1.0] * len(tokens)
    for word, word_spans in zip(grouped, spans, strict=True):
        for phone, (start, end) in zip(word, word_spans, strict=True):
            for k, token in enumerate(phone.tokens, 1):
                ends[token] = start + (end - start) * k / len(phone.tokens)
    ends[0], ends[-1] = spans[0][0][0], seconds
    for left, right, right_spans in zip(grouped, grouped[1:], spans[1:], strict=False):
        holder = _pause_holder(tokens, range(left[-1].tokens[-1] + 1, right[0].tokens[0]))
        ends[holder] = right_spans[0][0]
    for i in range(1, len(ends)):
        ends[i] = max(ends[i], ends[i - 1])  # whatever holds no time ends where its neighbour does
    return ends


def _pause_holder(tokens: Sequence[str], between: range) -> int:
    """Which of the tokens between two words owns the pause."""
    for kind in (_PAUSING, PUNCTUATION, " "):
        for i in between:
            if tokens[i] in kind:
                return i
    raise ValueError("two words without anything between them")


def n_frames(n_samples: int) -> int:
    """Frames of a centred spectrogram."""
    return n_samples // HOP + 1


def token_frames(ends: Sequence[float], n_samples: int) -> list[int]:
    """Whole frames per token; they sum to the frames of the audio, and a frame goes where its centre lies."""
    total = n_frames(n_samples)
    borders = [min(total, max(0, math.ceil(end * SAMPLE_RATE / HOP - 1e-9))) for end in ends]
    borders[-1] = total
    return [after - before for before, after in zip([0, *borders], borders, strict=False)]


def is_grid_of(spec: MelSpec) -> bool:
    """Whether the frames of such a mel are those of the aligner's grid."""
    return (spec.sample_rate, spec.hop_length, spec.is_centred) == (SAMPLE_RATE, HOP, GRID.is_centred)


def on_grid(frames: Sequence[int], spec: MelSpec, total: int) -> list[int]:
    """``frames`` of the aligner's grid as those of a mel of ``total`` frames with another rate; each border moves alone.

    Frame ``i`` of the aligner's grid is centred on sample ``i * HOP`` at ``SAMPLE_RATE``, as in :func:`token_frames`.
    """
    later = 0.0 if spec.is_centred else 0.5
    borders, before = [], 0
    for frame in frames:
        before += frame
        seconds = (
            max(0.0, before - 0.5) * HOP / SAMPLE_RATE
        )  # halfway between the last frame before and the first after
        borders.append(min(total, math.ceil(seconds * spec.frame_rate - later - 1e-9)))
    borders[-1] = total
    return [after - before for before, after in zip([0, *borders], borders, strict=False)]


def scale_frames(frames: Sequence[int], total: int) -> list[int]:
    """``frames`` stretched so that they sum to ``total``, by largest remainder."""
    exact = [frame * total / sum(frames) for frame in frames]
    whole = [math.floor(x) for x in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: (whole[i] - exact[i], i))
    for i in by_remainder[: total - sum(whole)]:
        whole[i] += 1
    return whole
