"""Adams-Bashforth from two velocities: one evaluation a step, order 2."""

from __future__ import annotations

from tts_fm.flow.solvers import AdamsBashforth


class AB2(AdamsBashforth):
    """``x + h v_n + h**2 / (2 h_before) (v_n - v_before)``, after a first step of Euler's method."""

    order = 2
