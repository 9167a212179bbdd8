"""CFG-Zero*: the null at its best scale, and no move in the first steps, where the field is least to be trusted."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from tts_fm import plugins
from tts_fm.flow.guidance import Guidance, Point


class CfgZero(Guidance):
    """``v_away`` times ``<v_toward, v_away> / |v_away|^2``, per utterance. Fan et al., arXiv 2503.18886, equation 8."""

    class Options(plugins.Options):
        """``still_steps``: how many steps at the start do not move; the last one always does."""

        still_steps: int = Field(default=1, ge=0)

    options: Options

    def is_still(self, t: float) -> bool:
        return t < float(self.grid[min(self.options.still_steps, len(self.grid) - 2)])

    def away(self, v_away: Tensor, v_toward: Tensor, point: Point) -> Tensor:
        return v_away * (point.product(v_toward, v_away) / point.product(v_away, v_away).clamp(min=1e-8))
