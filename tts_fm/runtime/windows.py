"""A network along time in windows that see all around that matters: the result of the whole, and memory that does not grow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy import ndarray


@dataclass(frozen=True)
class Windows:
    """Windows of ``step`` columns and of the ``reach`` around them that each result depends on.

    Attributes:
        step: more take more memory, fewer compute more of what is around them twice.
        reach: columns on either side.
        rate: columns of the result for each.
    """

    step: int
    reach: int
    rate: int

    def run(self, network: Callable[[ndarray], ndarray], x: ndarray, axis: int) -> ndarray:
        """Return ``network(x)``, whose columns lie along ``axis`` of ``x`` and along the last axis of the result."""
        n = x.shape[axis]
        parts: list[ndarray] = []
        for start in range(0, n, self.step):
            first, end = max(start - self.reach, 0), min(start + self.step, n)
            seen = np.take(x, range(first, min(end + self.reach, n)), axis)
            parts.append(network(seen)[..., (start - first) * self.rate : (end - first) * self.rate])
        return np.concatenate(parts, axis=-1)
