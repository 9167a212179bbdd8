"""Guidance: a map from velocity fields to a velocity field."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from tts_fm.types import VelocityField

FieldPair = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""``(x_t, t) -> (v_c, v_u)``: the velocities with and without the condition."""


def classifier_free(pair: FieldPair, strength: float) -> VelocityField:
    """Return the field ``v_c + strength * (v_c - v_u)``. ``strength = 0`` is no guidance.

    Ho and Salimans, arXiv 2207.12598, in the form of Voicebox and F5-TTS (there ``cfg_strength``).
    """

    def field(x_t: Tensor, t: Tensor) -> Tensor:
        v_c, v_u = pair(x_t, t)
        return v_c + strength * (v_c - v_u)

    return field
