"""The independent coupling: every noise goes with every data point, by chance."""

from __future__ import annotations

from torch import Tensor

from tts_fm.flow.couplings import Coupling


class Independent(Coupling):
    """The noise as it was drawn: plain conditional flow matching."""

    def pair(self, x_0: Tensor, x_1: Tensor, is_valid: Tensor) -> Tensor:
        return x_0
