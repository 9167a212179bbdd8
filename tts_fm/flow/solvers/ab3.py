"""Adams-Bashforth from three velocities: one evaluation a step, order 3."""

from __future__ import annotations

from tts_fm.flow.solvers import AdamsBashforth


class AB3(AdamsBashforth):
    """The parabola through the last three velocities, after a step of the midpoint method and one of order 2."""

    order = 3
