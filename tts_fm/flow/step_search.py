"""The search for a time grid with the least error."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm.flow.solvers import OnStep

SHARES = (0.4, 0.2, 0.1)
"""How far a time is moved towards its neighbour, from coarse to fine."""


def search(
    starts: Sequence[Float[Tensor, " k"]], error: Callable[[Tensor], float], on_step: OnStep | None = None
) -> tuple[Float[Tensor, " k"], float]:
    """Return the best grid found, and its error: the best of ``starts``, then one time after the other moved.

    A move is kept where it lowers the error, so that the result is never worse than any of ``starts``. ``on_step`` is
    called after each time the error was measured.
    """
    moves = [(share, k, to) for share in SHARES for k in range(1, len(starts[0]) - 1) for to in (k - 1, k + 1)]
    grid, least = starts[0], math.inf
    for i in range(len(starts) + len(moves)):
        if i < len(starts):
            tried = starts[i]
        else:
            share, k, to = moves[i - len(starts)]
            tried = grid.clone()
            tried[k] = torch.lerp(grid[k], grid[to], share)
        now = error(tried)
        if now < least:
            grid, least = tried, now
        if on_step is not None:
            on_step(i + 1, len(starts) + len(moves))
    return grid, least
