"""New sound put into a recording without a click, every sample outside left as it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

FADE = 0.012
"""Seconds over which old and new sound change places, inside of what is replaced."""
MARGIN = 0.006
"""Seconds by which new sound is longer at each end: of them is taken what meets the waves of the recording best."""


@dataclass(frozen=True, eq=False)
class Patch:
    """Sound, with its margins, for the samples ``start`` to ``end`` of a recording; None where they are only cut out."""

    start: int
    end: int
    sound: Float[Tensor, " s"] | None


def splice(
    samples: Float[Tensor, " s"], patches: Sequence[Patch], sample_rate: int
) -> tuple[Float[Tensor, " r"], list[tuple[int, int]]]:
    """Return ``samples`` with ``patches``, in order and apart from each other, and where each now begins and ends."""
    fade, margin = round(FADE * sample_rate), round(MARGIN * sample_rate)
    parts, places, done, length = [], [], 0, 0
    for patch in patches:
        parts += [samples[done : patch.start], _fitted(samples, patch, fade, margin)]
        length += patch.start - done
        places.append((length, length + len(parts[-1])))
        length, done = places[-1][1], patch.end
    return torch.cat([*parts, samples[done:]]), places


def swell(sound: Float[Tensor, " s"], factor: float, rise: int, fall: int) -> Float[Tensor, " s"]:
    """Return ``sound`` multiplied by ``factor`` but for its edges: there the factor begins and ends at 1."""
    place = torch.arange(1, len(sound) + 1)
    weight = (place / max(rise, 1)).clamp(max=1) * (place.flip(0) / max(fall, 1)).clamp(max=1)
    return sound * (1 + (factor - 1) * weight)


def _fitted(samples: Float[Tensor, " s"], patch: Patch, fade: int, margin: int) -> Float[Tensor, " p"]:
    """Return what replaces ``samples[patch.start : patch.end]``: it begins and ends with the recording's own waves."""
    old = samples[patch.start : patch.end]
    fade = min(fade, len(old) // 2)
    if patch.sound is None:
        place = max(len(old) - fade - margin, 0)
        place += _best_shift(old[:fade], old, place, margin)
        return torch.cat([_blend(old[:fade], old[place : place + fade]), old[place + fade :]])
    sound = patch.sound
    first = margin + _best_shift(old[:fade], sound, margin, margin)
    last = len(sound) - margin
    last += _best_shift(old[len(old) - fade :], sound, last - fade, margin)
    left = _blend(old[:fade], sound[first : first + fade])
    right = _blend(sound[last - fade : last], old[len(old) - fade :])
    return torch.cat([left, sound[first + fade : last - fade], right])


def _best_shift(wanted: Float[Tensor, " f"], sound: Float[Tensor, " s"], place: int, reach: int) -> int:
    """Return the shift by at most ``reach`` at which ``sound`` at ``place`` is most like ``wanted``."""
    low = max(-reach, -place)
    high = min(reach, len(sound) - len(wanted) - place)
    if high <= low or len(wanted) == 0:
        return 0
    pieces = sound[place + low : place + high + len(wanted)].unfold(0, len(wanted), 1)  # shifts f
    likeness = pieces @ wanted / pieces.norm(dim=1).clamp(min=1e-6)
    return low + int(likeness.argmax())


def _blend(old: Float[Tensor, " f"], new: Float[Tensor, " f"]) -> Float[Tensor, " f"]:
    """Return ``old`` giving way to ``new``, with the weights of a raised cosine."""
    weight = (1 - torch.cos(math.pi * torch.arange(1, len(old) + 1) / (len(old) + 1))) / 2
    return old * (1 - weight) + new * weight
