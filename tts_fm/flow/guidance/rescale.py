"""Rescaled guidance: the guided velocity is given back the spread of the one without guidance."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from tts_fm import plugins
from tts_fm.flow.guidance import Guidance, Point


class Rescale(Guidance):
    """``v (share std(v_all) / std(v) + 1 - share)``, per utterance. Lin et al., arXiv 2305.08891, section 3.4."""

    class Options(plugins.Options):
        """``share`` of the rescaled velocity, against the one as it is."""

        share: float = Field(default=0.7, ge=0, le=1)

    options: Options

    def result(self, guided: Tensor, v_all: Tensor, point: Point) -> Tensor:
        ratio = _spread(v_all, point) / _spread(guided, point).clamp(min=1e-8)
        return guided * (self.options.share * ratio + 1 - self.options.share)


def _spread(velocity: Tensor, point: Point) -> Tensor:
    """Return each utterance's standard deviation over the frames that count, ``(b 1 1)``."""
    count = point.is_target.sum(dim=1)[:, None, None] * velocity.shape[-1]
    centred = velocity - (velocity * point.is_target[..., None]).sum(dim=(1, 2), keepdim=True) / count
    return (point.product(centred, centred) / count).sqrt()
