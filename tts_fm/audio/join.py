"""Several sounds to one, without clicks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm.audio.io import Waveform
from tts_fm.audio.level import Span

PAUSE = 0.2
"""Seconds of silence between two sentences."""
FADE = 0.01
"""Seconds in which sound rises out of that silence, or sinks into it."""
PARAGRAPH_PAUSE = 0.4
"""Seconds of silence between two paragraphs, beside what each begins and ends with."""


def join(
    pieces: Sequence[Waveform], pause_seconds: float | Sequence[float] = PAUSE, fade_seconds: float = FADE
) -> Waveform:
    """Return ``pieces`` one after the other with silence between them: one length, or one behind each.

    Every inner edge is faded with half a raised cosine, so that the silence begins and ends without a jump; the first
    sample of the first piece and the last of the last stay as they are. One piece is returned unchanged.
    """
    rate = _common_rate(pieces)
    pauses = _each(pause_seconds, len(pieces))
    parts: list[Tensor] = []
    for i, piece in enumerate(pieces):
        if i > 0:
            parts.append(torch.zeros(round(pauses[i - 1] * rate)).to(piece.samples))
        parts.append(fade(piece.samples, rate, i > 0, i < len(pieces) - 1, fade_seconds))
    return Waveform(torch.cat(parts), rate)


def fade(
    samples: Float[Tensor, " s"], sample_rate: int, fades_in: bool, fades_out: bool, seconds: float = FADE
) -> Float[Tensor, " s"]:
    """Return ``samples`` with half a raised cosine at the edges that are to be faded."""
    n = min(round(seconds * sample_rate), len(samples) // 2)
    faded = samples.clone()
    if fades_in:
        faded[:n] *= _rise(n).to(samples)
    if fades_out:
        faded[len(samples) - n :] *= _rise(n).flip(0).to(samples)
    return faded


def places(pieces: Sequence[Waveform], pause_seconds: float | Sequence[float] = PAUSE) -> list[Span]:
    """Return where :func:`join` puts each of ``pieces``."""
    rate = _common_rate(pieces)
    spans, start = [], 0  # samples
    for piece, pause in zip(pieces, _each(pause_seconds, len(pieces)), strict=True):
        end = start + len(piece.samples)
        spans.append(Span(start / rate, end / rate))
        start = end + round(pause * rate)
    return spans


def _each(pause_seconds: float | Sequence[float], n: int) -> Sequence[float]:
    return [pause_seconds] * n if isinstance(pause_seconds, int | float) else pause_seconds


def crossfade(pieces: Sequence[Waveform], seconds: float = 0.15) -> Waveform:
    """Return ``pieces`` overlapped by ``seconds`` with linear weights, as F5-TTS joins its chunks."""
    rate = _common_rate(pieces)
    whole = pieces[0].samples
    for piece in pieces[1:]:
        n = min(int(seconds * rate), len(whole), len(piece.samples))
        weight = torch.linspace(0, 1, n).to(whole)
        overlap = whole[len(whole) - n :] * (1 - weight) + piece.samples[:n] * weight
        whole = torch.cat([whole[: len(whole) - n], overlap, piece.samples[n:]])
    return Waveform(whole, rate)


def _rise(n: int) -> Float[Tensor, " n"]:
    """``(1 - cos(pi (i + 1) / (n + 1))) / 2``: from just above 0 to just under 1."""
    return (1 - torch.cos(math.pi * torch.arange(1, n + 1) / (n + 1))) / 2


def _common_rate(pieces: Sequence[Waveform]) -> int:
    rates = {piece.sample_rate for piece in pieces}
    if len(rates) != 1:
        raise ValueError(f"pieces to join must have one sample rate, got {sorted(rates) if rates else 'no pieces'}")
    return rates.pop()
