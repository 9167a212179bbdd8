"""Where the phones of a known text lie in a recording: forced alignment by pocketsphinx, and whether to believe it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from tts_fm.alignment.phones import SAMPLE_RATE, Span, Word, token_ends, token_frames, words
from tts_fm.audio.io import Waveform
from tts_fm.audio.level import without_offset

if TYPE_CHECKING:
    from pocketsphinx import Decoder

RATE = 16_000
_LOWEST_SCORE = -30.0
_EDGE, _ROOM = 0.033, 0.3  # seconds: less silence than this was not found; how much to add then
_FRAME = 0.01
_FEW, _SLOWEST_OF_FEW, _SLOWEST, _FASTEST = 10, 2, 5, 24  # phones; per second: a word alone is drawn out at its end
_OFFSET = 0.0078  # a boundary lies between two windows: half a window minus half a step after its frame's start
_ONE_AT_A_TIME = threading.Lock()  # there is one decoder


class Implausible(ValueError):
    """The recording does not say the text, or not clearly enough."""


@dataclass(frozen=True)
class Alignment:
    """The span of every phone of every word, and what speaks for it."""

    spans: list[list[Span]]
    scores: list[list[float]]
    """Of each phone: acoustic log likelihood per frame, 0 is best."""
    score: float
    """The same of all the speech."""
    hurried: float
    """Share of the phones that got the shortest possible duration: a sign of words that were not said."""


def durations(waveform: Waveform, tokens: Sequence[str]) -> list[int]:
    """Return how many frames each token ``^ ... $`` lasts; they sum to the frames of the mel at 24 kHz.

    Raises:
        Implausible: the recording does not say these tokens, or not clearly enough.
        UnknownPhone: a token that the acoustic model does not have.
    """
    if not (said := words(tokens)):
        raise Implausible("no word")
    spans = locate(heard(waveform), said).spans
    n_samples = len(waveform.resampled(SAMPLE_RATE).samples)
    return token_frames(token_ends(tokens, spans, n_samples / SAMPLE_RATE), n_samples)


def heard(waveform: Waveform) -> np.ndarray:
    """Return what the aligner listens to: samples at 16 kHz without offset."""
    return Waveform(without_offset(waveform.samples), waveform.sample_rate).resampled(RATE).samples.numpy()


def locate(audio: np.ndarray, words: list[Word]) -> Alignment:
    """Align ``words`` with 16 kHz ``audio``, and check the result."""
    alignment = align_whole(audio, words)
    check(alignment)
    return alignment


def align_whole(audio: np.ndarray, words: list[Word]) -> Alignment:
    """Align ``words`` with 16 kHz ``audio``, also where the speech begins or ends at its edge."""
    alignment = align(audio, words)
    if alignment.spans[0][0][0] < _EDGE or alignment.spans[-1][-1][1] > len(audio) / RATE - _EDGE:
        return _align_inside(audio, words)
    return alignment


def _align_inside(audio: np.ndarray, words: list[Word]) -> Alignment:
    """Align with the room's own noise around: a silence too short to notice no longer joins the first or last phone."""
    steps = np.sort(np.abs(audio[: len(audio) // 160 * 160].reshape(-1, 160)).mean(1))
    floor = 1.25 * float(steps[len(steps) // 20])
    noise = np.random.default_rng(0).standard_normal((2, round(_ROOM * RATE)), np.float32) * floor
    alignment = align(np.concatenate([noise[0], audio, noise[1]]), words)
    limit = len(audio) / RATE
    spans = [[tuple(min(max(time - _ROOM, 0.0), limit) for time in span) for span in word] for word in alignment.spans]
    return replace(alignment, spans=spans)


def is_available() -> bool:
    """Return whether pocketsphinx, which finds the words, is installed."""
    return find_spec("pocketsphinx") is not None


@cache
def _decoder() -> Decoder:
    try:
        from pocketsphinx import Decoder
    except ImportError:
        raise ValueError("aligning speech with text needs pocketsphinx; pip install 'tts-fm[edit]'") from None

    return Decoder(
        lm=None, samprate=RATE, cmn="batch", loglevel="FATAL", beam=1e-80, pbeam=1e-80, wbeam=1e-80,
        remove_noise=False, bestpath=False,
    )  # fmt: skip


def align(audio: np.ndarray, words: list[Word]) -> Alignment:
    """Align ``words`` with 16 kHz ``audio``; Implausible where that fails."""
    if not any(words):
        raise Implausible("there is no word to look for")
    with _ONE_AT_A_TIME:
        phones = _decoded(_pcm(audio), words)
    flat = [phone for word in phones for phone in word]
    joined = [_joined(*pair) for pair in zip(words, phones, strict=True)]
    spans, scores = [one for one, _ in joined], [one for _, one in joined]
    score = sum(phone[2] for phone in flat) / sum(phone[1] for phone in flat)
    return Alignment(spans, scores, score, sum(phone[1] <= 3 for phone in flat) / len(flat))


def _decoded(pcm: bytes, words: list[Word]) -> list[list[tuple[int, int, int]]]:
    """Return first frame, frames and score of each CMU phone of each word."""
    decoder = _decoder()
    decoder.reinit_feat()  # it remembers the last recording's level, which would move some borders by a frame or more
    names = [_known(decoder, [arpa for phone in word for arpa in phone.arpa]) for word in words]
    try:
        decoder.set_align_text(" ".join(names))
        _listen(decoder, pcm)
        if _found(decoder) != names:
            raise Implausible("no alignment")
        decoder.set_alignment()
        _listen(decoder, pcm)
        alignment = decoder.get_alignment()  # keep a name for it: its words live no longer than it does
        segments = [(word.name, [(p.start, p.duration, p.score) for p in word]) for word in alignment]
    except (RuntimeError, TypeError) as error:
        raise Implausible("no alignment") from error
    phones = [word for name, word in segments if name.startswith("w.")]
    if len(phones) != len(words):
        raise Implausible("no alignment")
    return phones


def check(alignment: Alignment, lowest_score: float = _LOWEST_SCORE, most_hurried: float = 0.35) -> None:
    """Raise Implausible where the durations or the likelihood are not those of somebody reading this text."""
    spans = [span for word in alignment.spans for span in word]
    speech = sum(end - start for start, end in spans)
    if alignment.score < lowest_score:
        raise Implausible("acoustic score")
    if alignment.hurried > most_hurried:
        raise Implausible("too many shortest phones")
    if max(end - start for start, end in spans) > 0.7:
        raise Implausible("a phone over 0.7 s")
    if not (_SLOWEST_OF_FEW if len(spans) < _FEW else _SLOWEST) <= len(spans) / speech <= _FASTEST:
        raise Implausible("speaking rate")


def is_plausible(alignment: Alignment) -> bool:
    """Whether :func:`check` has nothing against ``alignment``."""
    try:
        check(alignment)
    except Implausible:
        return False
    return True


def _found(decoder: Decoder) -> list[str]:
    """The words of the first pass, without silence."""
    return [segment.word for segment in decoder.seg() or () if segment.word.startswith("w.")]


def _pcm(audio: np.ndarray) -> bytes:
    level = 0.08 / max(1e-4, float(np.sqrt(np.mean(audio**2))))
    return (np.clip(audio * level, -1, 1) * 32767).astype(np.int16).tobytes()


def _listen(decoder: Decoder, pcm: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()


def _known(decoder: Decoder, arpa: list[str]) -> str:
    """The name of a pseudo-word pronounced ``arpa``."""
    name = "w." + ".".join(arpa)
    if decoder.lookup_word(name) is None:
        decoder.add_word(name, " ".join(arpa), False)
    return name


def _joined(word: Word, placed: list[tuple[int, int, int]]) -> tuple[list[Span], list[float]]:
    """Join the CMU phones that make up each of our phones; return their spans and their scores per frame."""
    spans, scores, i = [], [], 0
    for phone in word:
        parts = placed[i : i + len(phone.arpa)]
        start, end = parts[0][0], parts[-1][0] + parts[-1][1]
        spans.append((start * _FRAME + _OFFSET, end * _FRAME + _OFFSET))
        scores.append(sum(part[2] for part in parts) / (end - start))
        i += len(phone.arpa)
    return spans, scores
