"""Adaptive projected guidance: less of the difference along the clean mel itself, which only makes it louder."""

from __future__ import annotations

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from tts_fm import plugins
from tts_fm.flow.guidance import Guidance, Point, Term

_LEAST_REMAINING = 0.05


class AdaptiveProjected(Guidance):
    """Sadat et al., arXiv 2410.02416, on the clean mel ``x_1`` that a velocity points to, per utterance.

    The difference ``d`` of two clean mels gets ``momentum`` times the former one added, is shortened to ``norm``, and of
    its part along the mel with the whole condition ``along`` is kept. The defaults are LongCat-AudioDiT's;
    ``along = 1, momentum = 0, norm = 0`` changes nothing.
    """

    class Options(plugins.Options):
        """``norm`` is the largest root mean square of ``d``, 0 for any."""

        along: float = Field(default=0.5, ge=0, le=1)
        momentum: float = Field(default=-0.3, gt=-1, lt=1)
        norm: float = Field(default=0.0, ge=0)

    options: Options

    def __init__(self, options: plugins.Options, strength: float, grid: Float[Tensor, " k"]) -> None:
        super().__init__(options, strength, grid)
        self._former: dict[Term, Tensor] = {}

    def difference(self, difference: Tensor, term: Term, v_all: Tensor, point: Point) -> Tensor:
        options = self.options
        remaining = point.remaining.clamp(min=_LEAST_REMAINING)  # at t = 1 no velocity moves the end
        d = remaining * difference
        if options.momentum != 0:
            d = d + options.momentum * self._former[term] if term in self._former else d
            self._former[term] = d
        if options.norm > 0:
            size = point.is_target.sum(dim=1)[:, None, None] * d.shape[-1]
            spread = (point.product(d, d) / size).sqrt()
            d = d * (options.norm / spread.clamp(min=1e-8)).clamp(max=1)
        clean = point.clean(v_all)
        parallel = point.product(d, clean) / point.product(clean, clean).clamp(min=1e-8) * clean
        return (d - (1 - options.along) * parallel) / remaining
